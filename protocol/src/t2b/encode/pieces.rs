//! Texts that are put together from pieces, each in an allocation of exactly its size.

use std::borrow::Cow;

use crate::ids::{FrameId, Written};

/// The pieces that a block puts, as one text: it is run for their size first, then for themselves.
/// Twice, and not once with a list of them, since pieces that are constant then cost next to nothing.
macro_rules! joined {
    (|$out:ident| $put:block) => {{
        let mut size = Size(0);
        {
            let $out = &mut size;
            $put
        }
        let mut text = Vec::with_capacity(size.0);
        {
            let $out = &mut text;
            $put
        }
        debug_assert_eq!(text.len(), text.capacity(), "the size was added up first");
        Bytes::from(text)
    }};
}

pub(crate) use joined;

/// Takes the pieces of a text, in order.
pub(crate) trait Pieces {
    fn put(&mut self, piece: impl AsRef<[u8]>) -> &mut Self;
}

/// Adds up their bytes.
pub(crate) struct Size(pub(crate) usize);

impl Pieces for Size {
    fn put(&mut self, piece: impl AsRef<[u8]>) -> &mut Self {
        self.0 += piece.as_ref().len();
        self
    }
}

impl Pieces for Vec<u8> {
    fn put(&mut self, piece: impl AsRef<[u8]>) -> &mut Self {
        self.extend_from_slice(piece.as_ref());
        self
    }
}

/// An id as it stands in a frame, between two quotes if it is a text.
pub(super) struct Quoted<'a> {
    pub(super) quote: &'static str,
    pub(super) text: Cow<'a, str>,
}

impl<'a> Quoted<'a> {
    pub(super) fn new(id: &'a FrameId) -> Self {
        match id.written() {
            Written::Text(text) => Self {
                quote: "\"",
                text: escaped(text),
            },
            Written::Number(number) => Self {
                quote: "",
                text: Cow::Owned(number.to_string()),
            },
        }
    }
}

/// Puts the end of a frame, behind its `data`.
#[inline]
pub(super) fn put_end(out: &mut impl Pieces, id: Option<&Quoted<'_>>, now: &str) {
    if let Some(id) = id {
        out.put(r#","id":"#)
            .put(id.quote)
            .put(id.text.as_bytes())
            .put(id.quote);
    }
    out.put(r#","timestamp":"#).put(now).put("}");
}

/// A text as it stands between the quotes of a JSON string. Most need no escape and no allocation.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        return Cow::Borrowed(text);
    }
    let mut quoted = serde_json::to_string(text).expect("a text is JSON");
    quoted.pop();
    quoted.remove(0);
    Cow::Owned(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_escaped_as_serde_json_does() {
        for text in ["plain", "ä😀/\u{7f}", "\"", "\\", "\u{1f}\n\u{8}", "\"\\\""] {
            let quoted = format!("\"{}\"", escaped(text));
            assert_eq!(quoted, serde_json::to_string(text).unwrap());
        }
    }
}
