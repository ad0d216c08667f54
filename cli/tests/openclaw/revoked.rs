//! The owner's key is void.

use crate::world::{World, until};

pub async fn a_revoked_key_is_told_to_the_owner(world: &mut World) {
    world.gateway.revoke().await;
    let status = until("the owner is told of the key", async || {
        let status = world.openclaw.run(&["channels", "status"]).await.said;
        status.contains("key").then_some(status)
    })
    .await;
    eprintln!("{status}");
}

/// What was printed on the way holds no credential.
pub async fn no_output_holds_the_key(world: &mut World) {
    let printed = world.printed();
    assert!(printed.contains("bot_main"), "the logs are there");
    assert!(!printed.contains(&world.gateway.key));
}
