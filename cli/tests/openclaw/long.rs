//! An answer that is longer than a frame may be.

use crate::gateway::succeed;
use crate::world::TestWorld;

/// The gateway's limit of a frame.
const FRAME_BYTES: usize = 256 * 1024;

/// The plugin cuts it into parts, `t2b chat` puts it together again.
pub async fn a_long_answer_arrives_whole(world: &mut TestWorld) {
    let text = "tell me everything";
    let answer = everything();
    world.model.answer(text, answer.clone());
    let chat = ["chat", "bot_main", "--text", text];
    let output = succeed(world.gateway.t2b_client(&chat)).await;
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.len(), answer.len() + 1);
    assert!(printed.trim_end_matches('\n') == answer, "another text");
}

/// More than a frame holds, with letters of several bytes in it, and with no two lines alike.
pub fn everything() -> String {
    let lines = (0..).map(|n| format!("line {n} of the long story, für dich\n"));
    let mut answer = String::new();
    for line in lines {
        answer.push_str(&line);
        if answer.len() > FRAME_BYTES {
            break;
        }
    }
    answer.push_str("the end");
    answer
}
