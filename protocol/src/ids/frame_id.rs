//! A frame's `id`: text or an integer, as its program writes it.

use std::borrow::Cow;
use std::fmt;

use compact_str::CompactString;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::invalid::InvalidId;
use crate::integer::signed_of;
use crate::limits::FRAME_ID_BYTES_MAX;

/// A frame's `id`: carried back in the answer, text as text and an integer as an integer. It
/// restarts with each connection, so it is never a dedupe key.
///
/// As large as a text alone, and so is an `Option` of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId(Form);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    Text(CompactString),
    Number(i64),
}

/// A [`FrameId`] as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written<'a> {
    /// Between quotes, with escapes where JSON needs them.
    Text(&'a str),
    /// In digits.
    Number(i64),
}

const INVALID: InvalidId = InvalidId {
    kind: "frame id",
    shape: "1-64 bytes of text without U+0000, or an integer of 64 bits",
};

impl FrameId {
    /// Checks the text and copies it. Errors: [`InvalidId`] if it is empty, has more than 64 bytes
    /// or holds U+0000.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let is_valid = (1..=FRAME_ID_BYTES_MAX).contains(&text.len()) && !text.contains('\0');
        let text = is_valid.then(|| CompactString::from(text));
        text.map(|text| Self(Form::Text(text))).ok_or(INVALID)
    }

    /// Reads a JSON number. Errors: [`InvalidId`] if it has a fraction or more than 64 bits.
    pub(crate) fn parse_number(number: &str) -> Result<Self, InvalidId> {
        let number = signed_of(number).ok_or(INVALID)?;
        Ok(Self(Form::Number(number)))
    }

    /// The id as it is written.
    pub fn written(&self) -> Written<'_> {
        match &self.0 {
            Form::Text(text) => Written::Text(text),
            Form::Number(number) => Written::Number(*number),
        }
    }
}

impl fmt::Debug for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.written() {
            Written::Text(text) => fmt::Debug::fmt(text, f),
            Written::Number(number) => fmt::Debug::fmt(&number, f),
        }
    }
}

impl fmt::Display for FrameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.written() {
            Written::Text(text) => f.write_str(text),
            Written::Number(number) => fmt::Display::fmt(&number, f),
        }
    }
}

impl Serialize for FrameId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.written() {
            Written::Text(text) => serializer.serialize_str(text),
            Written::Number(number) => serializer.serialize_i64(number),
        }
    }
}

impl<'de> Deserialize<'de> for FrameId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = FrameId;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(INVALID.shape)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<FrameId, E> {
                FrameId::parse(text).map_err(E::custom)
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<FrameId, E> {
                Ok(FrameId(Form::Number(number)))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<FrameId, E> {
                let number = i64::try_from(number).map_err(E::custom)?;
                Ok(FrameId(Form::Number(number)))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl schemars::JsonSchema for FrameId {
    fn schema_name() -> Cow<'static, str> {
        "FrameId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": INVALID.shape,
            "anyOf": [
                { "type": "string", "pattern": "^[^\\u0000]{1,64}$" },
                { "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_take_1_to_64_bytes() {
        assert!(FrameId::parse("ä b\n").is_ok());
        assert!(FrameId::parse("a\u{0}").is_err() && FrameId::parse("").is_err());
        assert!(FrameId::parse(&"ä".repeat(32)).is_ok());
        assert!(FrameId::parse(&"ä".repeat(33)).is_err());
    }

    #[test]
    fn numbers_are_integers_of_64_bits() {
        for (text, number) in [
            ("0", 0),
            ("-0", 0),
            ("5.0", 5),
            ("-9223372036854775808", i64::MIN),
            ("9223372036854775807", i64::MAX),
        ] {
            let id = FrameId::parse_number(text).unwrap();
            assert_eq!(id.written(), Written::Number(number));
            let read: FrameId = serde_json::from_str(&number.to_string()).unwrap();
            assert_eq!(read, id);
            assert_eq!(serde_json::to_string(&id).unwrap(), number.to_string());
        }
        for text in ["9223372036854775808", "0.5", "", "-", "true", "\"1\""] {
            assert!(FrameId::parse_number(text).is_err(), "{text}");
        }
        assert_ne!(FrameId::parse("1"), FrameId::parse_number("1"));
    }

    #[test]
    fn an_integer_makes_it_no_larger() {
        let text = size_of::<CompactString>();
        assert_eq!(
            [size_of::<FrameId>(), size_of::<Option<FrameId>>()],
            [text; 2]
        );
    }
}
