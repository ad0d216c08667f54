//! Single values as they stand in the text, and the refusal that a wrong one earns.

use std::borrow::Cow;

use crate::error::ErrorCode;
use crate::ids::{FrameId, InvalidId};
use crate::json::{Member, Span, unescape};
use crate::rule::{Fault, Rule};

/// Why a frame is refused; [`RejectedRequest`](crate::request::RejectedRequest) adds whose frame it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameFault {
    pub(crate) code: ErrorCode,
    pub(crate) fault: Option<Fault>,
}

/// The text is no frame, and no member alone is to blame.
pub(crate) const BAD_FRAME: FrameFault = FrameFault {
    code: ErrorCode::BadFrame,
    fault: None,
};

/// A member that breaks its rule.
pub(crate) const fn wrong(code: ErrorCode, rule: Rule) -> FrameFault {
    let fault = Some(Fault::of(rule));
    FrameFault { code, fault }
}

/// A member that is of another type or out of its range.
pub(crate) const fn bad(rule: Rule) -> FrameFault {
    wrong(ErrorCode::BadFrame, rule)
}

/// A member that is needed and absent.
pub(crate) const fn missing(rule: Rule) -> FrameFault {
    wrong(ErrorCode::MissingField, rule)
}

/// A member of ours that is given again.
#[cold]
pub(crate) fn twice(name: &[u8]) -> FrameFault {
    let mut rules = Rule::ALL.iter();
    let rule = rules.find(|rule| rule.field().as_bytes() == name);
    FrameFault {
        code: ErrorCode::BadFrame,
        fault: rule.copied().map(Fault::twice),
    }
}

/// The place in `names` of a member's key.
pub(crate) fn position(text: &[u8], member: &Member, names: &[&str]) -> Option<usize> {
    let key = member.key(text);
    names.iter().position(|name| name.as_bytes() == &*key)
}

/// The values of the named members, in the order of `names`. Errors: `bad_frame` if one is twice.
pub(crate) fn pick<const N: usize>(
    text: &[u8],
    members: &[Member],
    names: [&str; N],
) -> Result<[Option<Span>; N], FrameFault> {
    let mut found = [None; N];
    for member in members {
        let Some(at) = position(text, member, &names) else {
            continue;
        };
        if found[at].replace(member.value).is_some() {
            return Err(twice(names[at].as_bytes()));
        }
    }
    Ok(found)
}

/// The value of a member of `data`; `null` is as if it were absent.
pub(crate) fn given(text: &[u8], value: Option<Span>) -> Option<&[u8]> {
    let raw = value?.of(text);
    (raw != b"null").then_some(raw)
}

/// The inside of a string as written, between its quotes.
pub(crate) fn inside(raw: &[u8]) -> Option<&[u8]> {
    raw.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// The text of a string; `None` for other values and for lone surrogates.
pub(crate) fn string(raw: &[u8]) -> Option<Cow<'_, str>> {
    unescape(inside(raw)?)
}

/// An id; absent if it is no string or has not the id's shape.
pub(crate) fn id<T>(raw: &[u8], parse: fn(&str) -> Result<T, InvalidId>) -> Option<T> {
    string(raw).and_then(|text| parse(&text).ok())
}

/// As [`id`], of an id that has no backslash in it: so most are read as they are written. Errors:
/// `invalid_id` by `rule`.
pub(crate) fn word<T>(
    raw: &[u8],
    parse: fn(&str) -> Result<T, InvalidId>,
    rule: Rule,
) -> Result<T, FrameFault> {
    let written = inside(raw).and_then(|raw| std::str::from_utf8(raw).ok());
    match written.map(parse) {
        Some(Ok(word)) => Ok(word),
        Some(Err(_)) | None => id(raw, parse).ok_or(wrong(ErrorCode::InvalidId, rule)),
    }
}

/// A frame's `id`: a string or an integer.
pub(crate) fn frame_id(raw: &[u8]) -> Option<FrameId> {
    match inside(raw) {
        Some(_) => id(raw, FrameId::parse),
        None => FrameId::parse_number(std::str::from_utf8(raw).ok()?).ok(),
    }
}
