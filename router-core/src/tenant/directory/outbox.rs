//! What this node still has to tell the store: entries to release, and entries to reassert.
//!
//! One step of each kind is under way at a time; what gathers meanwhile is the next one. So a
//! thousand sockets that leave at once are a few steps, not a thousand. A step that was lost goes
//! back into the outbox, and is sent again a second later.

use std::collections::BTreeSet;

use protocol::limits::DIRECTORY_STEP_MAX;
use protocol::{BotId, ClientId, ConnectionId};

use crate::env::Millis;
use crate::ids::ConnKey;
use crate::store::{EntryRelease, Fence};

/// How long a step that was not taken waits, milliseconds.
const RETRY_MS: Millis = 1000;

/// What is to be told, and whether a step of each kind is under way.
#[derive(Debug, Default)]
pub(in crate::tenant) struct Outbox {
    bots: BTreeSet<(BotId, u64, ConnectionId)>,
    conns: BTreeSet<ConnectionId>,
    seen: BTreeSet<ClientId>,
    releasing: bool,
    /// When to send again what was not taken.
    retry_ms: Option<Millis>,
    /// Absent while there are none: the store seldom loses something.
    lost: Option<Box<LostEntries>>,
    /// The store has a lower key generation than was known here.
    reassert_generation: bool,
    asserting: bool,
}

/// Entries of this node that the store lost.
#[derive(Debug, Default)]
struct LostEntries {
    bots: BTreeSet<BotId>,
    conns: BTreeSet<ConnKey>,
}

/// A step of reasserting, for when it is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tenant) struct PendingAssert {
    pub bots: Vec<BotId>,
    pub conns: Vec<ConnKey>,
    pub generation: bool,
}

impl Outbox {
    pub fn len(&self) -> usize {
        let releases = self.bots.len() + self.conns.len() + self.seen.len();
        let lost = self.lost.as_ref();
        releases + lost.map_or(0, |lost| lost.bots.len() + lost.conns.len())
    }

    /// Whether it has nothing that nobody else could tell.
    pub fn is_settled(&self) -> bool {
        let nothing = self.bots.is_empty() && self.conns.is_empty() && self.seen.is_empty();
        let is_asserted = !self.reassert_generation && !self.asserting;
        nothing && !self.releasing && is_asserted
    }

    pub fn next_wakeup(&self) -> Millis {
        self.retry_ms.unwrap_or(Millis::MAX)
    }

    /// Whether what was not taken is to be sent again now.
    pub fn take_due(&mut self, now_ms: Millis) -> bool {
        self.retry_ms.take_if(|at_ms| now_ms >= *at_ms).is_some()
    }

    // --- to release ---

    pub fn release_bot(&mut self, bot: BotId, fence: Fence) {
        self.bots.insert((bot, fence.epoch, fence.conn));
    }

    pub fn release_conn(&mut self, conn: ConnectionId) {
        self.conns.insert(conn);
    }

    /// A client was seen until now.
    pub fn see(&mut self, client: ClientId) {
        self.seen.insert(client);
    }

    /// The bot is at home here after all.
    pub fn keep_bot(&mut self, bot: BotId, fence: Fence) {
        self.bots.remove(&(bot, fence.epoch, fence.conn));
    }

    /// Begins the next step of releasing, unless one is under way or there is nothing to release.
    pub fn begin_release(&mut self) -> Option<EntryRelease> {
        if self.releasing {
            return None;
        }
        let most = DIRECTORY_STEP_MAX;
        let bots = take(&mut self.bots, most);
        let conns = take(&mut self.conns, most);
        let seen = take(&mut self.seen, most);
        if bots.is_empty() && conns.is_empty() && seen.is_empty() {
            return None;
        }
        self.releasing = true;
        let fence = |(bot, epoch, conn)| (bot, Fence { conn, epoch });
        Some(EntryRelease {
            conns,
            bots: bots.into_iter().map(fence).collect(),
            seen,
        })
    }

    /// The step of releasing was taken.
    pub fn released(&mut self) {
        self.releasing = false;
    }

    /// It was not.
    pub fn not_released(&mut self, release: EntryRelease, now_ms: Millis) {
        self.releasing = false;
        for (bot, fence) in release.bots {
            self.release_bot(bot, fence);
        }
        self.conns.extend(release.conns);
        self.seen.extend(release.seen);
        self.retry_ms = Some(now_ms + RETRY_MS);
    }

    // --- to reassert ---

    /// A bot that is at home here must be told to the store again.
    pub fn reassert_bot(&mut self, bot: BotId) {
        self.lost.get_or_insert_default().bots.insert(bot);
    }

    /// The same for a connection.
    pub fn reassert_conn(&mut self, conn: ConnKey) {
        self.lost.get_or_insert_default().conns.insert(conn);
    }

    /// The same for the key generation: even who holds nothing must not let revoked keys back in.
    pub fn reassert_generation(&mut self) {
        self.reassert_generation = true;
    }

    /// A connection is gone, so there is nothing to reassert.
    pub fn forget_conn(&mut self, key: ConnKey) {
        if let Some(lost) = &mut self.lost {
            lost.conns.remove(&key);
        }
    }

    /// Takes what the next step reasserts, unless one is under way. If there is anything to tell,
    /// [`begin_assert`](Self::begin_assert) follows.
    pub fn take_assert(&mut self) -> Option<PendingAssert> {
        if self.asserting {
            return None;
        }
        let (mut bots, mut conns) = (Vec::new(), Vec::new());
        if let Some(lost) = &mut self.lost {
            bots = take(&mut lost.bots, DIRECTORY_STEP_MAX);
            conns = take(&mut lost.conns, DIRECTORY_STEP_MAX);
        }
        self.lost
            .take_if(|lost| lost.bots.is_empty() && lost.conns.is_empty());
        Some(PendingAssert {
            bots,
            conns,
            generation: std::mem::take(&mut self.reassert_generation),
        })
    }

    /// The step is on its way.
    pub fn begin_assert(&mut self) {
        self.asserting = true;
    }

    /// The step of reasserting was taken.
    pub fn asserted(&mut self) {
        self.asserting = false;
    }

    /// It was not.
    pub fn not_asserted(&mut self, step: PendingAssert, now_ms: Millis) {
        self.asserting = false;
        if !step.bots.is_empty() || !step.conns.is_empty() {
            let lost = self.lost.get_or_insert_default();
            lost.bots.extend(step.bots);
            lost.conns.extend(step.conns);
        }
        self.reassert_generation |= step.generation;
        self.retry_ms = Some(now_ms + RETRY_MS);
    }
}

/// Takes the first few of a set.
fn take<T: Ord>(set: &mut BTreeSet<T>, most: usize) -> Vec<T> {
    std::iter::from_fn(|| set.pop_first()).take(most).collect()
}
