//! Times that are told on one connection do not go back, although the system clock did.
//!
//! Frames end with the time, and one text is shared by all who receive it. So where a frame goes to a
//! connection that was told a later time already, a copy with that time goes instead. That is so
//! for connections from before a step back, until the clock is again where it was.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use router_core::{ConnKey, Millis};

use super::lock;

/// What a frame ends with, before the time and the brace.
const TIMESTAMP: &[u8] = b",\"timestamp\":";
/// Steps back that are remembered; the oldest goes first.
const STEPS_MAX: usize = 16;

/// The steps back that still count.
#[derive(Debug, Default)]
pub(super) struct Floors {
    /// The latest time that some connection was told; 0 = nothing counts.
    highest_ms: AtomicU64,
    steps: Mutex<Vec<Floor>>,
}

/// Connections of lower keys were told this time.
#[derive(Debug)]
struct Floor {
    keys_below: u64,
    told_ms: Millis,
}

impl Floors {
    /// The clock was set back. Connections of keys from `next_key` on know nothing of it.
    pub fn step_back(&self, next_key: u64, told_ms: Millis, unix_ms: Millis) {
        let mut steps = lock(&self.steps);
        steps.retain(|floor| floor.told_ms > unix_ms);
        if steps.len() >= STEPS_MAX {
            steps.remove(0);
        }
        steps.push(Floor {
            keys_below: next_key,
            told_ms,
        });
        let highest_ms = steps.iter().map(|floor| floor.told_ms).max();
        self.highest_ms.store(highest_ms.unwrap_or(0), Relaxed);
    }

    /// The frame as it goes to a connection: with a later time than `unix_ms`, if that was told.
    pub fn raise(&self, conn: ConnKey, unix_ms: Millis, frame: Bytes) -> Bytes {
        if unix_ms >= self.highest_ms.load(Relaxed) {
            return frame;
        }
        let steps = lock(&self.steps);
        let told = steps.iter().filter(|floor| conn.0 < floor.keys_below);
        let told_ms = told.map(|floor| floor.told_ms).max().unwrap_or(0);
        drop(steps);
        match told_ms > unix_ms {
            true => with_timestamp(&frame, told_ms).unwrap_or(frame),
            false => frame,
        }
    }
}

/// The frame with another time. `None`: it ends with none.
fn with_timestamp(frame: &[u8], unix_ms: Millis) -> Option<Bytes> {
    let head = frame.strip_suffix(b"}")?;
    let digits = head.iter().rev().take_while(|byte| byte.is_ascii_digit());
    let head = &head[..head.len() - digits.count()];
    head.ends_with(TIMESTAMP).then(|| {
        let digits = unix_ms.to_string();
        [head, digits.as_bytes(), b"}"].concat().into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &[u8] = br#"{"type":"pong","data":{"timestamp":1},"timestamp":1763695000000}"#;

    #[test]
    fn only_connections_from_before_the_step_are_told_the_later_time() {
        let floors = Floors::default();
        let frame = Bytes::from_static(OLD);
        let raised = |conn, unix_ms| floors.raise(ConnKey(conn), unix_ms, frame.clone());
        assert_eq!(raised(1, 5), frame, "there was no step");
        floors.step_back(7, 1_763_702_200_001, 1_763_695_000_000);
        let later = br#"{"type":"pong","data":{"timestamp":1},"timestamp":1763702200001}"#;
        assert_eq!(&raised(6, 1_763_695_000_000)[..], later);
        assert_eq!(raised(7, 1_763_695_000_000), frame);
        assert_eq!(
            raised(6, 1_763_702_200_001),
            frame,
            "the clock is there again"
        );
        floors.step_back(9, 1_763_695_500_000, 1_763_690_000_000);
        assert_eq!(
            &raised(6, 1_763_690_000_000)[..],
            later,
            "the first step counts on"
        );
        let middle = br#"{"type":"pong","data":{"timestamp":1},"timestamp":1763695500000}"#;
        assert_eq!(&raised(8, 1_763_690_000_000)[..], middle);
    }

    #[test]
    fn a_frame_without_a_time_stays_as_it_is() {
        for frame in [&b"{}"[..], b"", br#"{"timestamp":"5"}"#, b"x}"] {
            assert_eq!(with_timestamp(frame, 5), None);
        }
    }
}
