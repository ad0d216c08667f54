//! Timestamps of frames.

use bytes::Bytes;
use time::UtcDateTime;

/// The last millisecond of the year 9999, where RFC 3339 ends.
const STAMP_MS_MAX: u64 = 253_402_300_799_999;

/// What a frame ends with, before the time and the brace.
const TIMESTAMP: &[u8] = b",\"timestamp\":";

/// The end of a delivery, all digits: `,"timestamp":"<RFC 3339>"},"timestamp":<Unix ms>}`.
pub(super) struct Tail {
    bytes: [u8; Tail::BYTES_MAX],
    length: usize,
}

impl Tail {
    /// The longest: two names, a stamp of 24 bytes, and a number of 20.
    const BYTES_MAX: usize = r#","timestamp":""},"timestamp":}"#.len() + 24 + 20;

    /// `stamped_ms`: what the message itself is stamped with, if the gateway does that.
    pub(super) fn new(stamped_ms: Option<u64>, now_ms: u64) -> Self {
        let mut tail = Self {
            bytes: [0; Self::BYTES_MAX],
            length: 0,
        };
        if let Some(ms) = stamped_ms {
            tail.push(br#","timestamp":""#);
            tail.push(&rfc_3339(ms));
            tail.push(b"\"");
        }
        tail.push(br#"},"timestamp":"#);
        tail.push(itoa::Buffer::new().format(now_ms).as_bytes());
        tail.push(b"}");
        tail
    }

    fn push(&mut self, piece: &[u8]) {
        self.bytes[self.length..][..piece.len()].copy_from_slice(piece);
        self.length += piece.len();
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The moment as `2025-11-21T02:36:40.000Z`, UTC; moments past the year 9999 are its last.
///
/// Digits by hand: time's formatter takes ten times as many instructions. Source: RFC 3339 §5.6.
fn rfc_3339(unix_ms: u64) -> [u8; 24] {
    let unix_ms = unix_ms.min(STAMP_MS_MAX);
    let moment = UtcDateTime::from_unix_timestamp((unix_ms / 1000) as i64);
    let moment = moment.expect("within the year 9999");
    let (year, month, day) = moment.to_calendar_date();
    let (hour, minute, second) = moment.as_hms();
    let millis = (unix_ms % 1000) as u16;
    let mut out = *b"0000-00-00T00:00:00.000Z";
    let mut two = |at: usize, number: u8| {
        out[at] = b'0' + number / 10;
        out[at + 1] = b'0' + number % 10;
    };
    two(0, (year / 100) as u8);
    two(2, (year % 100) as u8);
    two(5, u8::from(month));
    two(8, day);
    two(11, hour);
    two(14, minute);
    two(17, second);
    two(20, (millis / 10) as u8);
    out[22] = b'0' + (millis % 10) as u8;
    out
}

/// The frame with another `timestamp`. `None`: it ends with none.
pub fn restamped(frame: &[u8], now_ms: u64) -> Option<Bytes> {
    let head = frame.strip_suffix(b"}")?;
    let digits = head.iter().rev().take_while(|byte| byte.is_ascii_digit());
    let head = &head[..head.len() - digits.count()];
    head.ends_with(TIMESTAMP).then(|| {
        let digits = now_ms.to_string();
        [head, digits.as_bytes(), b"}"].concat().into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_have_milliseconds_and_an_end() {
        let stamp = |ms| String::from_utf8(rfc_3339(ms).to_vec()).unwrap();
        assert_eq!(stamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(stamp(1_763_695_000_042), "2025-11-21T03:16:40.042Z");
        assert_eq!(stamp(STAMP_MS_MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(stamp(u64::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn only_a_frame_with_a_timestamp_is_restamped() {
        let frame = br#"{"type":"pong","data":{"timestamp":1},"timestamp":1763695000000}"#;
        let later = br#"{"type":"pong","data":{"timestamp":1},"timestamp":1763702200001}"#;
        assert_eq!(restamped(frame, 1_763_702_200_001).unwrap(), &later[..]);
        for frame in [&b"{}"[..], b"", br#"{"timestamp":"5"}"#, b"x}"] {
            assert_eq!(restamped(frame, 5), None);
        }
    }
}
