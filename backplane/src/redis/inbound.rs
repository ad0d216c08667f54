//! What a node is told by the others, and by its own probes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use protocol::TenantId;
use router_core::store::Event;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::bounds::{Bounds, ServerClock};
use crate::directory;
use crate::keys::{Channel, Keys};

/// What begins a probe in an inbox; no packet begins so.
const PROBE: &[u8] = b"probe ";
/// Probes under way that are remembered.
const PROBES: usize = 16;
/// How long a problem of the store's content is not logged again.
const QUIET: Duration = Duration::from_secs(10 * 60);
/// Such problems that are logged within that time; each is a tenant's, or the nodes'.
const PROBLEMS: usize = 16;

/// Something that arrived, in the order in which it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inbound {
    /// From another node's lane.
    Packet(Bytes),
    /// A step of a tenant's directory.
    Event {
        /// Whose.
        tenant: TenantId,
        /// The step.
        event: Event,
        /// Whether the tenant's counter was no time, and was repaired in this step.
        repaired: bool,
    },
    /// A probe came back, over every connection that listens.
    Probe {
        /// Its number.
        number: u64,
    },
    /// Messages are being lost from now on. The link is up from the start, without a word.
    LinkDown,
    /// Everything is subscribed again; what was published in between is lost.
    LinkUp,
}

/// What operators are shown.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) reconnects: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) full_waits: AtomicU64,
    last_error: Mutex<Option<String>>,
    /// Whether the last answer about the nodes was not understood.
    pub(super) misread_nodes: AtomicBool,
    /// Problems of the store's content, and when each was logged.
    logged: Mutex<Vec<(String, Instant)>>,
}

impl Counters {
    /// Keeps what went wrong last.
    pub(super) fn error(&self, text: String) {
        let mut last = self
            .last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = Some(text);
    }

    /// Keeps and logs what in the store is not as this program writes it. Such a problem stays until
    /// somebody mends it, and every question meets it: the log has it once in ten minutes.
    pub(super) fn misread(&self, problem: String) {
        if self.is_due(&problem) {
            tracing::warn!("redis: {problem}");
        }
        self.error(problem);
    }

    fn is_due(&self, problem: &str) -> bool {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        logged.retain(|(_, at)| at.elapsed() < QUIET);
        let is_due = logged.len() < PROBLEMS && logged.iter().all(|(last, _)| last != problem);
        if is_due {
            logged.push((problem.to_owned(), Instant::now()));
        }
        is_due
    }

    /// What went wrong last.
    pub(super) fn last_error(&self) -> Option<String> {
        let last = self.last_error.lock();
        last.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads messages, for all connections of a node.
pub(super) struct Intake {
    pub(super) keys: Keys,
    pub(super) sender: mpsc::Sender<Inbound>,
    pub(super) counters: Counters,
    pub(super) clock: ServerClock,
    probes: Mutex<BTreeMap<u64, BTreeSet<usize>>>,
}

impl Intake {
    pub(super) fn new(keys: Keys, sender: mpsc::Sender<Inbound>) -> Self {
        Self {
            keys,
            sender,
            counters: Counters::default(),
            clock: ServerClock::default(),
            probes: Mutex::default(),
        }
    }

    /// Sends a probe out over `connections`, and gives its text.
    pub(super) fn probe(&self, number: u64, connections: usize) -> Vec<u8> {
        let mut probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        probes.insert(number, (0..connections).collect());
        if probes.len() > PROBES {
            probes.pop_first();
        }
        [PROBE, number.to_string().as_bytes()].concat()
    }

    /// What a message on connection `index` is. `None`: nothing, or not all of it yet.
    pub(super) fn read(&self, index: usize, channel: &[u8], payload: Bytes) -> Option<Inbound> {
        let channel = self.keys.channel(std::str::from_utf8(channel).ok()?)?;
        match channel {
            Channel::Events(tenant) => {
                let bounds = Bounds::at(self.clock.now_ms());
                let read = directory::event(&payload, bounds);
                let skipped = read.as_ref().map_or(1, |read| read.skipped);
                self.counters.skipped.fetch_add(skipped, Relaxed);
                read.map(|read| Inbound::Event {
                    tenant,
                    event: read.event,
                    repaired: read.repaired,
                })
            }
            Channel::Inbox(_) | Channel::Probe(_) => match payload.strip_prefix(PROBE) {
                Some(number) => self.returned(index, number),
                None => Some(Inbound::Packet(payload)),
            },
        }
    }

    fn returned(&self, index: usize, number: &[u8]) -> Option<Inbound> {
        let number = std::str::from_utf8(number).ok()?.parse().ok()?;
        let mut probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = probes.get_mut(&number)?;
        missing.remove(&index);
        if !missing.is_empty() {
            return None;
        }
        probes.remove(&number);
        Some(Inbound::Probe { number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_problem_is_logged_once_in_ten_minutes_and_few_of_them() {
        let counters = Counters::default();
        let due = |from: usize, to: usize| {
            let problems = (from..to).map(|number| counters.is_due(&number.to_string()));
            problems.filter(|is_due| *is_due).count()
        };
        assert_eq!((due(0, 1), due(0, 1)), (1, 0));
        tokio::time::advance(QUIET / 2).await;
        assert_eq!(due(0, PROBLEMS + 5), PROBLEMS - 1);
        tokio::time::advance(QUIET / 2).await;
        assert_eq!((due(0, 2), due(0, 2)), (1, 0), "only the first is over");
    }
}
