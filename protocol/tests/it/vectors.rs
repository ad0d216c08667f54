//! The golden vectors: what each frame becomes, byte for byte.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use protocol::message::Send;
use protocol::request::RejectedRequest;
use protocol::request::{ClientRequest, IncomingRequest};
use protocol::t2b::frames::{ClientFrame, ServerFrame, ServerMessage};
use protocol::t2b::{decode, encode};
use protocol::{Fault, FrameId, Refusal, SpentAllowance};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{NOW_MS, envelope};

/// A text in a vector: as it is, or in pieces of which some repeat.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Pieces(Vec<Piece>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Piece {
    Once(String),
    Repeated { repeat: String, times: usize },
}

impl Text {
    fn build(&self) -> String {
        match self {
            Text::Plain(text) => text.clone(),
            Text::Pieces(pieces) => pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Once(text) => text.clone(),
                    Piece::Repeated { repeat, times } => repeat.repeat(*times),
                })
                .collect(),
        }
    }
}

/// A frame from a socket: `decoded`, with the `delivery` if it is a message; or the `error`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientVector {
    name: String,
    frame: Text,
    decoded: Option<Value>,
    delivery: Option<Text>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct ServerVector {
    name: String,
    frame: String,
}

/// `before`, `unit` as often as it is long, `after`: accepted up to `most`, then `reason`.
#[derive(Deserialize)]
struct LimitVector {
    name: String,
    before: String,
    unit: String,
    after: String,
    most: usize,
    reason: String,
}

fn load<T: DeserializeOwned>(file: &str) -> Vec<T> {
    load_one(file)
}

/// A whole file of vectors.
pub fn load_one<T: DeserializeOwned>(file: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(file);
    serde_json::from_str(&fs::read_to_string(path).expect("is there")).expect("has this shape")
}

fn read(text: &str) -> Result<IncomingRequest, Box<RejectedRequest>> {
    decode(&Bytes::copy_from_slice(text.as_bytes()))
}

/// An object without the members that are `null`.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let given = members.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(given.map(|(key, value)| (key.to_owned(), value)).collect())
}

fn show_send(send: &Send) -> Value {
    let message = &send.message;
    object([
        ("to", json!(message.to)),
        ("from", json!(send.from)),
        ("messageId", json!(message.message_id)),
        ("streamId", json!(message.stream_id)),
        (
            "durable",
            if send.durable {
                json!(true)
            } else {
                Value::Null
            },
        ),
    ])
}

fn show(frame: &IncomingRequest) -> Value {
    let (kind, data) = match &frame.request {
        ClientRequest::Auth(auth) => ("auth", json!(auth)),
        ClientRequest::RegisterBot(bot) => ("register_bot", json!(bot)),
        ClientRequest::UnregisterBot(bot) => ("unregister_bot", json!(bot)),
        ClientRequest::Send(send) => (send.message.kind.wire_name(), show_send(send)),
        ClientRequest::Subscribe(bot) => ("subscribe", json!(bot)),
        ClientRequest::Unsubscribe(bot) => ("unsubscribe", json!(bot)),
        ClientRequest::ListBots(list) => ("list_bots", json!(list)),
        ClientRequest::Status(status) => ("status", json!(status)),
        ClientRequest::Later => ("later", Value::Null),
        ClientRequest::Ping => ("ping", Value::Null),
    };
    object([
        ("type", json!(kind)),
        ("id", json!(frame.id)),
        ("data", data),
    ])
}

fn show_rejected(rejected: &RejectedRequest) -> Value {
    object([
        ("reason", json!(rejected.code)),
        ("id", json!(rejected.id)),
        ("messageId", json!(rejected.message_id)),
        ("field", json!(rejected.fault.map(|fault| fault.field()))),
    ])
}

