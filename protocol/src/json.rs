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
                cursor.object(2, |cursor, key| {
                    let start = cursor.at;
                    cursor.value(3)?;
                    data.push(cursor.member(key, start));
                    Ok(())
                })?;
            } else {
                cursor.value(2)?;
            }
            frame.push(cursor.member(key, start));
            Ok(())
        })?;
        cursor.space();
        if cursor.at == text.len() {
            Ok(())
        } else {
            Err(Malformed)
        }
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
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::*;

    fn accepts(text: &[u8]) -> bool {
        Walk::default().run(text).is_ok()
    }

    /// Depth by counting brackets outside strings; only for texts that are JSON.
    fn depth(text: &[u8]) -> usize {
        let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
        for byte in text {
            match (in_string, byte) {
                (true, _) if escaped => escaped = false,
                (true, b'\\') => escaped = true,
                (_, b'"') => in_string = !in_string,
                (false, b'{' | b'[') => depth += 1,
                (false, b'}' | b']') => depth -= 1,
                (true | false, _) => {}
            }
            deepest = deepest.max(depth);
        }
        deepest
    }

    fn reference_accepts(text: &str) -> bool {
        serde_json::from_str::<IgnoredAny>(text).is_ok()
            && text
                .trim_start_matches([' ', '\t', '\n', '\r'])
                .starts_with('{')
            && depth(text.as_bytes()) <= NESTING_MAX
    }

    #[test]
    fn spans_are_as_written() {
        let text =
            br#" { "type" : "message" , "d\u0061ta":{"to":"b","n":[1,{"x":2}]},"data":{"no":1}} "#;
        let mut walk = Walk::default();
        walk.run(text).unwrap();
        let pairs = |members: &Members| -> Vec<(String, String)> {
            let show = |span: Span| String::from_utf8(span.of(text).to_vec()).unwrap();
            members
                .iter()
                .map(|m| (show(m.key), show(m.value)))
                .collect()
        };
        assert_eq!(
            pairs(&walk.frame)[0],
            ("type".into(), r#""message""#.into())
        );
        assert_eq!(pairs(&walk.frame)[1].0, r"d\u0061ta");
        assert_eq!(walk.frame.len(), 3);
        let data = [("to", r#""b""#), ("n", r#"[1,{"x":2}]"#)];
        assert_eq!(
            pairs(&walk.data),
            data.map(|(k, v)| (k.to_owned(), v.to_owned()))
        );
    }

    #[test]
    fn a_failed_walk_keeps_what_stood_before() {
        let mut walk = Walk::default();
        assert!(walk.run(br#"{"id":"7","data":{"a":1,"b":}}"#).is_err());
        assert_eq!((walk.frame.len(), walk.data.len()), (1, 1));
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        let nested = |levels: usize| {
            let inner = levels - 1;
            format!(r#"{{"x":{}{}}}"#, "[".repeat(inner), "]".repeat(inner))
        };
        assert!(accepts(nested(NESTING_MAX).as_bytes()));
        assert!(!accepts(nested(NESTING_MAX + 1).as_bytes()));
        assert!(!accepts(nested(20_000).as_bytes()));
        let in_data = |inner: usize| {
            format!(
                r#"{{"data":{{"x":{}{}}}}}"#,
                r#"{"y":"#.repeat(inner) + "1",
                "}".repeat(inner)
            )
        };
        assert!(accepts(in_data(NESTING_MAX - 2).as_bytes()));
        assert!(!accepts(in_data(NESTING_MAX - 1).as_bytes()));
    }

    #[test]
    fn every_control_byte_is_refused_at_every_place_of_a_word() {
        for at in 0..20 {
            for byte in 0..=0x7Fu8 {
                let mut text = format!(r#"{{"k":"{}"}}"#, "a".repeat(20)).into_bytes();
                text[6 + at] = byte;
                let text = String::from_utf8(text).unwrap();
                assert_eq!(
                    accepts(text.as_bytes()),
                    reference_accepts(&text),
                    "{text:?}"
                );
            }
        }
    }

    #[test]
    fn unescape_knows_every_escape() {
        let text = |raw: &str| unescape(raw.as_bytes()).map(Cow::into_owned);
        assert_eq!(text(r"fr\u006fm").as_deref(), Some("from"));
        assert_eq!(
            text(r#"\"\\\/\b\f\n\r\t"#).as_deref(),
            Some("\"\\/\u{8}\u{c}\n\r\t")
        );
        assert_eq!(text(r"\ud83d\ude00ä").as_deref(), Some("😀ä"));
        assert_eq!(text(r"\u0000").as_deref(), Some("\0"));
        for lone in [
            r"\ud800",
            r"\udc00",
            r"\ud800\ud800",
            r"\ud800x",
            r"\ud83d\n",
            r"a\udfff",
        ] {
            assert_eq!(text(lone), None, "{lone}");
        }
    }

    /// Texts near JSON: values of every kind, then a few bytes changed.
    fn near_json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            Just("-0.5e+10".to_owned()),
            Just("1E400".to_owned()),
            Just(r#""\ud800\u0000\n""#.to_owned()),
            "-?[0-9]{1,3}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?",
            r#""[a-z\\"ä/u0-9]{0,12}""#,
        ];
        let value = leaf.prop_recursive(70, 80, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(|v| format!("[{}]", v.join(", "))),
                prop::collection::vec(inner.clone(), 0..4).prop_map(|v| {
                    let members: Vec<_> = v.iter().map(|v| format!(r#""data" :{v}"#)).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        });
        let frame = (value, 0..70usize).prop_map(|(value, deep)| {
            format!(
                r#" {{"data":{}{value}{}}} "#,
                "[".repeat(deep),
                "]".repeat(deep)
            )
        });
        let changes = prop::collection::vec((any::<prop::sample::Index>(), 0..24usize), 0..4);
        (frame, changes).prop_map(|(text, changes)| {
            let mut chars: Vec<char> = text.chars().collect();
            for (index, what) in changes {
                let at = index.index(chars.len());
                match r#"{}[]",:\ue0.-+1tn"#.chars().nth(what) {
                    Some(c) => chars[at] = c,
                    None if what % 2 == 0 => chars.insert(at, '\u{1}'),
                    None => drop(chars.remove(at)),
                }
            }
            chars.into_iter().collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn accepts_what_serde_json_accepts(text in near_json()) {
            prop_assert_eq!(accepts(text.as_bytes()), reference_accepts(&text));
        }

        #[test]
        fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            accepts(&bytes);
            unescape(&bytes);
        }

        #[test]
        fn unescape_agrees_with_serde_json(inner in r#"([a-zä]|\\u[dD][89c][0-9a-f]{2}|\\n|\\u00[0-9]{2}){0,6}"#) {
            let reference = serde_json::from_str::<String>(&format!("\"{inner}\"")).ok();
            prop_assert_eq!(unescape(inner.as_bytes()).map(Cow::into_owned), reference);
        }
    }
}
