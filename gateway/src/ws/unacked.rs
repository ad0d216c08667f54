//! What the kernel has of one connection's bytes: written to the socket and not acknowledged by its
//! peer. Pure: the kernel is asked by others.
//!
//! To ask costs a system call, so nobody asks for each write. Until the next answer the kernel is taken
//! to hold all that was written since the last one, as far as its send buffer can: counted in steps
//! of 16 KiB, so that small messages cost no atomic operation.

/// What the kernel takes for one socket at most, bytes with its own overhead: `SO_SNDBUF` as it reads
/// back. Enough for 1 MB/s over 100 ms of round trip.
pub const SEND_BUFFER_BYTES: usize = 128 * 1024;
/// Writes below this are not charged before the kernel has said what it holds.
const STEP_BYTES: usize = 16 * 1024;
/// How long a few bytes may be under way before the kernel is asked about them, milliseconds.
const ASK_AFTER_MS: u64 = 1000;
/// What a peer may leave unread, bytes: less is judged by the heartbeat alone.
const STALLED_BYTES: usize = 16 * 1024;

/// What the kernel says of a socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct KernelHeld {
    /// Bytes that were written and not acknowledged.
    pub unacked: u32,
    /// Memory that they take.
    pub memory: u32,
}

/// A question to the kernel, and what its answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelAsk {
    /// Bytes that had been written to the socket.
    pub(super) written: u32,
}

/// How far the bytes of one connection came. Every silent socket has one, so it is small: counts of
/// bytes wrap around.
#[derive(Debug, Default)]
pub(super) struct UnackedBytes {
    /// Not so: it is no socket, or nobody asks the kernel; then nothing is charged, and nobody
    /// stalls.
    is_watched: bool,
    /// Bytes that the socket took.
    written: u32,
    /// The same when the kernel was asked last.
    asked: u32,
    /// Bytes that the peer acknowledged, as far as is known.
    acked: u32,
    /// Memory of the kernel at the last answer, bytes.
    memory: u32,
    /// Since when nothing was acknowledged while something was outstanding; 0 = nothing is.
    since_ms: u64,
}

impl UnackedBytes {
    /// From now on the kernel is asked.
    pub(super) fn begin(&mut self) {
        self.is_watched = true;
        self.asked = self.written;
        self.acked = self.written;
    }

    pub(super) fn wrote(&mut self, bytes: usize) {
        // One write is far below 4 GiB.
        self.written = self.written.wrapping_add(bytes as u32);
        if !self.is_watched {
            (self.asked, self.acked) = (self.written, self.written);
        }
    }

    /// Memory of the kernel to charge the connection with, bytes.
    pub(super) fn charge(&self) -> usize {
        let unasked = self.written.wrapping_sub(self.asked) as usize;
        let memory = self.memory as usize;
        let estimate = memory + unasked / STEP_BYTES * STEP_BYTES;
        estimate.min(memory.max(SEND_BUFFER_BYTES))
    }

    /// Whether the kernel should be asked now; its answer goes to [`told`](Self::told).
    pub(super) fn ask(&self, now_ms: u64) -> Option<KernelAsk> {
        let waits = self.since_ms == 0 || now_ms < self.since_ms + ASK_AFTER_MS;
        if !self.is_watched || self.is_known() || (waits && self.charge() == 0) {
            return None;
        }
        Some(KernelAsk {
            written: self.written,
        })
    }

    /// Whether the kernel holds nothing, as it said after the last write.
    pub(super) fn is_known(&self) -> bool {
        self.written == self.asked && self.memory == 0
    }

    /// Takes the kernel's answer; none: it could not be asked, and nothing is charged.
    pub(super) fn told(&mut self, asked: KernelAsk, held: Option<KernelHeld>, now_ms: u64) {
        let held = held.unwrap_or_default();
        self.asked = asked.written;
        self.memory = held.memory;
        // Of TLS the kernel has some bytes more than were written.
        let outstanding = asked.written.wrapping_sub(self.acked);
        let newly = outstanding.saturating_sub(held.unacked);
        if newly > 0 {
            self.acked = self.acked.wrapping_add(newly);
            self.since_ms = now_ms;
        }
    }

