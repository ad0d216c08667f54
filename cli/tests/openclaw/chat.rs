//! A person asks a bot and reads its answer.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::gateway::succeed;
use crate::model::echo_of;
use crate::world::TestWorld;

pub async fn a_command_prints_the_reply(world: &mut TestWorld) {
    let chat = ["chat", "bot_main", "--text", "hello"];
    let output = succeed(world.gateway.t2b_client(&chat)).await;
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed, format!("{}\n", echo_of("hello")));
    assert_eq!(world.model.runs("hello").len(), 1);
}

/// The model stops half way until a partial has been seen.
pub async fn partials_come_before_the_final(world: &mut TestWorld) {
    let text = "tell me slowly";
    let hold = world.model.hold(text);
    let chat = ["chat", "bot_main", "--text", text, "--json"];
    let mut command = world.gateway.t2b_client(&chat);
    let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut next = async || -> Option<Value> {
        let line = lines.next_line().await.unwrap()?;
        Some(serde_json::from_str(&line).unwrap())
    };
    assert_eq!(next().await.unwrap()["type"], "message_ack");
    let partial = next().await.unwrap();
    assert_eq!(partial["type"], "message_partial");
    let so_far = partial["data"]["text"].as_str().unwrap();
    let whole = echo_of(text);
    assert!(
        !so_far.is_empty() && so_far.len() < whole.len() && whole.starts_with(so_far),
        "{so_far:?}"
    );
    hold.release();
    let mut last = partial.clone();
    while let Some(frame) = next().await {
        last = frame;
    }
    assert_eq!(last["type"], "message");
    assert_eq!(last["data"]["text"], whole);
    assert_eq!(last["data"]["streamId"], partial["data"]["streamId"]);
    assert!(process.wait().await.unwrap().success());
}
