//! The walk against serde_json, and its spans.

use std::borrow::Cow;

use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;
use crate::json::{Span, unescape};
use crate::limits::NESTING_MAX;

fn accepts(text: &[u8]) -> bool {
    Walk::default().run(text).is_ok()
}

/// Depth by counting brackets outside strings; only for texts that are JSON.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for byte in text {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']') => depth -= 1,
            (true | false, _) => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn reference_accepts(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
        && text
            .trim_start_matches([' ', '\t', '\n', '\r'])
            .starts_with('{')
        && depth(text.as_bytes()) <= NESTING_MAX
}

#[test]
fn spans_are_as_written() {
    let text =
        br#" { "type" : "message" , "d\u0061ta":{"to":"b","n":[1,{"x":2}]},"data":{"no":1}} "#;
    let mut walk = Walk::default();
    walk.run(text).unwrap();
    let pairs = |members: &Members| -> Vec<(String, String)> {
        let show = |span: Span| String::from_utf8(span.of(text).to_vec()).unwrap();
        members
            .iter()
            .map(|m| (show(m.key), show(m.value)))
            .collect()
    };
    assert_eq!(
        pairs(&walk.frame)[0],
        ("type".into(), r#""message""#.into())
    );
    assert_eq!(pairs(&walk.frame)[1].0, r"d\u0061ta");
    assert_eq!(walk.frame.len(), 3);
    let data = [("to", r#""b""#), ("n", r#"[1,{"x":2}]"#)];
    assert_eq!(
        pairs(&walk.data),
        data.map(|(k, v)| (k.to_owned(), v.to_owned()))
    );
}

#[test]
fn a_failed_walk_keeps_what_stood_before() {
    let mut walk = Walk::default();
    assert!(walk.run(br#"{"id":"7","data":{"a":1,"b":}}"#).is_err());
    assert_eq!((walk.frame.len(), walk.data.len()), (1, 1));
}

#[test]
fn nesting_ends_at_the_limit() {
    let nested = |levels: usize| {
        let inner = levels - 1;
        format!(r#"{{"x":{}{}}}"#, "[".repeat(inner), "]".repeat(inner))
    };
    assert!(accepts(nested(NESTING_MAX).as_bytes()));
    assert!(!accepts(nested(NESTING_MAX + 1).as_bytes()));
    assert!(!accepts(nested(20_000).as_bytes()));
    let in_data = |inner: usize| {
        format!(
            r#"{{"data":{{"x":{}{}}}}}"#,
            r#"{"y":"#.repeat(inner) + "1",
            "}".repeat(inner)
        )
    };
    assert!(accepts(in_data(NESTING_MAX - 2).as_bytes()));
    assert!(!accepts(in_data(NESTING_MAX - 1).as_bytes()));
}

#[test]
fn every_control_byte_is_refused_at_every_place_of_a_word() {
    for at in 0..20 {
        for byte in 0..=0x7Fu8 {
            let mut text = format!(r#"{{"k":"{}"}}"#, "a".repeat(20)).into_bytes();
            text[6 + at] = byte;
            let text = String::from_utf8(text).unwrap();
            assert_eq!(
                accepts(text.as_bytes()),
                reference_accepts(&text),
                "{text:?}"
            );
        }
    }
}

#[test]
fn unescape_knows_every_escape() {
    let text = |raw: &str| unescape(raw.as_bytes()).map(Cow::into_owned);
    assert_eq!(text(r"fr\u006fm").as_deref(), Some("from"));
    assert_eq!(
        text(r#"\"\\\/\b\f\n\r\t"#).as_deref(),
        Some("\"\\/\u{8}\u{c}\n\r\t")
    );
    assert_eq!(text(r"\ud83d\ude00ä").as_deref(), Some("😀ä"));
    assert_eq!(text(r"\u0000").as_deref(), Some("\0"));
    for lone in [
        r"\ud800",
        r"\udc00",
        r"\ud800\ud800",
        r"\ud800x",
        r"\ud83d\n",
        r"a\udfff",
    ] {
        assert_eq!(text(lone), None, "{lone}");
    }
}

/// Texts near JSON: values of every kind, then a few bytes changed.
fn near_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-0.5e+10".to_owned()),
        Just("1E400".to_owned()),
        Just(r#""\ud800\u0000\n""#.to_owned()),
        "-?[0-9]{1,3}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?",
        r#""[a-z\\"ä/u0-9]{0,12}""#,
    ];
    let value = leaf.prop_recursive(70, 80, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(", "))),
            prop::collection::vec(inner.clone(), 0..4).prop_map(|v| {
                let members: Vec<_> = v.iter().map(|v| format!(r#""data" :{v}"#)).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    let frame = (value, 0..70usize).prop_map(|(value, deep)| {
        format!(
            r#" {{"data":{}{value}{}}} "#,
            "[".repeat(deep),
            "]".repeat(deep)
        )
    });
    let changes = prop::collection::vec((any::<prop::sample::Index>(), 0..24usize), 0..4);
    (frame, changes).prop_map(|(text, changes)| {
        let mut chars: Vec<char> = text.chars().collect();
        for (index, what) in changes {
            let at = index.index(chars.len());
            match r#"{}[]",:\ue0.-+1tn"#.chars().nth(what) {
                Some(c) => chars[at] = c,
                None if what % 2 == 0 => chars.insert(at, '\u{1}'),
                None => drop(chars.remove(at)),
            }
        }
        chars.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn accepts_what_serde_json_accepts(text in near_json()) {
        prop_assert_eq!(accepts(text.as_bytes()), reference_accepts(&text));
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        accepts(&bytes);
        unescape(&bytes);
    }

    #[test]
    fn unescape_agrees_with_serde_json(inner in r#"([a-zä]|\\u[dD][89c][0-9a-f]{2}|\\n|\\u00[0-9]{2}){0,6}"#) {
        let reference = serde_json::from_str::<String>(&format!("\"{inner}\"")).ok();
        prop_assert_eq!(unescape(inner.as_bytes()).map(Cow::into_owned), reference);
    }
}
