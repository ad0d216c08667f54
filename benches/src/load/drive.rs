//! The loop that drives all ends.

use std::io::ErrorKind;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::end::PairEnd;
use super::usage::{CompactTimes, CpuUsage, RoundUsage};
use super::workload::{OpenSchedule, RoundWorkload};

/// Longest wait for what is under way at the end.
const DRAIN_WAIT: Duration = Duration::from_secs(5);
/// Longest wait until every end has heard of its peer.
const GREET_WAIT: Duration = Duration::from_secs(20);
/// Between two greetings of an end that has not heard of its peer.
const GREET_EVERY: Duration = Duration::from_millis(50);
/// So long nothing may come before the load begins: late greetings are not messages.
const QUIET: Duration = Duration::from_millis(100);
/// More than a window of 16 takes, so that one read is enough.
const READ_BYTES: usize = 64 * 1024;
const EVENTS: usize = 1024;
const TICK: Token = Token(usize::MAX);
/// A measurement may take so many times as long as asked, to get its round trips.
const LONGER_MAX: u32 = 10;

/// Decides when A sends.
enum SendPace {
    Closed {
        window: usize,
        /// When A's messages were sent, by their number modulo the window.
        sent_at: Vec<Vec<Instant>>,
    },
    Open {
        schedule: OpenSchedule,
        /// Of all pairs, from 0.
        next: u64,
        /// Wakes the loop when a message is due: epoll's own timeout has steps of 1 ms.
        timer: OwnedFd,
    },
}

/// All ends, and what was measured of them.
pub(crate) struct LoadDrive {
    poll: Poll,
    /// A of pair 0, B of pair 0, A of pair 1, …
    ends: Vec<PairEnd>,
    workload: RoundWorkload,
    has_acks: bool,
    pace: Option<SendPace>,
    sending: bool,
    messages: u64,
    /// Round trips since the measurement began.
    trips: CompactTimes,
    /// How late messages of an open loop left.
    late: CompactTimes,
    scratch: Vec<u8>,
}

impl LoadDrive {
    /// Nothing is sent yet.
    pub fn new(mut ends: Vec<PairEnd>, workload: RoundWorkload, has_acks: bool) -> Result<Self> {
        let poll = Poll::new()?;
        for (index, end) in ends.iter_mut().enumerate() {
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry()
                .register(&mut end.stream, Token(index), interest)?;
        }
        Ok(Self {
            poll,
            ends,
            workload,
            has_acks,
            pace: None,
            sending: true,
            messages: 0,
            trips: CompactTimes::default(),
            late: CompactTimes::default(),
            scratch: vec![0; READ_BYTES],
        })
    }

    /// Every end greets its peer until it has heard of it: routes between nodes exist, subscriptions
    /// are known. From then on anything that was not sent is a failure.
    pub fn greet(&mut self) -> Result<()> {
        let deadline = Instant::now() + GREET_WAIT;
        let mut wait = Duration::ZERO;
        while self.ends.iter().any(|end| !end.ledger.met) {
            ensure!(
                Instant::now() < deadline,
                "somebody never heard of its peer"
            );
            for index in 0..self.ends.len() {
                let peer_met = self.ends[index ^ 1].ledger.met;
                if !peer_met {
                    self.ends[index].greet();
                    self.ends[index].flush()?;
                }
                self.poll_once(wait)?;
            }
            wait = Duration::ZERO;
            self.until(Instant::now() + GREET_EVERY)?;
        }
        while self.poll_once(QUIET)? {}
        for end in &mut self.ends {
            end.ledger.strict = true;
        }
        Ok(())
    }

    /// The first messages leave, or have their time.
    pub fn start(&mut self) -> Result<()> {
        let now = Instant::now();
        self.pace = Some(match self.workload {
            RoundWorkload::Closed { pairs, window } => {
                for end in self.ends.iter_mut().step_by(2) {
                    (0..window).for_each(|_| end.send());
                    end.flush()?;
                }
                let sent_at = vec![vec![now; window]; pairs];
                SendPace::Closed { window, sent_at }
            }
            RoundWorkload::Open { pairs, trips_per_s } => {
                let schedule = OpenSchedule::new(now, pairs, trips_per_s);
                SendPace::Open {
                    schedule,
                    next: 0,
                    timer: self.timer(schedule.interval())?,
                }
            }
        });
        Ok(())
    }

