//! What holds for every message frame that is accepted, whatever its members.

use bytes::Bytes;
use proptest::prelude::*;
use protocol::json::unescape;
use protocol::request::ClientRequest;
use protocol::t2b::walk::Walk;
use protocol::t2b::{decode, encode};

use crate::{NOW_MS, envelope};

const RESERVED: [&str; 7] = [
    "from",
    "to",
    "id",
    "messageId",
    "connectionId",
    "epoch",
    "offset",
];

/// A key as written and a value as written.
type Written = (String, String);

fn key() -> impl Strategy<Value = String> {
    let ours = prop::sample::select(vec![
        "from",
        "fr\\u006fm",
        "to",
        "id",
        "\\u0069d",
        "messageId",
        "connectionId",
        "epoch",
        "offset",
        "text",
        "timestamp",
        "t\\u0069mestamp",
        "streamId",
        "replyTo",
        "ttlMs",
    ]);
    prop_oneof![
        ours.prop_map(str::to_owned),
        "[a-z]{0,3}",
        Just("\\ud800\\n".to_owned()),
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(r#""a""#.to_owned()),
        Just("7".to_owned()),
        Just("null".to_owned()),
        r#"\[ (\{"from" :1\}, "x\\ud800\\u0000é")\]|-0\.5e3|"[a-z]{1,4}""#
            .prop_map(|text| text.replace(['(', ')'], "")),
    ]
}

fn frame() -> impl Strategy<Value = (String, String)> {
    let members = prop::collection::vec((key(), value(), 0..3usize), 0..8);
    (members, 0..9usize).prop_map(|(members, to_at)| {
        let mut written: Vec<String> = members
            .iter()
            .filter(|(key, ..)| key != "to")
            .map(|(key, value, space)| {
                let space = " ".repeat(*space);
                format!("{space}\"{key}\"{space}:{value}{space}")
            })
            .collect();
        written.insert(to_at.min(written.len()), r#""to":"b""#.to_owned());
        let data = format!("{{{}}}", written.join(","));
        (
            format!(r#"{{"id":"7","data":{data},"type":"message"}}"#),
            data,
        )
    })
}

/// The members of the frame's `data`: those that are reserved, by name, and the others.
fn members(text: &[u8]) -> (Vec<Written>, Vec<Written>) {
    let mut walk = Walk::default();
    walk.run(text).expect("is JSON");
    let written = |raw: &[u8]| String::from_utf8_lossy(raw).into_owned();
    let (mut reserved, mut others) = (Vec::new(), Vec::new());
    for member in &walk.data {
        let key = member.key.of(text);
        let value = written(member.value.of(text));
        match unescape(key).filter(|key| RESERVED.contains(&&**key)) {
            Some(name) => reserved.push((name.into_owned(), value)),
            None => others.push((written(key), value)),
        }
    }
    (reserved, others)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_delivery_is_ours_first_and_the_body_untouched((text, _) in frame()) {
        let Ok(frame) = decode(&Bytes::from(text.clone())) else {
            return Ok(());
        };
        let ClientRequest::Send(send) = frame.request else {
            panic!("is a message");
        };
        let envelope = envelope(send);
        let out = encode::delivery(&envelope, NOW_MS);
        serde_json::from_slice::<serde::de::IgnoredAny>(&out).unwrap();

        let (ours, mut body) = members(&out);
        let id = envelope.message.message_id.as_ref().unwrap().as_str();
        let written = [
            ("from", envelope.from.as_str()),
            ("to", "b"),
            ("id", id),
            ("messageId", id),
            ("connectionId", envelope.connection.as_str()),
        ];
        prop_assert_eq!(ours, written.map(|(k, v)| (k.to_owned(), format!("\"{v}\""))));
        let (_, sent) = members(text.as_bytes());
        if envelope.stamped_ms.is_some() {
            let stamp = ("timestamp".to_owned(), r#""2025-11-21T03:16:40.000Z""#.to_owned());
            prop_assert_eq!(body.pop(), Some(stamp));
        }
        prop_assert_eq!(&body, &sent);

        // Another node's envelope carries the same.
        let arrived = protocol::Envelope::from_bytes(&envelope.to_bytes()).unwrap();
        prop_assert_eq!(encode::delivery(&arrived, NOW_MS), out);
    }

    #[test]
    fn a_frame_cut_short_or_without_type_is_refused((text, data) in frame(), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(text.len());
        let cut = (0..=cut).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        prop_assert!(decode(&Bytes::copy_from_slice(&text.as_bytes()[..cut])).is_err());
        prop_assert!(decode(&Bytes::from(data)).is_err(), "no type");
    }
}
