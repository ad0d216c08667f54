//! ACK-1: an answer exactly once, and "delivered" only when it is true.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;
use protocol::connect::Acks;
use protocol::message::SendKind;
use protocol::request::ClientRequest;
use protocol::t2b::decode;
use router_core::ConnKey;
use serde_json::Value;

use crate::isolation::tight;
use crate::script::{Op, Script};
use crate::strategies::{config, ops};
use crate::world::Event;

/// Plays the operations, then lets the store answer whatever it still owes.
pub fn played(ops: &[Op], prompt: bool) -> Script {
    let mut script = Script::new(tight(), prompt, Acks::All);
    for op in ops {
        script.play(op);
    }
    script.answer_all();
    script
}

/// What a request may be answered with, besides `error`; `None`: with nothing.
fn answer_of(text: &Bytes) -> Option<&'static str> {
    let Ok(frame) = decode(text) else {
        return Some("error");
    };
    match frame.request {
        ClientRequest::Auth(_) => Some("auth_ok"),
        ClientRequest::RegisterBot(_) => Some("bot_registered"),
        ClientRequest::UnregisterBot(_) => Some("bot_unregistered"),
        ClientRequest::Send(send) if send.message.kind == SendKind::Message => Some("message_ack"),
        ClientRequest::Send(_) => None,
        ClientRequest::Subscribe(_)
        | ClientRequest::Unsubscribe(_)
        | ClientRequest::ListBots(_)
        | ClientRequest::Status(_) => Some("status"),
        ClientRequest::Later => Some("error"),
        ClientRequest::Ping => Some("pong"),
    }
}

fn id_of(text: &Bytes) -> Option<String> {
    let id = match decode(text) {
        Ok(frame) => frame.id,
        Err(rejected) => rejected.id,
    };
    id.map(|id| id.to_string())
}

fn frame(text: &Bytes) -> Value {
    serde_json::from_slice(text).expect("frames out are JSON")
}

fn is_ack(event: &Event) -> bool {
    match event {
        Event::Frame(_, sent) => sent.text.starts_with(br#"{"type":"message_ack""#),
        Event::Fed(..) | Event::Ping(_) | Event::Closed(..) | Event::Gone(_) => false,
    }
}

fn is_auth_of(event: &Event, conn: ConnKey) -> bool {
    match event {
        Event::Fed(from, text) => *from == conn && text.starts_with(br#"{"type":"auth""#),
        Event::Frame(..) | Event::Ping(_) | Event::Closed(..) | Event::Gone(_) => false,
    }
}

/// Of each socket and frame id: how many answers are owed at least and at most, and what came.
#[derive(Default)]
struct Owed {
    least: usize,
    most: usize,
    words: BTreeSet<&'static str>,
    answers: Vec<Value>,
}

proptest! {
    #![proptest_config(config(5_000))]

    #[test]
    fn every_frame_is_answered_exactly_once(ops in ops(1, 80), prompt in any::<bool>()) {
        let script = played(&ops, prompt);
        let mut owed: BTreeMap<(ConnKey, String), Owed> = BTreeMap::new();
        for event in &script.world.log {
            match event {
                Event::Fed(conn, text) => {
                    let Some(id) = id_of(text) else { continue };
                    let owed = owed.entry((*conn, id)).or_default();
                    let word = answer_of(text);
                    owed.least += usize::from(word.is_some());
                    owed.most += 1;
                    owed.words.extend(word);
                }
                Event::Frame(conn, sent) => {
                    let answer = frame(&sent.text);
                    let Some(id) = answer["id"].as_str() else { continue };
                    let owed = owed.get_mut(&(*conn, id.to_owned()));
                    owed.expect("only what was asked is answered").answers.push(answer);
                }
                Event::Ping(_) | Event::Closed(..) | Event::Gone(_) => {}
            }
        }
        for ((conn, id), owed) in owed {
            let answers = owed.answers.len();
            for answer in &owed.answers {
                let word = answer["type"].as_str().unwrap();
                let expected = word == "error" || word == "auth_error" || owed.words.contains(word);
                prop_assert!(expected, "{id} of {conn:?} was answered {answer}");
            }
            if script.world.conns[&conn].open {
                let fits = (owed.least..=owed.most).contains(&answers);
                prop_assert!(fits, "{id} of {conn:?} has {answers} answers: {:?}", owed.answers);
            } else {
                let expelled = owed.answers.iter().any(|it| it["type"] == "auth_error");
                prop_assert!(answers <= owed.most + usize::from(expelled), "{id} of {conn:?}");
            }
        }
    }

    #[test]
    fn a_socket_that_wants_errors_only_misses_the_acks_and_nothing_else(
        ops in ops(1, 80),
        prompt in any::<bool>(),
    ) {
        let all = played(&ops, prompt);
        let mut errors = all.again(tight(), Acks::Errors, |_| true);
        errors.answer_all();
        for event in errors.world.log.iter().filter(|it| is_ack(it)) {
            // An `auth` frame says anew which acks are wanted: all.
            let asked = errors.world.log.iter().any(|it| is_auth_of(it, event.conn()));
            prop_assert!(asked, "it asked for errors and got {event:?}");
        }
        let but_acks = |script: &Script| -> Vec<Event> {
            script.world.log.iter().filter(|it| !is_ack(it)).cloned().collect()
        };
        prop_assert_eq!(but_acks(&all), but_acks(&errors));
    }

    #[test]
    fn delivered_is_said_when_a_queue_has_it_and_only_then(
        ops in ops(1, 80),
        prompt in any::<bool>(),
    ) {
        let script = played(&ops, prompt);
        let mut queued: BTreeSet<String> = BTreeSet::new();
        for event in &script.world.log {
            let Event::Frame(_, sent) = event else { continue };
            let sent = frame(&sent.text);
            let data = &sent["data"];
            let Some(id) = sent["id"].as_str().filter(|id| id.starts_with('f')) else {
                queued.insert(format!("f{}", data["n"]));
                continue;
            };
            match sent["type"].as_str().unwrap() {
                "message_ack" => {
                    let delivered = data["status"] == "delivered";
                    prop_assert_eq!(queued.contains(id), delivered, "{}", sent);
                }
                "error" => prop_assert!(!queued.contains(id), "{} was delivered", sent),
                _ => {}
            }
        }
    }
}
