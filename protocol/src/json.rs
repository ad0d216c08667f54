//! A one-pass walk over a frame's text: is it one JSON object, and where do its members lie?
//!
//! Own code rather than serde_json, for three things at once: byte spans of members (a body is
//! passed on untouched, never re-encoded), a bound on nesting, and one pass for both the frame and
//! its `data`. The grammar is RFC 8259's exactly. Not a parser: no value is built, and strings are
//! unescaped only when asked ([`unescape`]). The text is known to be UTF-8 when it comes here; the
//! WebSocket layer saw to that.
//!
//! ```text
//! {"type":"message", "data": {"to":"bot", "text":"hi"}}
//!  ^key^  ^-value-^          ^key^ ^val^                     members of the frame, members of data
//! ```

use std::borrow::Cow;

use smallvec::SmallVec;

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
}

/// The members of one object, in their order.
pub type Members = SmallVec<[Member; 12]>;

/// What a walk found. After a failed walk: what stood before the fault.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walk {
    /// The members of the frame.
    pub frame: Members,
    /// The members of the first `data` of the frame, if that is an object.
    pub data: Members,
}

/// The text is not one JSON object of at most [`NESTING_MAX`] levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("text is not one JSON object of at most {NESTING_MAX} levels")]
pub struct Malformed;

impl Walk {
    /// Walks the text once, to its end.
    ///
    /// Errors: [`Malformed`]; the members before the fault are in `self` all the same.
    pub fn run(&mut self, text: &[u8]) -> Result<(), Malformed> {
        if u32::try_from(text.len()).is_err() {
            return Err(Malformed);
        }
        let mut cursor = Cursor { text, at: 0 };
        let Walk { frame, data } = self;
        let mut data_seen = false;
        cursor.space();
        cursor.object(1, |cursor, key| {
            let start = cursor.at;
            let is_data = !data_seen && unescape(key.of(text)).as_deref() == Some("data");
            data_seen |= is_data;
            if is_data && cursor.peek() == Some(b'{') {
                cursor.data(data)?;
            } else {
                cursor.value(2)?;
            }
            frame.push(cursor.member(key, start));
            Ok(())
        })?;
        cursor.end()
    }

    /// Walks a text that is the `data` of a frame, without the frame around it, and says where the
    /// object lies.
    ///
    /// Errors: as of [`run`](Self::run).
    pub fn run_data(&mut self, text: &[u8]) -> Result<Span, Malformed> {
        if u32::try_from(text.len()).is_err() {
            return Err(Malformed);
        }
        let mut cursor = Cursor { text, at: 0 };
        cursor.space();
        let start = cursor.at;
        cursor.data(&mut self.data)?;
        let object = cursor.span(start, cursor.at);
        cursor.end()?;
        Ok(object)
    }
}

/// The text of a string's bytes as written between its quotes; `None` if a surrogate stands alone.
///
/// The bytes must have passed a walk. Borrows unless there is a backslash.
pub fn unescape(raw: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(raw).ok()?;
    if !raw.contains(&b'\\') {
        return Some(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        out.push_str(plain);
        let kind = escaped.chars().next()?;
        rest = &escaped[kind.len_utf8()..];
        out.push(match kind {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => unescape_hex(&mut rest)?,
            other => other,
        });
    }
    out.push_str(rest);
    Some(Cow::Owned(out))
}

/// The character of `XXXX` or `XXXX\uXXXX` at the start of `rest`, which moves behind it.
fn unescape_hex(rest: &mut &str) -> Option<char> {
    let unit = |text: &str| u32::from_str_radix(text.get(..4)?, 16).ok();
    let first = unit(rest)?;
    *rest = &rest[4..];
    if !(0xD800..0xDC00).contains(&first) {
        return char::from_u32(first);
    }
    let second = unit(rest.strip_prefix("\\u")?)?;
    *rest = &rest[6..];
    let low = second.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
    char::from_u32(0x10000 + ((first - 0xD800) << 10) + low)
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        // `run` refused texts whose offsets do not fit.
        Span {
            start: start as u32,
            end: end as u32,
        }
    }

    fn member(&self, key: Span, start: usize) -> Member {
        Member {
            key,
            value: self.span(start, self.at),
        }
    }

    /// Walks the object `data`, which is level 2 of its frame, and gathers its members.
    fn data(&mut self, members: &mut Members) -> Result<(), Malformed> {
        self.object(2, |cursor, key| {
            let start = cursor.at;
            cursor.value(3)?;
            members.push(cursor.member(key, start));
            Ok(())
        })
    }

    /// Nothing but space may follow.
    fn end(&mut self) -> Result<(), Malformed> {
        self.space();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), Malformed> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'{') => self.object(depth, |cursor, _| cursor.value(depth + 1)),
            Some(b'[') => self.array(depth),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) | None => Err(Malformed),
        }
    }

    /// Walks an object of the given depth; `each` gets every key and walks its value.
    fn object(
        &mut self,
        depth: usize,
        mut each: impl FnMut(&mut Self, Span) -> Result<(), Malformed>,
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
            let key = self.string()?;
            self.space();
            self.expect(b':')?;
            self.space();
            each(self, key)?;
            self.space();
            if !self.take(b',') {
                return self.expect(b'}');
            }
        }
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

    /// Walks a string; the span lies between the quotes.
    fn string(&mut self) -> Result<Span, Malformed> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            self.at += plain_prefix(&self.text[self.at..]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(self.span(start, self.at - 1));
                }
                Some(b'\\') => self.escape()?,
                Some(_) | None => return Err(Malformed),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Malformed> {
        self.expect(b'\\')?;
        let kind = self.peek().ok_or(Malformed)?;
        self.at += 1;
        match kind {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => {
                let hex = self.text.get(self.at..self.at + 4).ok_or(Malformed)?;
                self.at += 4;
                if hex.iter().all(u8::is_ascii_hexdigit) {
                    Ok(())
                } else {
                    Err(Malformed)
                }
            }
            _ => Err(Malformed),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Malformed> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(Malformed)
        }
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
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}

/// How many bytes stand before the first quote, backslash or control byte.
///
/// Looks at eight bytes at once, since most of a frame's bytes are text. Source: "Determine if a
/// word has a zero byte", Bit Twiddling Hacks; a false alarm only ends the fast part early.
fn plain_prefix(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word & HIGHS;
    let is = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);

    let (words, _) = text.as_chunks::<8>();
    let fast = words
        .iter()
        .map(|word| u64::from_ne_bytes(*word))
        .take_while(|word| below(*word, 0x20) | is(*word, b'"') | is(*word, b'\\') == 0)
        .count()
        * 8;
    let slow = text[fast..]
        .iter()
        .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20))
        .count();
    fast + slow
}

#[cfg(test)]
mod tests;
