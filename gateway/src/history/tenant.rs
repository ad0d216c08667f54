//! The history of one tenant, bounded in events and bots.

use std::collections::VecDeque;

use protocol::{BotId, ConnectionId};
use router_core::{ConnKey, Millis};

use super::bot::{BotConnection, BotLoss, ConnectionClose};
use super::event::{CountedEvent, EventClass, HistoryEvent};

/// Events of a tenant: a person reads them all.
pub(super) const EVENTS_MAX: usize = 50;
/// An event is joined with an equal one among so many of the newest: two refusals that alternate stay two
/// entries.
pub(super) const JOIN_REACH: usize = 8;
/// Bots of a tenant whose last connection is remembered.
pub(crate) const BOTS_MAX: usize = 32;

impl EventClass {
    /// How many of a tenant's events may be of this class. Beyond that the oldest of the class goes, so
    /// that a flood of sockets or of refusals leaves the other events in place, and strangers leave both.
    const fn share(self) -> usize {
        match self {
            Self::Connection => 30,
            Self::Bot => 25,
            Self::Refusal => 20,
            Self::Claim => 8,
        }
    }
}

/// What happened to a tenant on this node.
#[derive(Debug, Default)]
pub(crate) struct TenantHistory {
    /// The newest is the last.
    events: VecDeque<CountedEvent>,
    counts: Vec<ReasonCount>,
    /// The one that changed last is the last.
    bots: VecDeque<BotConnection>,
    /// Whether it may take more or less than when [`Self::take_resized`] was asked last.
    is_resized: bool,
}

/// How often something happened for one reason since the tenant is remembered. The names are of closed
/// tables, so that there are at most a few dozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReasonCount {
    pub(crate) what: &'static str,
    pub(crate) reason: Option<&'static str>,
    pub(crate) count: u64,
}

impl TenantHistory {
    /// Adds an event.
    pub(crate) fn add(&mut self, event: HistoryEvent, now_ms: Millis) {
        self.count(&event);
        let newest = self.events.iter().rev().take(JOIN_REACH);
        let equal = newest.enumerate().find(|(_, known)| known.event == event);
        let counted = match equal.map(|(back, _)| self.events.len() - 1 - back) {
            Some(index) => self.events.remove(index).map(|mut known| {
                known.again(now_ms);
                known
            }),
            None => None,
        };
        let counted = counted.unwrap_or_else(|| {
            self.make_room(event.kind.class());
            CountedEvent::once(event, now_ms)
        });
        self.events.push_back(counted);
    }

    fn count(&mut self, event: &HistoryEvent) {
        let (what, reason) = (event.kind.name(), event.kind.reason());
        let mut counts = self.counts.iter_mut();
        match counts.find(|known| (known.what, known.reason) == (what, reason)) {
            Some(known) => known.count += 1,
            None => {
                self.is_resized = true;
                self.counts.push(ReasonCount {
                    what,
                    reason,
                    count: 1,
                });
            }
        }
    }

    /// Forgets the oldest event of a class that has its share, or else the oldest of all.
    fn make_room(&mut self, class: EventClass) {
        self.is_resized = true;
        let is_of_class = |known: &&CountedEvent| known.event.kind.class() == class;
        let is_full = self.events.iter().filter(is_of_class).count() >= class.share();
        if is_full {
            let oldest = self.events.iter().position(|known| is_of_class(&known));
            oldest.and_then(|oldest| self.events.remove(oldest));
        } else if self.events.len() >= EVENTS_MAX {
            self.events.pop_front();
        }
    }

    /// A connection of this node holds a bot now.
    pub(crate) fn bot_arrived(&mut self, arrived: BotConnection) {
        self.is_resized = true;
        self.bots.retain(|known| known.bot != arrived.bot);
        if self.bots.len() >= BOTS_MAX {
            self.bots.pop_front();
        }
        self.bots.push_back(arrived);
    }

    /// A connection lost a bot. Says nothing of a later connection of the bot.
    pub(crate) fn bot_lost(&mut self, bot: &BotId, key: ConnKey, loss: BotLoss) {
        let mut bots = self.bots.iter_mut();
        if let Some(known) = bots.find(|known| known.bot == *bot && known.key == key) {
            self.is_resized = true;
            known.loss = Some(loss);
        }
    }

    /// A socket ended.
    pub(crate) fn closed(&mut self, connection: &ConnectionId, close: ConnectionClose) {
        let bots = self.bots.iter_mut();
        for known in bots.filter(|known| known.connection == *connection) {
            known.close = Some(close);
        }
    }

    /// Its events, the newest first.
    pub(crate) fn events(&self) -> impl Iterator<Item = &CountedEvent> {
        self.events.iter().rev()
    }

    /// How often what happened, in no order.
    pub(crate) fn counts(&self) -> &[ReasonCount] {
        &self.counts
    }

    /// The last connections of its bots, in no order.
    pub(crate) fn bots(&self) -> impl Iterator<Item = &BotConnection> {
        self.bots.iter()
    }

    /// Whether it may take more or less since it was asked this last. In a flood of equal events it does not.
    pub(super) fn take_resized(&mut self) -> bool {
        std::mem::take(&mut self.is_resized)
    }

    /// What it takes, bytes.
    pub(super) fn bytes(&self) -> usize {
        let own = self.events.capacity() * size_of::<CountedEvent>()
            + self.counts.capacity() * size_of::<ReasonCount>()
            + self.bots.capacity() * size_of::<BotConnection>();
        let events: usize = self.events.iter().map(CountedEvent::heap_bytes).sum();
        let bots: usize = self.bots.iter().map(BotConnection::heap_bytes).sum();
        own + events + bots
    }
}
