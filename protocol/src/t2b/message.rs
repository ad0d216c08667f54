//! `message`, `message_partial` and `typing`: the members that the gateway must know, checked; the
//! rest left where it lies.
//!
//! A reserved member is one that only the gateway writes into a delivery: it is cut out of the
//! body, so that no sender can forge it. All others stay, in their order, as they were written.

use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use super::data::FrameData;
use super::value::{FrameFault, bad, inside, missing, twice, word, wrong};
use crate::error::ErrorCode;
use crate::ids::{InvalidId, MessageId, Name, StreamId};
use crate::integer::natural;
use crate::limits::PARTIAL_BYTES_MAX;
use crate::message::{Body, Message, Send, SendKind};
use crate::rule::Rule;

/// Reads a frame of the message family.
pub(crate) fn read(kind: SendKind, data: &FrameData<'_>) -> Result<Send, FrameFault> {
    data.object()?;
    let (known, body) = sort(kind, data)?;
    let to = needed(known.to, Rule::To)?;
    let to = word(to, Name::parse, Rule::To)?;
    let from = optional_word(known.from, Name::parse, Rule::From)?;
    let message_id = optional_word(known.message_id, MessageId::parse, Rule::MessageId)?;
    let stream_id = optional_word(known.stream_id, StreamId::parse, Rule::StreamId)?;
    let reply_to = optional_word(known.reply_to, MessageId::parse, Rule::ReplyTo)?;
    let part = match kind {
        SendKind::Message => known.check_message()?,
        SendKind::MessagePartial => known.check_partial().map(|()| None)?,
        SendKind::Typing => known.check_typing().map(|()| None)?,
    };
    let message = Message {
        kind,
        to,
        message_id,
        stream_id,
        reply_to,
        part,
        body,
    };
    Ok(Send {
        from,
        timestamp_given: known.timestamp.is_some(),
        durable: known.durable == Some(b"true"),
        // Boxed here: it is moved often, and large.
        message: Box::new(message),
    })
}

/// The members of `data` that are known of a kind, as written.
#[derive(Default)]
struct KnownMembers<'a> {
    from: Option<&'a [u8]>,
    to: Option<&'a [u8]>,
    id: Option<&'a [u8]>,
    message_id: Option<&'a [u8]>,
    connection_id: Option<&'a [u8]>,
    epoch: Option<&'a [u8]>,
    offset: Option<&'a [u8]>,
    timestamp: Option<&'a [u8]>,
    text: Option<&'a [u8]>,
    stream_id: Option<&'a [u8]>,
    reply_to: Option<&'a [u8]>,
    part: Option<&'a [u8]>,
    parts: Option<&'a [u8]>,
    ttl_ms: Option<&'a [u8]>,
    durable: Option<&'a [u8]>,
    seq: Option<&'a [u8]>,
    truncated: Option<&'a [u8]>,
    end: Option<&'a [u8]>,
    active: Option<&'a [u8]>,
}

