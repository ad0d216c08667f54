//! Deliveries that this client cannot read. The gateway passes bodies verbatim and judges no more of
//! them than it must: lone surrogates, numbers out of range and duplicate keys pass.

use std::collections::BTreeSet;
use std::fmt;

use protocol::message::SendKind;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A `message`, `message_partial` or `typing` whose body cannot be read without loss.
///
/// Of the members that the gateway writes it has what stands before the fault; the gateway writes
/// them first.
#[derive(Debug, Clone, PartialEq)]
pub struct UnreadableMessage {
    /// Which frame it is.
    pub kind: SendKind,
    /// The whole frame as it came.
    pub frame: String,
    /// What is wrong with it, and where.
    pub problem: String,
    /// The sender.
    pub from: Option<String>,
    /// The recipient, as the sender named it.
    pub to: Option<String>,
    /// The message; none for partials and typing.
    pub message_id: Option<String>,
    /// The sender's connection.
    pub connection_id: Option<String>,
}

#[derive(Deserialize)]
struct DeliveredHead<'a> {
    #[serde(rename = "type")]
    kind: SendKind,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// What is wrong with a delivery; none: it can be read, or it is another frame.
pub(crate) fn unreadable(text: &str) -> Option<UnreadableMessage> {
    let delivery: DeliveredHead<'_> = serde_json::from_str(text).ok()?;
    let data = delivery.data.get();
    let problem = serde_json::from_str::<LosslessValue>(data).err()?;
    let mut heads = FrameHeads::default();
    // The fault ends it; what stands before it is kept.
    let _ = MemberWalk(&mut heads).deserialize(&mut serde_json::Deserializer::from_str(data));
    Some(UnreadableMessage {
        kind: delivery.kind,
        frame: text.to_owned(),
        problem: problem.to_string(),
        from: heads.from,
        to: heads.to,
        message_id: heads.message_id,
        connection_id: heads.connection_id,
    })
}

#[derive(Default)]
struct FrameHeads {
    from: Option<String>,
    to: Option<String>,
    message_id: Option<String>,
    connection_id: Option<String>,
}

/// Takes the members of `data` in turn, until one cannot be read.
struct MemberWalk<'h>(&'h mut FrameHeads);

impl<'de> DeserializeSeed<'de> for MemberWalk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, data: D) -> Result<(), D::Error> {
        data.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MemberWalk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key::<String>()? {
            let head = match key.as_str() {
                "from" => &mut self.0.from,
                "to" => &mut self.0.to,
                "messageId" => &mut self.0.message_id,
                "connectionId" => &mut self.0.connection_id,
                _ => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *head = Some(members.next_value()?);
        }
        Ok(())
    }
}

/// Any JSON of which a program loses nothing: every string is text, every number is finite, no
/// object has a key twice.
struct LosslessValue;

impl<'de> Deserialize<'de> for LosslessValue {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(LosslessValue)
    }
}

impl<'de> Visitor<'de> for LosslessValue {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<LosslessValue>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = members.next_key::<String>()? {
            members.next_value::<LosslessValue>()?;
            if let Some(twice) = keys.replace(key) {
                let problem = format_args!("the key {twice:?} stands there twice");
                return Err(serde::de::Error::custom(problem));
            }
        }
        Ok(self)
    }
}
