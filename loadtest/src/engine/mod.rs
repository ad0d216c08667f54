//! The load generator: one thread with one epoll for many sockets.
//!
//! ```text
//!  Worker::run:  timers and schedules ─▶ dial, send ─▶ flush ─▶ wait ─▶ read, check, answer ─┐
//!                      ▲────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Reads go into one buffer, writes of one turn into one syscall per socket. Threads share nothing
//! but [`RunControl`]; a group is always on one thread.
//!
//! | file | holds |
//! | --- | --- |
//! | `control.rs` | the clock, the phases |
//! | `virtual_user.rs`, `group.rs` | the state of a socket, of a group and its flows |
//! | `schedule.rs`, `timer.rs` | when messages are due; what is done later |
//! | `connect.rs` | from dialling to ready, and what is lost |
//! | `reading.rs` | from bytes to frames |
//! | `traffic.rs` | sending, checking, answering |
//! | `visits.rs` | groups that come, go and are dropped |

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use anyhow::Result;
use mio::{Events, Poll, Token};

use crate::check::WrongDelivery;
use crate::credentials::KeySource;
use crate::measure::{SecondTally, ThreadTally};
use crate::message::PaddingTable;
use crate::plan::{GroupPlan, LoadKind};
use crate::process;
use crate::scenario::LoadScenario;
use crate::target::TargetNode;
use crate::wire;

mod connect;
mod control;
mod group;
mod reading;
mod schedule;
mod timer;
mod traffic;
mod virtual_user;
mod visits;

pub use control::{RunControl, RunPhase};

use group::{MessageFlow, SocketGroup};
use schedule::SendSchedule;
use timer::{DelayedTask, PollAlarm, TaskAgenda};
use virtual_user::{SocketState, VirtualUser};

/// More than a window of 16 takes, so that one read is enough.
const READ_BYTES: usize = 64 * 1024;
/// Events of one turn.
const EVENTS: usize = 1024;
/// The alarm's token; no socket has it.
const ALARM: Token = Token(usize::MAX);
/// Longest wait: a change of phase that another thread makes is seen after this, ns.
const WAIT_MAX: u64 = 5_000_000;
/// Longest wait for the peers' close frames, ns.
const CLOSE_WAIT: u64 = 2_000_000_000;
const SECOND: u64 = 1_000_000_000;

/// What the threads of a run share.
#[derive(Debug)]
pub struct SharedRun {
    /// The clock and the phases.
    pub control: RunControl,
    /// The scenario.
    pub scenario: LoadScenario,
    /// The gateways.
    pub nodes: Vec<TargetNode>,
    /// Addresses to connect from; empty = the system's choice.
    pub sources: Vec<IpAddr>,
    /// Where keys come from.
    pub credentials: KeySource,
    /// How tenants are called that are made up, before their number.
    pub tenant_prefix: String,
    /// What texts are padded with.
    pub padding: PaddingTable,
}

/// The rate of a load, in each thread the part of it that its groups have.
#[derive(Debug, Clone, Copy)]
pub struct RateShare {
    /// Which load.
    pub load: LoadKind,
    /// Messages, or visits, a second of this thread.
    pub rate: f64,
    /// Which part of the first interval passes before the first one.
    pub offset: f64,
}

/// The flows, or the groups, that one schedule goes round.
#[derive(Debug)]
struct PacedFlows {
    share: RateShare,
    /// Not for visits: a visit takes any group that is free.
    flows: Vec<usize>,
    schedule: Option<SendSchedule>,
}

/// One thread.
pub struct LoadWorker {
    shared: Arc<SharedRun>,
    seconds: Sender<SecondTally>,
    poll: Poll,
    alarm: PollAlarm,
    agenda: TaskAgenda,
    users: Vec<VirtualUser>,
    flows: Vec<MessageFlow>,
    groups: Vec<SocketGroup>,
    paced: Vec<PacedFlows>,
    /// The number of the first flow in the run.
    first_flow: u32,
    to_dial: VecDeque<usize>,
    dialing: usize,
    dialing_max: usize,
    /// Sockets with something to write.
    dirty: Vec<usize>,
    /// Groups that a visit may take.
    free: VecDeque<usize>,
    ready: u64,
    /// Whether any credential was; else a refusal ends the run.
    was_accepted: bool,
    phase: RunPhase,
    tally: ThreadTally,
    second: SecondTally,
    scratch: Vec<u8>,
    frame: Vec<u8>,
    cpu_at_second: u64,
    cpu_at_measure: (u64, u64),
}