impl<'a> KnownMembers<'a> {
    /// Where the value of a reserved member belongs: one that only the gateway writes.
    fn reserved(&mut self, key: &[u8]) -> Option<&mut Option<&'a [u8]>> {
        Some(match key {
            b"from" => &mut self.from,
            b"to" => &mut self.to,
            b"id" => &mut self.id,
            b"messageId" => &mut self.message_id,
            b"connectionId" => &mut self.connection_id,
            b"epoch" => &mut self.epoch,
            b"offset" => &mut self.offset,
            _ => return None,
        })
    }

    /// Where the value of any other member belongs; `None` for one that is foreign to the kind.
    fn checked(&mut self, kind: SendKind, key: &[u8]) -> Option<&mut Option<&'a [u8]>> {
        use SendKind::{Message, MessagePartial, Typing};
        Some(match (key, kind) {
            (b"timestamp", _) => &mut self.timestamp,
            (b"text", Message | MessagePartial) => &mut self.text,
            (b"streamId", Message | MessagePartial) => &mut self.stream_id,
            (b"replyTo", Message) => &mut self.reply_to,
            (b"part", Message) => &mut self.part,
            (b"parts", Message) => &mut self.parts,
            (b"ttlMs", Message) => &mut self.ttl_ms,
            (b"durable", Message) => &mut self.durable,
            (b"seq", MessagePartial) => &mut self.seq,
            (b"truncated", MessagePartial) => &mut self.truncated,
            (b"end", MessagePartial) => &mut self.end,
            (b"active", Typing) => &mut self.active,
            (_, Message | MessagePartial | Typing) => return None,
        })
    }

    /// Which part of how many it is.
    fn check_message(&self) -> Result<Option<(u64, u64)>, FrameFault> {
        if given(self.text).is_some_and(|raw| inside(raw).is_none()) {
            return Err(bad(Rule::Text));
        }
        optional_natural(self.ttl_ms, Rule::TtlMs)?;
        flag(self.durable, Rule::Durable)?;
        let part = optional_natural(self.part, Rule::Part)?;
        let parts = optional_natural(self.parts, Rule::Parts)?;
        match (part, parts) {
            (None, None) => Ok(None),
            (Some(part), Some(parts)) if (1..=parts).contains(&part) => Ok(Some((part, parts))),
            (Some(_) | None, Some(_) | None) => Err(bad(Rule::Part)),
        }
    }

    fn check_partial(&self) -> Result<(), FrameFault> {
        needed(self.stream_id, Rule::StreamId)?;
        let seq = needed(self.seq, Rule::Seq)?;
        optional_natural(Some(seq), Rule::Seq)?;
        let text = needed(self.text, Rule::TextOfPartial)?;
        let text = inside(text).ok_or(bad(Rule::TextOfPartial))?;
        if text.len() > PARTIAL_BYTES_MAX {
            return Err(wrong(ErrorCode::TooLarge, Rule::TextOfPartial));
        }
        flag(self.truncated, Rule::Truncated)?;
        flag(self.end, Rule::End)
    }

    fn check_typing(&self) -> Result<(), FrameFault> {
        let active = needed(self.active, Rule::Active)?;
        flag(Some(active), Rule::Active)
    }
}

/// Sorts the members into the known ones and the body: its runs of neighbours without the reserved.
fn sort<'a>(kind: SendKind, data: &FrameData<'a>) -> Result<(KnownMembers<'a>, Body), FrameFault> {
    let text: &'a [u8] = data.text;
    let origin = data.span.map_or(0, |span| span.start);
    let mut known = KnownMembers::default();
    let mut runs: SmallVec<[Range<u32>; 4]> = SmallVec::new();
    let mut joins = false;
    for member in data.members {
        let (key, value) = (member.key(text), member.value.of(text));
        if let Some(slot) = known.reserved(&key) {
            if slot.replace(value).is_some() {
                return Err(twice(&key));
            }
            joins = false;
            continue;
        }
        if let Some(slot) = known.checked(kind, &key)
            && slot.replace(value).is_some()
        {
            return Err(twice(&key));
        }
        // A key's span lies within its quotes.
        let (start, end) = (member.key.start - 1 - origin, member.value.end - origin);
        match runs.last_mut() {
            Some(run) if joins => run.end = end,
            Some(_) | None => runs.push(start..end),
        }
        joins = true;
    }
    let object = data.span.map_or_else(Bytes::new, |span| {
        data.text.slice(span.start as usize..span.end as usize)
    });
    Ok((known, Body::new(object, runs)))
}

/// `null` is as if the member were absent.
fn given(raw: Option<&[u8]>) -> Option<&[u8]> {
    raw.filter(|raw| *raw != b"null")
}

fn needed(raw: Option<&[u8]>, rule: Rule) -> Result<&[u8], FrameFault> {
    given(raw).ok_or(missing(rule))
}

fn optional_word<T>(
    raw: Option<&[u8]>,
    parse: fn(&str) -> Result<T, InvalidId>,
    rule: Rule,
) -> Result<Option<T>, FrameFault> {
    given(raw).map(|raw| word(raw, parse, rule)).transpose()
}

fn optional_natural(raw: Option<&[u8]>, rule: Rule) -> Result<Option<u64>, FrameFault> {
    given(raw)
        .map(|raw| natural(raw).ok_or(bad(rule)))
        .transpose()
}

fn flag(raw: Option<&[u8]>, rule: Rule) -> Result<(), FrameFault> {
    match given(raw) {
        None | Some(b"true" | b"false") => Ok(()),
        Some(_) => Err(bad(rule)),
    }
}
