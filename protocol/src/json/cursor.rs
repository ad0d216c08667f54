//! One pass over a text, which checks its grammar.

use super::member::{Malformed, Member, Span};
use super::plain::behind_plain;
use crate::limits::NESTING_MAX;

/// What is left of a text of `length` bytes.
pub(crate) struct Cursor<'a> {
    length: usize,
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self {
            length: text.len(),
            rest: text,
        }
    }

    /// Offset of the next byte; `run` refused texts whose offsets do not fit.
    pub(crate) fn at(&self) -> u32 {
        (self.length - self.rest.len()) as u32
    }

    /// Whether that is the next byte.
    pub(crate) fn is_at(&self, byte: u8) -> bool {
        self.rest.first() == Some(&byte)
    }

    fn take(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    /// Most frames have none, so that one comparison is the common case.
    pub(crate) fn space(&mut self) {
        while let [first @ ..=b' ', rest @ ..] = self.rest
            && matches!(first, b' ' | b'\t' | b'\n' | b'\r')
        {
            self.rest = rest;
        }
    }

    /// Nothing but space may follow.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        self.space();
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    pub(crate) fn value(&mut self, depth: usize) -> Result<(), Malformed> {
        match self.rest {
            [b'"', ..] => self.string().map(drop),
            [b'{', ..] => self.object(depth, |cursor, _| cursor.value(depth + 1)),
            [b'[', ..] => self.array(depth),
            [b't', ..] => self.literal(b"true"),
            [b'f', ..] => self.literal(b"false"),
            [b'n', ..] => self.literal(b"null"),
            [b'-' | b'0'..=b'9', ..] => self.number(),
            _ => Err(Malformed),
        }
    }

    /// Walks an object of the given depth; `each` gets every member, of whose value only the start
    /// is known, and walks the value.
    pub(crate) fn object(
        &mut self,
        depth: usize,
        mut each: impl FnMut(&mut Self, Member) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.expect(b'{')?;
        if depth > NESTING_MAX {
            return Err(Malformed);
        }
        self.space();
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            self.space();
            let member = self.key()?;
            each(self, member)?;
            self.space();
            if !self.take(b',') {
                return self.expect(b'}');
            }
        }
    }

    /// Walks a key and its colon: a member of whose value only the start is known.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<Member, Malformed> {
        let (key, escaped) = self.string()?;
        self.space();
        self.expect(b':')?;
        self.space();
        let start = self.at();
        Ok(Member {
            key,
            value: Span { start, end: start },
            escaped,
        })
    }

    fn array(&mut self, depth: usize) -> Result<(), Malformed> {
        self.expect(b'[')?;
        if depth > NESTING_MAX {
            return Err(Malformed);
        }
        self.space();
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.space();
            self.value(depth + 1)?;
            self.space();
            if !self.take(b',') {
                return self.expect(b']');
            }
        }
    }

    /// Walks a string; the span lies between the quotes. Says whether there is an escape in it.
    fn string(&mut self) -> Result<(Span, bool), Malformed> {
        self.expect(b'"')?;
        let start = self.at();
        let mut escaped = false;
        loop {
            self.rest = behind_plain(self.rest);
            match self.rest {
                [b'"', rest @ ..] => {
                    let end = self.at();
                    self.rest = rest;
                    return Ok((Span { start, end }, escaped));
                }
                [b'\\', ..] => self.escape()?,
                _ => return Err(Malformed),
            }
            escaped = true;
        }
    }

    fn escape(&mut self) -> Result<(), Malformed> {
        match self.rest {
            [
                b'\\',
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                rest @ ..,
            ] => {
                self.rest = rest;
                Ok(())
            }
            [b'\\', b'u', a, b, c, d, rest @ ..]
                if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) =>
            {
                self.rest = rest;
                Ok(())
            }
            _ => Err(Malformed),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Malformed> {
        self.rest = self.rest.strip_prefix(word).ok_or(Malformed)?;
        Ok(())
    }

    fn number(&mut self) -> Result<(), Malformed> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let before = self.rest.len();
        while let [b'0'..=b'9', rest @ ..] = self.rest {
            self.rest = rest;
        }
        if self.rest.len() < before {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}

/// Walks members without the braces around them, as a body is carried; `each` gets every one, and
/// none if there are none.
///
/// The text must be a part of one that was walked before, or lie as deep as that did. Errors:
/// [`Malformed`], after the members before the fault.
pub(crate) fn walk_members(text: &[u8], mut each: impl FnMut(Member)) -> Result<(), Malformed> {
    if u32::try_from(text.len()).is_err() {
        return Err(Malformed);
    }
    let mut cursor = Cursor::new(text);
    cursor.space();
    if cursor.rest.is_empty() {
        return Ok(());
    }
    loop {
        cursor.space();
        let mut member = cursor.key()?;
        cursor.value(3)?;
        member.value.end = cursor.at();
        each(member);
        cursor.space();
        if !cursor.take(b',') {
            return cursor.end();
        }
    }
}
