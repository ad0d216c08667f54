//! A conversation that goes faster than the agent.

use crate::model::echo_of;
use crate::phone::{TestPhone, text_of};
use crate::world::TestWorld;

const MESSAGES: usize = 10;

/// All are sent before the first is answered. Each has a run of its own, and the answers come in
/// the order of the questions.
pub async fn messages_are_answered_in_order(world: &mut TestWorld) {
    let mut phone = TestPhone::connect(&world.gateway, "hasty").await;
    let texts: Vec<String> = (1..=MESSAGES).map(|n| format!("thought {n}")).collect();
    let first = world.model.hold(&texts[0]);
    for (n, text) in texts.iter().enumerate() {
        phone
            .say("bot_main", text, &format!("hasty-{n}"))
            .await
            .unwrap();
    }
    first.release();
    for (n, text) in texts.iter().enumerate() {
        let answer = phone.next_answer().await;
        assert_eq!(text_of(&answer), echo_of(text), "answer {n}");
        assert_eq!(world.model.runs(text).len(), 1, "runs of {text:?}");
    }
}
