//! A one-pass walk over a frame's text: is it one JSON object, and where do its members lie?
//!
//! ```text
//! {"type":"message", "data": {"to":"bot", "text":"hi"}}
//!  ^key^  ^-value-^          ^key^ ^val^                     members of the frame, members of data
//! ```

use crate::json::{Cursor, Malformed, Members, Span};

/// What a walk found. After a failed walk: what stood before the fault.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walk {
    /// The members of the frame.
    pub frame: Members,
    /// The members of the first `data` of the frame, if that is an object.
    pub data: Members,
}

impl Walk {
    /// Walks the text once, to its end.
    ///
    /// Errors: [`Malformed`]; the members before the fault are in `self` all the same.
    pub fn run(&mut self, text: &[u8]) -> Result<(), Malformed> {
        if u32::try_from(text.len()).is_err() {
            return Err(Malformed);
        }
        let mut cursor = Cursor::new(text);
        let Walk { frame, data } = self;
        let mut data_seen = false;
        cursor.space();
        cursor.object(1, |cursor, mut member| {
            let is_data = !data_seen && *member.key(text) == *b"data";
            data_seen |= is_data;
            if is_data && cursor.is_at(b'{') {
                data_object(cursor, data)?;
            } else {
                cursor.value(2)?;
            }
            member.value.end = cursor.at();
            frame.push(member);
            Ok(())
        })?;
        cursor.end()
    }

    /// Walks a text that is the `data` of a frame, without the frame around it, and says where the
    /// object lies.
    ///
    /// Errors: as of [`run`](Self::run).
    pub(crate) fn run_data(&mut self, text: &[u8]) -> Result<Span, Malformed> {
        if u32::try_from(text.len()).is_err() {
            return Err(Malformed);
        }
        let mut cursor = Cursor::new(text);
        cursor.space();
        let start = cursor.at();
        data_object(&mut cursor, &mut self.data)?;
        let end = cursor.at();
        cursor.end()?;
        Ok(Span { start, end })
    }
}

/// Walks the object `data`, which is level 2 of its frame, and gathers its members.
fn data_object(cursor: &mut Cursor<'_>, members: &mut Members) -> Result<(), Malformed> {
    cursor.object(2, |cursor, mut member| {
        cursor.value(3)?;
        member.value.end = cursor.at();
        members.push(member);
        Ok(())
    })
}

#[cfg(test)]
mod tests;