impl LoadWorker {
    /// A thread's part of a run. `first_flow` numbers its flows; threads must not overlap.
    pub fn new(
        shared: Arc<SharedRun>,
        plans: Vec<GroupPlan>,
        shares: &[RateShare],
        first_flow: u32,
        seconds: Sender<SecondTally>,
    ) -> Result<Self> {
        let poll = Poll::new()?;
        let alarm = PollAlarm::new(poll.registry(), ALARM)?;
        let threads = shared.scenario.threads;
        let mut worker = Self {
            dialing_max: shared.scenario.connect_at_once.div_ceil(threads),
            shared,
            seconds,
            poll,
            alarm,
            agenda: TaskAgenda::default(),
            users: Vec::new(),
            flows: Vec::new(),
            groups: Vec::new(),
            paced: Vec::new(),
            first_flow,
            to_dial: VecDeque::new(),
            dialing: 0,
            dirty: Vec::new(),
            free: VecDeque::new(),
            ready: 0,
            was_accepted: false,
            phase: RunPhase::Setup,
            tally: ThreadTally::default(),
            second: SecondTally::new(0),
            scratch: vec![0; READ_BYTES],
            frame: Vec::new(),
            cpu_at_second: 0,
            cpu_at_measure: (0, 0),
        };
        plans.into_iter().for_each(|plan| worker.add(plan));
        for share in shares {
            let flows = worker.flows.iter().enumerate();
            let flows = flows.filter(|(_, flow)| flow.load() == Some(share.load));
            worker.paced.push(PacedFlows {
                share: *share,
                flows: flows.map(|(index, _)| index).collect(),
                schedule: None,
            });
        }
        Ok(worker)
    }

    /// Runs to the end and returns what was counted.
    pub fn run(mut self) -> Result<ThreadTally> {
        let mut events = Events::with_capacity(EVENTS);
        while self.phase != RunPhase::Close {
            let now = self.now();
            self.on_phase(now)?;
            self.on_second(now)?;
            self.do_what_is_due(now);
            self.dial_next(now);
            self.flush();
            self.wait(&mut events)?;
            self.serve(&events);
        }
        self.close(&mut events)?;
        Ok(self.tally)
    }

    fn now(&self) -> u64 {
        self.shared.control.now()
    }

    /// Whether what was due at this time is counted.
    fn counts(&self, time: u64) -> bool {
        let (from, until) = self.shared.control.window();
        (from..until).contains(&time)
    }

    fn on_phase(&mut self, now: u64) -> Result<()> {
        let mut phase = self.shared.control.phase(now);
        if phase == RunPhase::Drain && self.is_drained() {
            phase = RunPhase::Close;
        }
        let before = std::mem::replace(&mut self.phase, phase);
        if before == phase {
            return Ok(());
        }
        if before == RunPhase::Setup && phase != RunPhase::Close {
            self.begin_traffic(now)?;
        }
        if before < RunPhase::Measure && phase >= RunPhase::Measure {
            self.cpu_at_measure = (now, process::cpu_of_this_thread()?);
            if phase == RunPhase::Measure {
                self.begin_measurement(now);
            }
        }
        if before <= RunPhase::Measure && phase > RunPhase::Measure {
            let (since, cpu) = self.cpu_at_measure;
            let spent = process::cpu_of_this_thread()? - cpu;
            self.tally.busy = spent as f64 / now.saturating_sub(since).max(1) as f64;
        }
        Ok(())
    }

    fn begin_traffic(&mut self, now: u64) -> Result<()> {
        self.cpu_at_second = process::cpu_of_this_thread()?;
        let start = self.shared.control.began();
        for paced in &mut self.paced {
            let RateShare { load, rate, offset } = paced.share;
            let slots = match load {
                LoadKind::Churn => 1,
                LoadKind::Open | LoadKind::Fanout | LoadKind::Slow => paced.flows.len(),
                LoadKind::Stalled | LoadKind::Partials | LoadKind::Typing => paced.flows.len(),
            };
            paced.schedule = Some(SendSchedule::new(rate, slots, start, offset));
        }
        for group in 0..self.groups.len() {
            if self.groups[group].is_up() {
                self.ask_all(group, now);
            }
        }
        Ok(())
    }

    fn begin_measurement(&mut self, now: u64) {
        for user in &mut self.users {
            user.reads_nothing = user.plan.stalls;
        }
        self.begin_storm(now);
    }

    fn on_second(&mut self, now: u64) -> Result<()> {
        let began = self.shared.control.began();
        if now < began || (now - began) / SECOND == self.second.index {
            return Ok(());
        }
        let next = SecondTally::new((now - began) / SECOND);
        let mut over = std::mem::replace(&mut self.second, next);
        let cpu = process::cpu_of_this_thread()?;
        over.cpu_ns = cpu - std::mem::replace(&mut self.cpu_at_second, cpu);
        over.connected = self.ready;
        // Whoever reads them may have gone, and then there is nobody to tell.
        let _ = self.seconds.send(over);
        Ok(())
    }

