//! The claims of bots that are under way: one question to the store a bot at a time.

use std::collections::VecDeque;

use protocol::limits::CLAIMS_WAITING_MAX;
use protocol::{BotId, ConnectionId, FrameId};

use crate::check;
use crate::ids::ConnKey;
use crate::invariant::Invariant;
use crate::request::BotRegistration;
use crate::small::SmallMap;
use crate::store::BotRecord;

/// What a connection wants of a bot.
#[derive(Debug)]
pub(in crate::tenant) struct ClaimStep {
    pub conn: ConnKey,
    pub conn_id: ConnectionId,
    pub id: Option<FrameId>,
    pub kind: ClaimKind,
}

/// What is wanted.
#[derive(Debug)]
pub(in crate::tenant) enum ClaimKind {
    Register(BotRegistration),
    /// The same without being asked: the store lost the claim.
    Reclaim(BotRegistration),
    Unregister,
}

impl ClaimKind {
    fn is_claim(&self) -> bool {
        match self {
            ClaimKind::Register(_) | ClaimKind::Reclaim(_) => true,
            ClaimKind::Unregister => false,
        }
    }
}

/// What is being done about one bot.
#[derive(Debug)]
pub(in crate::tenant) struct ClaimQueue {
    /// The question whose answer is awaited.
    number: u64,
    /// The highest step of the directory that was known then: an answer is above it.
    known_ver: u64,
    /// Whether the directory has an earlier claim of the same connection.
    pub is_listed: bool,
    pub outstanding: ClaimStep,
    pub waiting: VecDeque<ClaimStep>,
}

impl ClaimQueue {
    /// `outstanding` was asked as question `number`, when `known_ver` was known.
    pub fn new(
        number: u64,
        known_ver: u64,
        outstanding: ClaimStep,
        waiting: VecDeque<ClaimStep>,
    ) -> Self {
        Self {
            number,
            known_ver,
            is_listed: false,
            outstanding,
            waiting,
        }
    }

    /// Whether a record of the directory is a claim of the connection whose question is outstanding,
    /// and that question claims.
    fn claims_as(&self, record: &BotRecord) -> bool {
        let conn = record.holder.as_ref().map(|holder| &holder.conn);
        self.outstanding.kind.is_claim() && conn == Some(&self.outstanding.conn_id)
    }
}

/// Where a step went.
pub(in crate::tenant) enum ClaimPlace {
    /// Nothing is outstanding for its bot: it is to be started.
    First(ClaimStep),
    /// It waits.
    Queued,
    /// Too many wait.
    Full(ClaimStep),
}

/// The queues of all bots for which something is outstanding.
#[derive(Debug, Default)]
pub(in crate::tenant) struct ClaimQueues(SmallMap<BotId, Box<ClaimQueue>, 0>);

impl ClaimQueues {
    pub fn contains(&self, bot: &str) -> bool {
        self.0.contains_key(bot)
    }

    /// The bots for which something is outstanding.
    pub fn bots(&self) -> impl Iterator<Item = &BotId> {
        self.0.keys()
    }

    /// Those for which a connection has the outstanding question.
    pub fn bots_of(&self, conn: ConnKey) -> impl Iterator<Item = &BotId> {
        let of_conn = self.0.iter();
        let of_conn = of_conn.filter(move |(_, queue)| queue.outstanding.conn == conn);
        of_conn.map(|(bot, _)| bot)
    }

    /// Lets a step wait, if something is outstanding for its bot.
    pub fn enqueue(&mut self, bot: &BotId, step: ClaimStep) -> ClaimPlace {
        let Some(queue) = self.0.get_mut(bot) else {
            return ClaimPlace::First(step);
        };
        if queue.waiting.len() >= CLAIMS_WAITING_MAX {
            return ClaimPlace::Full(step);
        }
        queue.waiting.push_back(step);
        let waiting = queue.waiting.len();
        check!(
            Invariant::Bounded,
            waiting <= CLAIMS_WAITING_MAX,
            "{waiting} wait"
        );
        ClaimPlace::Queued
    }

    pub fn insert(&mut self, bot: BotId, queue: ClaimQueue) {
        self.0.insert(bot, Box::new(queue));
    }

    /// Takes the queue of a bot, if question `number` is the outstanding one.
    pub fn take(&mut self, bot: &BotId, number: u64) -> Option<ClaimQueue> {
        self.0.get(bot).filter(|queue| queue.number == number)?;
        self.0.remove(bot).map(|queue| *queue)
    }

    /// The outstanding question that a record of the directory answers. An event that is late may
    /// tell of an earlier claim of the same connection.
    pub fn answered_by(&self, record: &BotRecord) -> Option<u64> {
        let queue = self.0.get(&record.info.id);
        let queue = queue.filter(|queue| record.epoch > queue.known_ver);
        let queue = queue.filter(|queue| queue.claims_as(record))?;
        Some(queue.number)
    }

    /// Notes a record of the directory that is an earlier claim of a connection that claims again:
    /// the answer decides. Says whether it is one.
    pub fn note_earlier(&mut self, record: &BotRecord) -> bool {
        let Some(queue) = self.0.get_mut(&record.info.id) else {
            return false;
        };
        let is_earlier = queue.claims_as(record);
        queue.is_listed |= is_earlier;
        is_earlier
    }

    /// The outstanding question by which this connection unregisters a bot.
    pub fn unregistration(&self, bot: &BotId, conn: Option<ConnKey>) -> Option<u64> {
        let queue = self.0.get(bot)?;
        let is_it = !queue.outstanding.kind.is_claim() && Some(queue.outstanding.conn) == conn;
        is_it.then_some(queue.number)
    }
}
