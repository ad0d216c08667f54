//! The open loop: when messages are due, whatever has become of those before.
//!
//! Latency counts from the time a message was due. A generator that waits for answers, or that
//! starts its clock when it gets round to sending, leaves out the worst times: coordinated omission.

/// When a load's messages are due, and which flow is next.
#[derive(Debug)]
pub(crate) struct SendSchedule {
    interval_ns: f64,
    start: u64,
    /// How many were due so far.
    count: u64,
    slots: usize,
}

impl SendSchedule {
    /// `rate` messages a second over `slots` flows in turn, from `start` on, nanoseconds.
    ///
    /// `offset`: which part of the first interval passes before the first one, 0 to 1.
    pub fn new(rate: f64, slots: usize, start: u64, offset: f64) -> Self {
        let interval_ns = 1e9 / rate;
        Self {
            interval_ns,
            start: start + (interval_ns * offset) as u64,
            count: 0,
            slots,
        }
    }

    /// When the next message is due.
    pub(crate) fn next_at(&self) -> u64 {
        self.start + (self.count as f64 * self.interval_ns) as u64
    }

    /// Takes the next message that is due by `now`: its time, and which flow sends it.
    pub fn take(&mut self, now: u64) -> Option<(u64, usize)> {
        let at = self.next_at();
        if at > now || self.slots == 0 {
            return None;
        }
        let slot = self.count % self.slots as u64;
        self.count += 1;
        Some((at, slot as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn due(schedule: &mut SendSchedule, now: u64) -> Vec<(u64, usize)> {
        std::iter::from_fn(|| schedule.take(now)).collect()
    }

    #[test]
    fn messages_are_due_at_even_times_in_turn() {
        let mut schedule = SendSchedule::new(4.0, 3, SECOND, 0.0);
        assert_eq!(due(&mut schedule, SECOND - 1), []);
        assert_eq!(
            due(&mut schedule, 2 * SECOND),
            [
                (SECOND, 0),
                (SECOND + SECOND / 4, 1),
                (SECOND + SECOND / 2, 2),
                (SECOND + SECOND * 3 / 4, 0),
                (2 * SECOND, 1),
            ]
        );
    }

    #[test]
    fn after_a_stall_every_message_keeps_the_time_it_was_due() {
        let mut schedule = SendSchedule::new(1000.0, 1, 0, 0.0);
        let late = due(&mut schedule, SECOND);
        assert_eq!(late.len(), 1001);
        assert_eq!(late[1].0, 1_000_000);
        assert_eq!(schedule.next_at(), SECOND + 1_000_000);
    }

    #[test]
    fn uneven_rates_do_not_drift() {
        let mut schedule = SendSchedule::new(30_000.0, 1, 0, 0.0);
        assert_eq!(due(&mut schedule, 60 * SECOND - 1).len(), 1_800_000);
    }

    #[test]
    fn threads_take_their_places_between_each_other() {
        let schedule = SendSchedule::new(10.0, 1, 0, 0.5);
        assert_eq!(schedule.next_at(), SECOND / 20);
    }
}
