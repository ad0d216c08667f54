//! Somebody else becomes one of the bots.

use std::process::Stdio;

use serde_json::json;

use crate::model::echo_of;
use crate::phone::{TestPhone, text_of};
use crate::world::{BOTS, TestWorld, until};

/// The owner may have two OpenClaws by mistake; the plugin says so and does not fight for the bot.
pub async fn a_bot_that_was_taken_over_is_told_and_left(world: &mut TestWorld) {
    let echo = ["bot", "echo", "--id", "bot_main"];
    let mut other = world.gateway.t2b_client(&echo);
    let mut other = other.stdout(Stdio::null()).spawn().unwrap();
    until("the owner is told of the other", async || {
        let status = world.openclaw.run(&["channels", "status"]).await.said;
        (status.contains("bot_main") && status.contains("taken over")).then_some(())
    })
    .await;
    let mut phone = TestPhone::connect(&world.gateway, "phone-3").await;
    let (to_main, to_coder) = ("who is there?", "and there?");
    let answer = phone.ask("bot_main", to_main, "taken-1").await;
    assert_eq!(text_of(&answer), to_main, "it is the other that answers");
    let answer = phone.ask("bot_coder", to_coder, "taken-2").await;
    assert_eq!(text_of(&answer), echo_of(to_coder));

    other.kill().await.unwrap();
    world.bots_are_online(&["bot_coder"]).await;
    // Any change of its configuration restarts the channel, and with it the claim.
    world.openclaw.configure(|config| {
        config["channels"]["tunnel"]["reconnectInterval"] = json!(201);
    });
    world.bots_are_online(&BOTS).await;
    let answer = phone.ask("bot_main", to_main, "taken-3").await;
    assert_eq!(text_of(&answer), echo_of(to_main));
}
