//! Single values as they stand in the text, and the refusal that a wrong one earns.

use std::borrow::Cow;

use crate::error::ErrorCode;
use crate::ids::InvalidId;
use crate::json::{Member, Span, unescape};

/// Why a frame is refused; [`Rejected`](super::Rejected) adds whose frame it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: ErrorCode,
    pub(super) field: Option<&'static str>,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Refusal { code, field: None }
    }
}

pub(super) const BAD_FRAME: Refusal = Refusal {
    code: ErrorCode::BadFrame,
    field: None,
};

pub(super) fn missing(field: &'static str) -> Refusal {
    Refusal {
        code: ErrorCode::MissingField,
        field: Some(field),
    }
}

/// The place in `names` of a member's key.
pub(super) fn position(text: &[u8], member: &Member, names: &[&str]) -> Option<usize> {
    let key = member.key(text);
    names.iter().position(|name| name.as_bytes() == &*key)
}

/// The values of the named members, in the order of `names`. Errors: `bad_frame` if one is twice.
pub(super) fn pick<const N: usize>(
    text: &[u8],
    members: &[Member],
    names: [&str; N],
) -> Result<[Option<Span>; N], Refusal> {
    let mut found = [None; N];
    for member in members {
        let Some(at) = position(text, member, &names) else {
            continue;
        };
        if found[at].replace(member.value).is_some() {
            return Err(BAD_FRAME);
        }
    }
    Ok(found)
}

/// The value of a member of `data`; `null` is as if it were absent.
pub(super) fn given(text: &[u8], value: Option<Span>) -> Option<&[u8]> {
    let raw = value?.of(text);
    (raw != b"null").then_some(raw)
}

/// The inside of a string as written, between its quotes.
pub(super) fn inside(raw: &[u8]) -> Option<&[u8]> {
    raw.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// The text of a string; `None` for other values and for lone surrogates.
pub(super) fn string(raw: &[u8]) -> Option<Cow<'_, str>> {
    unescape(inside(raw)?)
}

/// An id. Errors: `invalid_id` if it is no string or has not the id's shape.
pub(super) fn id<T>(raw: &[u8], parse: fn(&str) -> Result<T, InvalidId>) -> Result<T, Refusal> {
    string(raw)
        .and_then(|text| parse(&text).ok())
        .ok_or_else(|| ErrorCode::InvalidId.into())
}

/// As [`id`], of an id that has no backslash in it: so most are read as they are written.
pub(super) fn word<T>(raw: &[u8], parse: fn(&str) -> Result<T, InvalidId>) -> Result<T, Refusal> {
    let written = inside(raw).and_then(|raw| std::str::from_utf8(raw).ok());
    match written.map(parse) {
        Some(Ok(word)) => Ok(word),
        Some(Err(_)) | None => id(raw, parse),
    }
}

/// An integer of 0 to 2^64 - 1, written with digits only; `None` for anything else.
pub(super) fn natural(raw: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(raw).ok()?;
    digits.parse().ok()
}
