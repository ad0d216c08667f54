//! Lines with a checksum that covers all lines before: `<16 hex digits> <text>`.
//!
//! A changed, missing, doubled or moved line is found. What is not found: lines that are missing at the end. A file that
//! is restored from an older copy looks like that.

use sha2::{Digest, Sha256};

/// Bytes of a checksum.
const SUM_BYTES: usize = 8;
/// Characters before the text of a line.
const PREFIX_CHARS: usize = 2 * SUM_BYTES + 1;

/// The checksum of the lines so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LineChain([u8; SUM_BYTES]);

impl LineChain {
    /// The next line, with its line break. `text` has no line break.
    pub(super) fn line(&mut self, text: &str) -> String {
        self.add(text);
        format!("{} {text}\n", self.hex())
    }

    /// The text of the next line, which is given without its line break. `None`: it is damaged.
    pub(super) fn text<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        let (sum, text) = (line.get(..PREFIX_CHARS)?, line.get(PREFIX_CHARS..)?);
        self.add(text);
        (sum == format!("{} ", self.hex())).then_some(text)
    }

    fn add(&mut self, text: &str) {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(text.as_bytes());
        self.0.copy_from_slice(&hash.finalize()[..SUM_BYTES]);
    }

    fn hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Option<Vec<String>> {
        let mut chain = LineChain::default();
        let texts = lines.iter().map(|line| chain.text(line).map(str::to_owned));
        texts.collect()
    }

    #[test]
    fn lines_that_are_changed_or_moved_are_found() {
        let mut chain = LineChain::default();
        let lines: Vec<String> = ["a", "b", "b"].iter().map(|it| chain.line(it)).collect();
        let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
        let [a, b, c] = lines[..] else { panic!() };
        assert_eq!(read(&[a, b, c]).unwrap(), ["a", "b", "b"]);
        for damaged in [&[b, a, c][..], &[a, c], &[a, b, b, c], &["", a], &["é"]] {
            assert_eq!(read(damaged), None, "{damaged:?}");
        }
        assert_eq!(read(&[&a.replace(" a", " A")]), None);
    }
}
