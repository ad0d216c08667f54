//! How far a text is plain, found eight and 32 bytes at a time.

/// The text from the first quote, backslash or control byte on.
///
/// The first word first, since keys and ids are short; then whole blocks, since most of a frame's
/// bytes are text.
pub(super) fn behind_plain(mut text: &[u8]) -> &[u8] {
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
