//! When to ask the store how far the directory is, as events can be lost.
//!
//! A number that is ahead of the replica may be ahead by events that are on their way; one that is
//! behind what the replica was when it asked means that the store lost data.

use crate::env::Millis;

/// How long a number that is ahead may wait for the events that are on their way, milliseconds.
const BEHIND_MS: Millis = 300;

/// When to compare, and what of it is under way.
#[derive(Debug, Default)]
pub(super) struct DirectoryComparison {
    /// When to ask next.
    at_ms: Option<Millis>,
    /// The replica's number when the store was asked for its own.
    asked: Option<u64>,
    /// A number that the store has and this replica has not, and until when it may come by itself.
    behind: Option<(u64, Millis)>,
    /// Whether the store's last word was that it has just what the replica has, and nothing casts doubt on
    /// that since.
    agrees: bool,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DueComparison {
    /// The store is asked for its number.
    pub asks: bool,
    /// The events that were on their way did not come: the directory is read.
    pub reads: bool,
}

impl DirectoryComparison {
    /// The directory is being read: the next comparison is for afterwards.
    pub fn restart(&mut self) {
        self.at_ms = None;
        self.behind = None;
    }

    pub fn is_scheduled(&self) -> bool {
        self.at_ms.is_some()
    }

    /// Asks at a time; absent: not at all.
    pub fn schedule(&mut self, at_ms: Option<Millis>) {
        self.at_ms = at_ms;
    }

    /// The store answered. Returns the replica's number when it was asked.
    pub fn answered(&mut self) -> Option<u64> {
        self.agrees = false;
        self.asked.take()
    }

    /// The store has just what the replica has.
    pub fn agree(&mut self) {
        self.agrees = true;
    }

    /// The store may have something else than it said.
    pub fn doubt(&mut self) {
        self.agrees = false;
    }

    /// Whether the store has just what the replica has. When the next question is overdue, nobody knows.
    pub fn agrees(&self, now_ms: Millis) -> bool {
        self.agrees && self.at_ms.is_some_and(|at_ms| now_ms < at_ms)
    }

    /// The store has a number that the replica has not.
    pub fn fell_behind(&mut self, stored: u64, now_ms: Millis) {
        self.behind = Some((stored, now_ms + BEHIND_MS));
    }

    /// What is due, of a replica at number `ver`.
    pub fn take_due(&mut self, now_ms: Millis, ver: u64) -> DueComparison {
        let is_due = |at_ms: Millis| now_ms >= at_ms;
        let behind = self.behind.take_if(|(_, until_ms)| is_due(*until_ms));
        let asks = self.asked.is_none() && self.at_ms.take_if(|at_ms| is_due(*at_ms)).is_some();
        if asks {
            self.asked = Some(ver);
        }
        let reads = behind.is_some_and(|(stored, _)| ver < stored);
        DueComparison { asks, reads }
    }

    pub fn next_wakeup(&self) -> Millis {
        let at_ms = self.at_ms.filter(|_| self.asked.is_none());
        let behind_ms = self.behind.map(|(_, until_ms)| until_ms);
        let both = at_ms.into_iter().chain(behind_ms);
        both.min().unwrap_or(Millis::MAX)
    }
}
