//! Delayed tasks, and a wake-up in time for the next one.
//!
//! epoll counts in milliseconds; an open loop needs finer ones, so the wake-up is a timer of the
//! system that epoll watches.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DelayedTask {
    /// Connect a socket.
    Dial(usize),
    /// Give up a socket if it is still at what it began at this time.
    GiveUp(usize, u64),
    /// Ask again, after a refusal.
    Ask(usize),
}

/// Times and what is to be done at them, the earliest first.
#[derive(Debug, Default)]
pub(crate) struct TaskAgenda {
    heap: BinaryHeap<Reverse<(u64, DelayedTask)>>,
}

impl TaskAgenda {
    /// Puts something down.
    pub fn add(&mut self, at: u64, what: DelayedTask) {
        self.heap.push(Reverse((at, what)));
    }

    /// Takes what is due.
    pub fn take(&mut self, now: u64) -> Option<DelayedTask> {
        self.next_at().filter(|at| *at <= now)?;
        self.heap.pop().map(|Reverse((_, what))| what)
    }

    /// When the first is due.
    pub(crate) fn next_at(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }
}

/// A wake-up of a poll, to the microsecond.
#[derive(Debug)]
pub(crate) struct PollAlarm {
    fd: OwnedFd,
    /// When it rings; 0 = not set.
    at: u64,
}

impl PollAlarm {
    /// Registers one.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { fd, at: 0 })
    }

    /// Rings at `at`, or earlier if it was set so.
    pub fn set(&mut self, at: u64, now: u64) -> io::Result<()> {
        let is_set = self.at > now;
        if is_set && self.at <= at {
            return Ok(());
        }
        self.at = at;
        // Zero would mean never.
        let left = at.saturating_sub(now).max(1);
        let nothing = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let value = Timespec {
            tv_sec: (left / 1_000_000_000) as i64,
            tv_nsec: (left % 1_000_000_000) as _,
        };
        let spec = Itimerspec {
            it_interval: nothing,
            it_value: value,
        };
        // Setting it again also takes back that it has rung, so it need not be read.
        timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &spec)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use mio::{Events, Poll};

    use super::*;

    #[test]
    fn things_come_in_the_order_of_their_times() {
        let mut agenda = TaskAgenda::default();
        agenda.add(30, DelayedTask::Ask(3));
        agenda.add(10, DelayedTask::Dial(1));
        agenda.add(20, DelayedTask::GiveUp(2, 5));
        assert_eq!(agenda.next_at(), Some(10));
        assert_eq!(agenda.take(9), None);
        assert_eq!(agenda.take(25), Some(DelayedTask::Dial(1)));
        assert_eq!(agenda.take(25), Some(DelayedTask::GiveUp(2, 5)));
        assert_eq!(agenda.take(25), None);
        assert_eq!(agenda.take(30), Some(DelayedTask::Ask(3)));
    }

    #[test]
    fn an_alarm_rings_each_time_it_is_set() {
        let mut poll = Poll::new().unwrap();
        let mut alarm = PollAlarm::new(poll.registry(), Token(7)).unwrap();
        let mut events = Events::with_capacity(8);
        let start = Instant::now();
        let clock = || 1 + start.elapsed().as_nanos() as u64;
        for _ in 0..3 {
            let at = clock() + 300_000;
            alarm.set(at, clock()).unwrap();
            let limit = Some(Duration::from_secs(5));
            poll.poll(&mut events, limit).unwrap();
            assert_eq!(events.iter().next().map(|it| it.token()), Some(Token(7)));
            assert!(clock() >= at);
        }
    }
}
