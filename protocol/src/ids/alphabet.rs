//! The bytes that ids are made of, and their shapes.

use ulid::ULID_LEN;

/// Prefix of connection ids; nobody else's name may begin with it.
pub(crate) const CONNECTION_PREFIX: &str = "conn_";
/// Bytes of every connection id.
pub(super) const CONNECTION_BYTES: usize = CONNECTION_PREFIX.len() + ULID_LEN;
/// Bytes of the longest message or stream id.
pub(super) const TOKEN_BYTES_MAX: usize = 64;

/// Letters and digits.
const ALPHANUMERIC: u8 = 1;
/// `[A-Za-z0-9._-]`.
pub(super) const WORD: u8 = 2;
/// `[A-Za-z0-9._:-]`.
pub(super) const WORD_OR_COLON: u8 = 4;
/// `[0-9A-Z]`.
const UPPERCASE: u8 = 8;
/// The sets that a byte is in.
static SETS: [u8; 256] = {
    let mut sets = [0; 256];
    let mut byte = 0;
    while byte < sets.len() {
        sets[byte] = match byte as u8 {
            b'0'..=b'9' | b'A'..=b'Z' => ALPHANUMERIC | WORD | WORD_OR_COLON | UPPERCASE,
            b'a'..=b'z' => ALPHANUMERIC | WORD | WORD_OR_COLON,
            b'.' | b'_' | b'-' => WORD | WORD_OR_COLON,
            b':' => WORD_OR_COLON,
            _ => 0,
        };
        byte += 1;
    }
    sets
};

/// Whether all bytes are in a set. Without a branch a byte: ids are short.
fn all_in(text: &str, set: u8) -> bool {
    text.bytes()
        .fold(set, |sets, byte| sets & SETS[byte as usize])
        != 0
}

pub(super) fn is_name(text: &str, len_max: usize, set: u8) -> bool {
    let first = text.bytes().next();
    text.len() <= len_max
        && first.is_some_and(|first| SETS[first as usize] & ALPHANUMERIC != 0)
        && all_in(text, set)
}

pub(super) fn is_token(text: &str) -> bool {
    (1..=TOKEN_BYTES_MAX).contains(&text.len()) && all_in(text, WORD_OR_COLON)
}

pub(super) fn is_connection(text: &str) -> bool {
    let ulid = text.strip_prefix(CONNECTION_PREFIX);
    ulid.is_some_and(|ulid| ulid.len() == ULID_LEN && all_in(ulid, UPPERCASE))
}
