//! `data` of a frame, where it lies in the text.

use bytes::Bytes;

use super::value::{FrameFault, bad, given, id, pick};
use crate::ids::MessageId;
use crate::json::{Member, Span};
use crate::rule::Rule;

/// `data` of a frame, where it lies in the text.
pub(crate) struct FrameData<'a> {
    /// The whole frame.
    pub(crate) text: &'a Bytes,
    /// The object, if there is one.
    pub(crate) span: Option<Span>,
    /// Its members; their spans count from the start of the frame.
    pub(crate) members: &'a [Member],
}

impl<'a> FrameData<'a> {
    /// The object as written; absent: an empty one. Errors: `bad_frame` if it is another value.
    pub(crate) fn object(&self) -> Result<&'a [u8], FrameFault> {
        let Some(span) = self.span else {
            return Ok(b"{}");
        };
        let object = span.of(self.text);
        if object.starts_with(b"{") {
            Ok(object)
        } else {
            Err(bad(Rule::Data))
        }
    }

    /// The values of the named members, each at most once; `null` is as if absent.
    pub(crate) fn pick<const N: usize>(
        &self,
        names: [&str; N],
    ) -> Result<[Option<&'a [u8]>; N], FrameFault> {
        self.object()?;
        let text: &'a [u8] = self.text;
        Ok(pick(text, self.members, names)?.map(|span| given(text, span)))
    }
}

/// The id in the one member of that name; `None` if there is none, or two, or it is not valid.
pub(crate) fn only<T>(
    text: &[u8],
    members: &[Member],
    name: &str,
    read: fn(&[u8]) -> Option<T>,
) -> Option<T> {
    let [raw] = pick(text, members, [name]).ok()?;
    read(raw?.of(text))
}

/// A message id as written.
pub(crate) fn message_id(raw: &[u8]) -> Option<MessageId> {
    id(raw, MessageId::parse)
}
