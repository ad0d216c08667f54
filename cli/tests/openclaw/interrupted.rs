//! OpenClaw dies while an agent runs.

use crate::phone::{TestPhone, text_of};
use crate::world::{BOTS, TestWorld};

/// Whether the message did what it should nobody can know, so it is not run again: the person is
/// told, and decides.
pub async fn a_run_that_was_cut_is_not_run_again(world: &mut TestWorld) {
    let (text, id) = ("pay the bill", "bill-1");
    let hold = world.model.hold(text);
    let mut phone = TestPhone::connect(&world.gateway, "payer").await;
    phone.say("bot_main", text, id).await.unwrap();
    world.model.asked(text).await;
    world.openclaw.kill();
    hold.release();
    world.start().await;
    // The plugin tells it by itself, as the gateway would not pass the repeat on.
    let answer = phone.ask("bot_main", text, id).await;
    assert!(text_of(&answer).contains("interrupted"), "{answer:?}");

    // A gateway that has forgotten the message passes the repeat on, and the plugin still knows.
    // Without this phone: if it reconnects first, it may get the answer, and the next phone gets none, as
    // the gateway drops the repeat of an answer that was delivered.
    drop(phone);
    world.gateway.forget().await;
    world.bots_are_online(&BOTS).await;
    let mut phone = TestPhone::connect(&world.gateway, "payer").await;
    let answer = phone.ask("bot_main", text, id).await;
    assert!(text_of(&answer).contains("interrupted"), "{answer:?}");

    // Something new is answered, and nothing was run again meanwhile.
    phone.ask("bot_main", "and now?", "bill-2").await;
    assert_eq!(world.model.runs(text).len(), 1);
}