    /// Notes how much waits besides, and whether the peer has taken nothing of it all for so long.
    /// `is_tight`: others wait for the memory.
    pub(super) fn is_stalled(
        &mut self,
        waiting: usize,
        now_ms: u64,
        limit_ms: u64,
        is_tight: bool,
    ) -> bool {
        let outstanding = self.written.wrapping_sub(self.acked) as usize + waiting;
        if outstanding == 0 || !self.is_watched {
            self.since_ms = 0;
            return false;
        }
        if self.since_ms == 0 {
            self.since_ms = now_ms;
        }
        let counts = outstanding >= STALLED_BYTES || is_tight;
        counts && now_ms.saturating_sub(self.since_ms) >= limit_ms
    }

    /// This process stood still for so long: nobody could be heard meanwhile.
    pub(super) fn forgive(&mut self, ms: u64) {
        if self.since_ms > 0 {
            self.since_ms += ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched() -> UnackedBytes {
        let mut unacked = UnackedBytes::default();
        unacked.begin();
        unacked
    }

    fn held(unacked: u32, memory: u32) -> Option<KernelHeld> {
        Some(KernelHeld { unacked, memory })
    }

    #[test]
    fn what_was_written_since_the_answer_counts_in_steps_up_to_the_buffer() {
        let mut unacked = watched();
        for (bytes, charge) in [
            (STEP_BYTES - 1, 0),
            (1, STEP_BYTES),
            (STEP_BYTES, 2 * STEP_BYTES),
            (1 << 20, SEND_BUFFER_BYTES),
        ] {
            unacked.wrote(bytes);
            assert_eq!(unacked.charge(), charge);
        }
        let number = unacked.ask(0).unwrap();
        unacked.wrote(STEP_BYTES);
        unacked.told(number, held(0, 0), 0);
        assert_eq!(
            unacked.charge(),
            STEP_BYTES,
            "of this the answer does not tell"
        );
    }

    #[test]
    fn a_peer_that_acknowledges_anything_is_not_stalled() {
        let mut unacked = watched();
        unacked.wrote(100_000);
        let mut left = 100_000;
        for now_ms in (250..60_000).step_by(250) {
            let is_stalled = unacked.is_stalled(0, now_ms, 10_000, false);
            assert!(!is_stalled, "at {now_ms} with {left} left");
            if let Some(number) = unacked.ask(now_ms) {
                left -= u32::from(now_ms % 5000 == 0);
                unacked.told(number, held(left, 120_000), now_ms);
            }
        }
        let last_ms = 55_000;
        assert!(!unacked.is_stalled(0, last_ms + 9_999, 10_000, false));
        assert!(unacked.is_stalled(0, last_ms + 10_000, 10_000, false));
        unacked.forgive(20_000);
        assert!(!unacked.is_stalled(0, last_ms + 10_000, 10_000, false));
    }

    #[test]
    fn a_few_bytes_count_only_when_memory_is_tight() {
        for (bytes, waiting, is_tight, expected) in [
            (STALLED_BYTES - 1, 0, false, false),
            (STALLED_BYTES - 1, 1, false, true),
            (1, 0, true, true),
            (0, 0, true, false),
        ] {
            let mut unacked = watched();
            unacked.wrote(bytes);
            assert!(!unacked.is_stalled(waiting, 1000, 10_000, is_tight));
            let is_stalled = unacked.is_stalled(waiting, 11_000, 10_000, is_tight);
            assert_eq!(is_stalled, expected, "{bytes} {waiting} {is_tight}");
        }
    }

    #[test]
    fn few_bytes_are_asked_about_after_a_second_and_nothing_never() {
        let mut unacked = watched();
        assert_eq!(unacked.ask(0), None);
        unacked.wrote(1);
        assert!(!unacked.is_stalled(0, 1000, 10_000, false));
        assert_eq!(unacked.ask(1999), None);
        let number = unacked.ask(2000).unwrap();
        unacked.told(number, held(0, 0), 2000);
        assert!(!unacked.is_stalled(0, 2000, 10_000, true));
        assert_eq!(unacked.ask(10_000), None);
    }

    #[test]
    fn without_an_answer_nothing_is_charged_and_nobody_is_stalled() {
        let mut unacked = watched();
        unacked.wrote(1 << 20);
        let number = unacked.ask(0).unwrap();
        unacked.told(number, None, 0);
        assert_eq!(unacked.charge(), 0);
        assert!(!unacked.is_stalled(0, 10_000, 10_000, true));
        let mut never_asked = UnackedBytes::default();
        never_asked.wrote(1 << 20);
        assert_eq!((never_asked.charge(), never_asked.ask(9_000)), (0, None));
        for now_ms in [1000, 11_000] {
            assert!(!never_asked.is_stalled(1 << 20, now_ms, 10_000, true));
        }
    }
}
