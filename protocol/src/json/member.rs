//! Where the members of an object lie in a text.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::text::unescape;
use crate::limits::NESTING_MAX;

/// A range of bytes of the text walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes meant, of the text that was walked.
    pub fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.end as usize]
    }
}

/// One member of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The key as written, between its quotes.
    pub key: Span,
    /// The value as written, quotes and brackets included.
    pub value: Span,
    /// Whether the key has an escape in it; few have.
    pub escaped: bool,
}

impl Member {
    /// The key's text, UTF-8; empty if a surrogate stands alone in it, which no name is.
    #[inline]
    pub fn key(self, text: &[u8]) -> Cow<'_, [u8]> {
        let raw = self.key.of(text);
        match self.escaped {
            false => Cow::Borrowed(raw),
            true => Cow::Owned(unescaped_key(raw)),
        }
    }
}

/// The members of one object, in their order.
pub type Members = SmallVec<[Member; 12]>;

/// The text is not one JSON object of at most [`NESTING_MAX`] levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("text is not one JSON object of at most {NESTING_MAX} levels")]
pub struct Malformed;

#[cold]
fn unescaped_key(raw: &[u8]) -> Vec<u8> {
    unescape(raw).unwrap_or_default().into_owned().into_bytes()
}