    /// A timer that wakes the loop each `interval`.
    fn timer(&self, interval: Duration) -> Result<OwnedFd> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
        let every = Timespec {
            tv_sec: interval.as_secs() as i64,
            tv_nsec: i64::from(interval.subsec_nanos()),
        };
        let times = Itimerspec {
            it_interval: every,
            it_value: every,
        };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &times)?;
        self.poll.registry().register(
            &mut SourceFd(&timer.as_raw_fd()),
            TICK,
            Interest::READABLE,
        )?;
        Ok(timer)
    }

    /// Goes on so long.
    pub fn until_ms(&mut self, milliseconds: u64) -> Result<()> {
        self.until(Instant::now() + Duration::from_millis(milliseconds))
    }

    /// Goes on so long, and longer if there are fewer round trips than `trips_min`.
    pub fn measure(
        &mut self,
        servers: &[u32],
        time: Duration,
        trips_min: usize,
    ) -> Result<RoundUsage> {
        self.trips.clear();
        self.late.clear();
        let before = CpuUsage::now(servers, self.messages)?;
        let start = Instant::now();
        self.until(start + time)?;
        while self.trips.count() < trips_min && start.elapsed() < LONGER_MAX * time {
            self.until(Instant::now() + time / 10)?;
        }
        let after = CpuUsage::now(servers, self.messages)?;
        Ok(after.since(&before, &mut self.trips, &mut self.late))
    }

    fn until(&mut self, deadline: Instant) -> Result<()> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.poll_once(left)?;
        }
    }

    /// Serves what is ready, or becomes so within a time; says whether something was.
    fn poll_once(&mut self, wait: Duration) -> Result<bool> {
        let mut events = Events::with_capacity(EVENTS);
        match self.poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            polled => polled?,
        }
        for event in &events {
            match event.token() {
                TICK => self.tick()?,
                Token(index) => self.serve(index)?,
            }
        }
        Ok(!events.is_empty())
    }

    /// Sends what is due.
    fn tick(&mut self) -> Result<()> {
        let Some(SendPace::Open {
            schedule,
            next,
            timer,
        }) = &mut self.pace
        else {
            return Ok(());
        };
        // Unless it is read, a timer does not go on.
        let mut expiries = [0; size_of::<u64>()];
        rustix::io::read(&*timer, &mut expiries)?;
        let now = Instant::now();
        while self.sending && schedule.at(*next) <= now {
            let end = &mut self.ends[2 * schedule.pair(*next)];
            end.send();
            end.flush()?;
            self.late.push(Instant::now() - schedule.at(*next));
            *next += 1;
        }
        Ok(())
    }

    fn serve(&mut self, index: usize) -> Result<()> {
        let end = &mut self.ends[index];
        end.fill(&mut self.scratch)?;
        let first = end.ledger.received;
        let count = end.take()?;
        self.messages += count;
        let now = Instant::now();
        let (pair, is_bot) = (index / 2, index % 2 == 1);
        for number in first..first + count {
            match &mut self.pace {
                Some(_) if is_bot => end.send(),
                Some(SendPace::Closed { window, sent_at }) => {
                    let sent_at = &mut sent_at[pair][number as usize % *window];
                    self.trips.push(now - *sent_at);
                    if self.sending {
                        *sent_at = now;
                        end.send();
                    }
                }
                Some(SendPace::Open { schedule, .. }) => {
                    self.trips.push(now - schedule.intended(pair, number));
                }
                None => {}
            }
        }
        end.flush()
    }

    /// Sends nothing new until everything under way has arrived: nothing was lost. Returns how many
    /// messages came in all.
    pub fn drain(&mut self) -> Result<u64> {
        self.sending = false;
        let deadline = Instant::now() + DRAIN_WAIT;
        while Instant::now() < deadline && !self.is_done() {
            self.until_ms(1)?;
        }
        ensure!(self.is_done(), "messages or acks were lost");
        Ok(self.messages)
    }

    fn is_done(&self) -> bool {
        let acked = |end: &PairEnd| !self.has_acks || end.ledger.acked == end.ledger.sent;
        self.ends.chunks(2).all(|pair| {
            let (client, bot) = (&pair[0].ledger, &pair[1].ledger);
            client.has_all_of(bot) && bot.has_all_of(client) && pair.iter().all(acked)
        })
    }
}
