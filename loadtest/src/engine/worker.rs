//! The state of one thread.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use anyhow::Result;
use mio::{Poll, Token};

use super::control::RunPhase;
use super::group::{MessageFlow, SocketGroup};
use super::schedule::SendSchedule;
use super::shared::{RateShare, SharedRun};
use super::timer::{PollAlarm, TaskAgenda};
use super::virtual_user::VirtualUser;
use crate::check::WrongDelivery;
use crate::measure::{SecondTally, ThreadTally};
use crate::plan::GroupPlan;
use crate::wire;

/// More than a window of 16 takes, so that one read is enough.
const READ_BYTES: usize = 64 * 1024;
/// The alarm's token; no socket has it.
pub(super) const ALARM: Token = Token(usize::MAX);

/// The flows, or the groups, that one schedule goes round.
#[derive(Debug)]
pub(super) struct PacedFlows {
    pub(super) share: RateShare,
    /// Not for visits: a visit takes any group that is free.
    pub(super) flows: Vec<usize>,
    pub(super) schedule: Option<SendSchedule>,
}

/// One thread.
pub(crate) struct LoadWorker {
    pub(super) shared: Arc<SharedRun>,
    pub(super) seconds: Sender<SecondTally>,
    pub(super) poll: Poll,
    pub(super) alarm: PollAlarm,
    pub(super) agenda: TaskAgenda,
    pub(super) users: Vec<VirtualUser>,
    pub(super) flows: Vec<MessageFlow>,
    pub(super) groups: Vec<SocketGroup>,
    pub(super) paced: Vec<PacedFlows>,
    /// The number of the first flow in the run.
    pub(super) first_flow: u32,
    pub(super) to_dial: VecDeque<usize>,
    pub(super) dialing: usize,
    pub(super) dialing_max: usize,
    /// Sockets with something to write.
    pub(super) dirty: Vec<usize>,
    /// Groups that a visit may take.
    pub(super) free: VecDeque<usize>,
    pub(super) ready: u64,
    /// Whether any credential was; else a refusal ends the run.
    pub(super) was_accepted: bool,
    pub(super) phase: RunPhase,
    pub(super) tally: ThreadTally,
    pub(super) second: SecondTally,
    pub(super) scratch: Vec<u8>,
    pub(super) frame: Vec<u8>,
    pub(super) cpu_at_second: u64,
    pub(super) cpu_at_measure: (u64, u64),
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

    pub(super) fn now(&self) -> u64 {
        self.shared.control.now()
    }

    /// Whether what was due at this time is counted.
    pub(super) fn counts(&self, time: u64) -> bool {
        let (from, until) = self.shared.control.window();
        (from..until).contains(&time)
    }

    /// Puts a frame into a socket's outbox.
    pub(super) fn push(&mut self, index: usize, opcode: u8, payload: &[u8]) {
        wire::push(&mut self.users[index].outbox, opcode, payload);
        self.dirt(index);
    }

    pub(super) fn dirt(&mut self, index: usize) {
        let user = &mut self.users[index];
        if !user.is_dirty {
            user.is_dirty = true;
            self.dirty.push(index);
        }
    }

    pub(super) fn wrong(&mut self, wrong: WrongDelivery, example: impl FnOnce() -> String) {
        self.tally.wrongs.add(wrong, example);
    }
}
