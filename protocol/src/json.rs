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
        let mut cursor = Cursor::new(text);
        let Walk { frame, data } = self;
        let mut data_seen = false;
        cursor.space();
        cursor.object(1, |cursor, mut member| {
            let is_data = !data_seen && *member.key(text) == *b"data";
            data_seen |= is_data;
            if is_data && cursor.rest.starts_with(b"{") {
                cursor.data(data)?;
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
    pub fn run_data(&mut self, text: &[u8]) -> Result<Span, Malformed> {
        if u32::try_from(text.len()).is_err() {
            return Err(Malformed);
        }
        let mut cursor = Cursor::new(text);
        cursor.space();
        let start = cursor.at();
        cursor.data(&mut self.data)?;
        let end = cursor.at();
        cursor.end()?;
        Ok(Span { start, end })
    }
}

/// Walks members without the braces around them, as a body is carried; `each` gets every one, and
/// none if there are none.
///
/// The text must be a part of one that was walked before, or lie as deep as that did. Errors:
/// [`Malformed`], after the members before the fault.
pub fn walk_members(text: &[u8], mut each: impl FnMut(Member)) -> Result<(), Malformed> {
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

#[cold]
fn unescaped_key(raw: &[u8]) -> Vec<u8> {
    unescape(raw).unwrap_or_default().into_owned().into_bytes()
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

/// What is left of a text of `length` bytes.
struct Cursor<'a> {
    length: usize,
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self {
            length: text.len(),
            rest: text,
        }
    }

    /// Offset of the next byte; `run` refused texts whose offsets do not fit.
    fn at(&self) -> u32 {
        (self.length - self.rest.len()) as u32
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
    fn space(&mut self) {
        while let [first @ ..=b' ', rest @ ..] = self.rest
            && matches!(first, b' ' | b'\t' | b'\n' | b'\r')
        {
            self.rest = rest;
        }
    }

    /// Walks the object `data`, which is level 2 of its frame, and gathers its members.
    fn data(&mut self, members: &mut Members) -> Result<(), Malformed> {
        self.object(2, |cursor, mut member| {
            cursor.value(3)?;
            member.value.end = cursor.at();
            members.push(member);
            Ok(())
        })
    }

    /// Nothing but space may follow.
    fn end(&mut self) -> Result<(), Malformed> {
        self.space();
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), Malformed> {
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
    fn object(
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
    fn key(&mut self) -> Result<Member, Malformed> {
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

/// The text from the first quote, backslash or control byte on.
///
/// The first word first, since keys and ids are short; then whole blocks, since most of a frame's
/// bytes are text.
fn behind_plain(mut text: &[u8]) -> &[u8] {
    while let Some((word, rest)) = text.split_first_chunk() {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            return &text[marks.trailing_zeros() as usize / 8..];
        }
        text = rest;
        while let Some((block, rest)) = text.split_first_chunk()
            && is_plain(block)
        {
            text = rest;
        }
    }
    while let [first, rest @ ..] = text
        && !matches!(first, b'"' | b'\\' | 0..0x20)
    {
        text = rest;
    }
    text
}

/// Whether a block is plain to its end. In this form it is compiled to vectors: a quarter of the
/// instructions.
fn is_plain(block: &[u8; 32]) -> bool {
    let ends = block.iter().fold(0, |ends, byte| {
        ends | u8::from(*byte < 0x20) | u8::from(*byte == b'"') | u8::from(*byte == b'\\')
    });
    ends == 0
}

/// The high bit of each byte that ends plain text, exact up to the lowest one: behind that there
/// may be false ones. Source: "Determine if a word has a zero byte", Bit Twiddling Hacks.
const fn marks(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    const fn below(word: u64, bound: u64) -> u64 {
        word.wrapping_sub(ONES * bound) & !word & HIGHS
    }
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    below(word, 0x20) | below(quote, 1) | below(backslash, 1)
}

#[cfg(test)]
mod tests;
