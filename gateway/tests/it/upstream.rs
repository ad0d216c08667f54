//! Programs that were written for the first server of this protocol: their frames are replayed from
//! `protocol/tests/vectors/upstream.json`, each over sockets of its own.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::harness::{Server, Socket};

/// What one program sends on its sockets, and what it must get.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Conversation {
    name: String,
    #[serde(rename = "about")]
    _about: String,
    /// The path that each socket opens; `{key}` stands for an API key.
    sockets: BTreeMap<String, String>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at: String,
    /// A frame as its program writes it.
    send: Option<String>,
    /// Members that the next frame must have.
    get: Option<Value>,
}

fn conversations() -> Vec<Conversation> {
    let path = "../protocol/tests/vectors/upstream.json";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Whether `frame` has all members of `wanted`, at every level.
fn has(frame: &Value, wanted: &Value) -> bool {
    match (frame, wanted) {
        (Value::Object(frame), Value::Object(wanted)) => {
            let mut members = wanted.iter();
            members.all(|(key, wanted)| frame.get(key).is_some_and(|it| has(it, wanted)))
        }
        (frame, wanted) => frame == wanted,
    }
}

/// The next frame but `bot_status`, which comes when it likes.
async fn next(socket: &mut Socket) -> Value {
    loop {
        let frame = socket.next().await.expect("a frame, not a close");
        if frame["type"] != "bot_status" {
            return frame;
        }
    }
}

#[tokio::test]
async fn programs_of_the_first_server_register_send_and_get_answers() {
    for Conversation {
        name,
        sockets: paths,
        steps,
        ..
    } in conversations()
    {
        let server = Server::start().await;
        let mut sockets = BTreeMap::new();
        for (at, path) in paths {
            let path = path.replace("{key}", &server.key("alice"));
            let mut socket = server.open(&path, None).await;
            socket.greeted().await;
            sockets.insert(at, socket);
        }
        for (number, Step { at, send, get }) in steps.into_iter().enumerate() {
            let socket = sockets.get_mut(&at).unwrap();
            if let Some(text) = send {
                socket.send(text).await;
            }
            if let Some(wanted) = get {
                let frame = next(socket).await;
                assert!(has(&frame, &wanted), "{name}, step {number}: {frame}");
            }
        }
    }
}