fn check(vector: &ClientVector) {
    let name = &vector.name;
    match read(&vector.frame.build()) {
        Ok(frame) => {
            assert_eq!(Some(show(&frame)), vector.decoded, "{name}");
            let send = if let ClientRequest::Send(send) = frame.request {
                Some(send)
            } else {
                None
            };
            let delivery = send.map(|send| encode::delivery(&envelope(send), NOW_MS));
            let expected = vector
                .delivery
                .as_ref()
                .map(|text| Bytes::from(text.build()));
            assert_eq!(delivery, expected, "{name}");
        }
        Err(rejected) => assert_eq!(Some(show_rejected(&rejected)), vector.error, "{name}"),
    }
}

#[test]
fn client_frames() {
    for vector in load("client_frames.json") {
        check(&vector);
    }
}

#[test]
fn hostile_frames() {
    for vector in load("hostile.json") {
        check(&vector);
    }
}

#[test]
fn client_frames_spelled_out_say_the_same() {
    // What a client program does not write: absent `data`, requests for later, data of a ping, ids
    // and numbers of another form.
    let not_spelled = [
        "without data",
        "for later",
        "with anything",
        "integer id",
        "no fraction",
    ];
    for vector in load::<ClientVector>("client_frames.json") {
        if not_spelled.iter().any(|words| vector.name.contains(words)) {
            continue;
        }
        let frame: ClientFrame = serde_json::from_str(&vector.frame.build()).expect(&vector.name);
        let decoded = read(&encode::client(&frame)).map(|frame| show(&frame));
        assert_eq!(decoded.ok(), vector.decoded, "{}", vector.name);
    }
}

#[test]
fn server_frames() {
    for vector in load::<ServerVector>("server_frames.json") {
        let frame: ServerFrame = serde_json::from_str(&vector.frame).expect(&vector.name);
        let id = serde_json::from_value(json!(frame.id)).expect(&vector.name);
        let id: Option<FrameId> = id;
        let again = encode::server(&frame.message, id.as_ref(), frame.timestamp);
        assert_eq!(again, vector.frame, "{}", vector.name);
        let (id, now) = (id.as_ref(), frame.timestamp);
        if let ServerMessage::MessageAck(ack) = &frame.message {
            let by_hand = encode::ack(&ack.message_id, ack.status, id, now);
            assert_eq!(by_hand, vector.frame, "{}", vector.name);
        }
        if let ServerMessage::Error(error) = &frame.message {
            let fault = error.message.split_once(": ");
            let refusal = Refusal {
                code: error.reason,
                fault: fault.and_then(|(_, sentence)| Fault::told(sentence)),
                message_id: error.message_id,
                retry_ms: error.retry_after_ms,
                spent: error
                    .meter
                    .zip(error.resets_at)
                    .map(|(meter, resets_ms)| SpentAllowance { meter, resets_ms }),
            };
            let by_table = encode::error(&refusal, id, now);
            assert_eq!(by_table, vector.frame, "{}", vector.name);
        }
    }
}

#[test]
fn every_limit_below_at_and_above() {
    for vector in load::<LimitVector>("limits.json") {
        let result = |count: usize| {
            let LimitVector {
                before,
                unit,
                after,
                ..
            } = &vector;
            read(&format!("{before}{}{after}", unit.repeat(count)))
        };
        assert!(result(vector.most - 1).is_ok(), "{} below", vector.name);
        assert!(result(vector.most).is_ok(), "{} at", vector.name);
        let reason = result(vector.most + 1).map_err(|rejected| rejected.code.reason());
        assert_eq!(reason, Err(&*vector.reason), "{} above", vector.name);
    }
}

#[test]
fn a_body_is_a_slice_of_the_frame() {
    let text = Bytes::from_static(br#"{"type":"message","data":{"to":"b","text":"hi"}}"#);
    let Ok(IncomingRequest {
        request: ClientRequest::Send(send),
        ..
    }) = decode(&text)
    else {
        panic!("is a message");
    };
    let run = send.message.body.runs().next().unwrap();
    assert!(text.as_ptr_range().contains(&run.as_ptr()));
}