    fn do_what_is_due(&mut self, now: u64) {
        while let Some(later) = self.agenda.take(now) {
            match later {
                DelayedTask::Dial(user) => self.to_dial.push_back(user),
                DelayedTask::GiveUp(user, dialed_at) => self.give_up(user, dialed_at),
                DelayedTask::Ask(flow) => self.ask(flow, now),
            }
        }
        if matches!(self.phase, RunPhase::Setup | RunPhase::Close) {
            return;
        }
        // In the drain, what was due before it and that a late turn has not sent yet.
        let until = self.shared.control.window().1;
        for index in 0..self.paced.len() {
            let now = self.now();
            // Not more than so many in one turn: sockets have to be served too.
            for _ in 0..EVENTS {
                let paced = &mut self.paced[index];
                let Some(schedule) = &mut paced.schedule else {
                    break;
                };
                let Some((at, slot)) = schedule.take(now.min(until - 1)) else {
                    break;
                };
                match paced.share.load {
                    LoadKind::Churn => self.begin_visit(at),
                    LoadKind::Open
                    | LoadKind::Fanout
                    | LoadKind::Slow
                    | LoadKind::Stalled
                    | LoadKind::Partials
                    | LoadKind::Typing => {
                        let flow = paced.flows[slot];
                        self.send_scheduled(flow, at);
                    }
                }
            }
        }
    }

    /// When the next scheduled message is due; none if that is after the measurement.
    fn next_due(&self) -> Option<u64> {
        let until = self.shared.control.window().1;
        let schedules = self.paced.iter().filter_map(|it| it.schedule.as_ref());
        schedules
            .map(SendSchedule::next_at)
            .filter(|at| *at < until)
            .min()
    }

    fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for index in dirty.drain(..) {
            self.users[index].is_dirty = false;
            if let Err(error) = self.users[index].flush() {
                self.lost(index, error.kind().to_string());
            }
        }
        // What a loss made dirty meanwhile is kept; mostly there is none, and the buffer is.
        dirty.append(&mut self.dirty);
        self.dirty = dirty;
    }

    fn wait(&mut self, events: &mut Events) -> Result<()> {
        let now = self.now();
        let due = self.next_due();
        let change = self.shared.control.next_change(now);
        let times = [due, self.agenda.next_at(), Some(change)];
        let at = times.into_iter().flatten().min().unwrap_or(u64::MAX);
        let at = at.min(now + WAIT_MAX);
        let timeout = if at > now && self.dirty.is_empty() {
            self.alarm.set(at, now)?;
            None
        } else {
            Some(std::time::Duration::ZERO)
        };
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            polled => Ok(polled?),
        }
    }

    fn serve(&mut self, events: &Events) {
        for event in events {
            let Token(index) = event.token();
            if event.token() == ALARM {
                continue;
            }
            if self.users[index].state == SocketState::Connecting && !self.begin_upgrade(index) {
                continue;
            }
            if event.is_writable()
                && !self.users[index].outbox.is_empty()
                && let Err(error) = self.users[index].flush()
            {
                self.lost(index, error.kind().to_string());
            }
            if event.is_readable() || event.is_read_closed() {
                self.read(index, event.is_read_closed());
            }
        }
    }

    /// Puts a frame into a socket's outbox.
    fn push(&mut self, index: usize, opcode: u8, payload: &[u8]) {
        wire::push(&mut self.users[index].outbox, opcode, payload);
        self.dirt(index);
    }

    fn dirt(&mut self, index: usize) {
        let user = &mut self.users[index];
        if !user.is_dirty {
            user.is_dirty = true;
            self.dirty.push(index);
        }
    }

    fn wrong(&mut self, wrong: WrongDelivery, example: impl FnOnce() -> String) {
        self.tally.wrongs.add(wrong, example);
    }

    /// Counts what never came, says goodbye, and waits a little for the others to.
    fn close(&mut self, events: &mut Events) -> Result<()> {
        self.count_absent();
        for index in 0..self.users.len() {
            match self.users[index].state {
                SocketState::Ready if !self.users[index].reads_nothing => self.leave(index),
                SocketState::Leaving => {}
                SocketState::Away
                | SocketState::Connecting
                | SocketState::Upgrading
                | SocketState::Greeting
                | SocketState::Registering(_)
                | SocketState::Ready => self.users[index].drop_connection(),
            }
        }
        let deadline = self.now() + CLOSE_WAIT;
        while self.users.iter().any(|it| it.stream.is_some()) && self.now() < deadline {
            self.flush();
            self.wait(events)?;
            self.serve(events);
        }
        Ok(())
    }
}
