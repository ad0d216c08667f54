//! Presence changes of a tenant that are not delivered to every socket yet, and how far their delivery is.

use std::collections::{BTreeMap, BTreeSet};

use protocol::BotId;
use protocol::limits::PRESENCE_FANOUT_MAX;
use protocol::presence::{BotState, BotStatus};

use super::changes::BotChanges;
use crate::env::Millis;
use crate::ids::ConnKey;

/// Questions whether a socket sees a bot, in one hold.
const LOOKS_MAX: usize = 16 * PRESENCE_FANOUT_MAX;

/// The changes of a tenant's bots, and who is told of them now.
#[derive(Debug)]
pub(super) struct PresenceNews {
    /// Not told to anybody yet; newest wins.
    pub gathered: BTreeMap<BotId, BotStatus>,
    pub flush_ms: Option<Millis>,
    pub changes: BotChanges,
    /// On its way over all sockets.
    pub round: Option<TellRound>,
    /// When a round was cut, or somebody has room again: the next hold is due, behind who waits for
    /// longer.
    pub due_ms: Option<Millis>,
    /// Sockets without room: not tried before they have some.
    pub full: BTreeSet<ConnKey>,
    /// Sockets that have room again, and are behind.
    pub behind: BTreeSet<ConnKey>,
    pub telling: Option<PendingTell>,
}

/// One pass over all sockets.
#[derive(Debug)]
pub(super) struct TellRound {
    /// The last change that it tells.
    pub until: u64,
    /// The socket with which it goes on.
    pub next: ConnKey,
}

/// The frame whose outcome is awaited.
#[derive(Debug)]
pub(super) struct PendingTell {
    pub receipt: u64,
    pub conn: ConnKey,
    pub change: u64,
    pub hold: TellBudget,
}

/// What is left of one hold of the shard's lock.
#[derive(Debug, Clone, Copy)]
pub(super) struct TellBudget {
    pub frames: usize,
    pub looks: usize,
}

impl TellBudget {
    pub const NEW: Self = Self {
        frames: PRESENCE_FANOUT_MAX,
        looks: LOOKS_MAX,
    };

    /// Counts one question whether a socket sees a bot.
    pub fn look(&mut self) -> TellStep {
        if self.frames == 0 || self.looks == 0 {
            return TellStep::Cut;
        }
        self.looks -= 1;
        TellStep::Done
    }
}

/// How far telling a socket came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TellStep {
    /// A frame is on its way to it.
    Telling,
    /// It knows all that it should.
    Done,
    /// The hold is used up.
    Cut,
}

impl PresenceNews {
    /// None yet, of changes behind this number.
    pub fn after(last: u64) -> Self {
        Self {
            gathered: BTreeMap::new(),
            flush_ms: None,
            changes: BotChanges::after(last),
            round: None,
            due_ms: None,
            full: BTreeSet::new(),
            behind: BTreeSet::new(),
            telling: None,
        }
    }

    /// When the next round, or the rest of this one, is due.
    pub fn next_wakeup(&self) -> Option<Millis> {
        match self.round {
            Some(_) => self.due_ms,
            None => self.due_ms.into_iter().chain(self.flush_ms).min(),
        }
    }

    /// Whether every socket has been sent every change.
    pub fn is_over(&self) -> bool {
        self.flush_ms.is_none()
            && self.round.is_none()
            && self.telling.is_none()
            && self.full.is_empty()
            && self.behind.is_empty()
    }

    /// Remembers a change until the next round; newest wins. Full: news of a bot that is gone gives
    /// way.
    pub fn gather(&mut self, status: BotStatus, most: usize) {
        let gathered = &mut self.gathered;
        if gathered.len() >= most && !gathered.contains_key(&status.bot_id) {
            let mut gone = gathered.iter();
            let gone = gone.find(|(_, status)| status.status == BotState::Offline);
            let gone = gone.map(|(bot, _)| bot.clone());
            gone.and_then(|bot| gathered.remove(&bot));
        }
        gathered.insert(status.bot_id.clone(), status);
    }

    /// Moves what was gathered behind the other changes, and begins to tell it.
    pub fn begin_round(&mut self) {
        self.flush_ms = None;
        for status in std::mem::take(&mut self.gathered).into_values() {
            self.changes.push(status);
        }
        self.round = Some(TellRound {
            until: self.changes.last(),
            next: ConnKey(0),
        });
    }

    /// Forgets the oldest changes until there are at most so many. Returns the number of the last one
    /// forgotten, or 0.
    pub fn forget_beyond(&mut self, most: usize) -> u64 {
        let mut forgotten = 0;
        while self.changes.len() > most
            && let Some(number) = self.changes.drop_first()
        {
            forgotten = number;
        }
        forgotten
    }

    /// The sockets that are not told everything.
    pub fn slow(&self) -> impl Iterator<Item = ConnKey> {
        self.full.iter().chain(self.behind.iter()).copied()
    }
}
