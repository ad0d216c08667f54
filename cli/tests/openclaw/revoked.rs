//! The owner's key is void, and no credential is anywhere that it does not belong.

use crate::world::{TestWorld, until};

pub async fn a_revoked_key_is_told_to_the_owner(world: &mut TestWorld) {
    let status = async || world.openclaw.run(&["channels", "status"]).await;
    let before = status().await;
    assert_eq!(before.code, Some(0), "{}", before.said);
    assert!(before.said.contains("connected"), "{}", before.said);
    assert!(!before.said.contains("revoked"), "{}", before.said);

    world.gateway.revoke().await;
    let sentence = "the gateway refused the API key: it is wrong, or it was revoked";
    until("the owner is told of the key", async || {
        status().await.said.contains(sentence).then_some(())
    })
    .await;
}

/// What was printed on the way holds no credential.
pub async fn no_output_holds_the_key(world: &mut TestWorld) {
    let printed = world.printed();
    assert!(printed.contains("bot_main"), "the logs are there");
    assert!(!printed.contains(&world.gateway.key));
}
