//! The gate of a listener: how many sockets may be open, and how many of them without a credential.
//!
//! | too many | then |
//! | --- | --- |
//! | unauthenticated sockets of one source | 429 with `Retry-After` |
//! | unauthenticated sockets of the listener | the oldest one of the source with the most is closed, the new one gets its place |
//! | sockets of the listener | the same, while one is unauthenticated; else 503 with `Retry-After` |
//!
//! A socket is unauthenticated from accept until its `auth_ok`, or until a request on it has
//! authenticated. From then on nothing here closes it. A trusted proxy has no limit of its own: when the
//! head of a request is read, its socket counts for the address that the proxy names.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::limits::{UNAUTHENTICATED_MAX, UNAUTHENTICATED_PER_SOURCE};
use router_core::auth::Source;
use tokio::task::AbortHandle;

use crate::node::KeptPlace;

/// Which part of `sockets_max` may be unauthenticated: a quarter.
const UNAUTHENTICATED_SHARE: usize = 4;
/// Most sockets of the admin listener: probes and scrapes take milliseconds, and people are few.
const ADMIN_SOCKETS_MAX: usize = 64;
/// Displaced sockets that may be open beyond the limit until their tasks have ended.
const DISPLACED_MAX: usize = 64;

/// What a gate lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GateLimits {
    /// Most sockets.
    sockets: usize,
    /// Most of them that are unauthenticated.
    unauthenticated: usize,
    /// Most of those from one source.
    per_source: usize,
}

impl GateLimits {
    /// Of the public listener. One source never has more than half of what is unauthenticated.
    pub(crate) fn public(sockets_max: usize) -> Self {
        let unauthenticated = (sockets_max / UNAUTHENTICATED_SHARE).clamp(1, UNAUTHENTICATED_MAX);
        Self {
            sockets: sockets_max,
            unauthenticated,
            per_source: (unauthenticated / 2).clamp(1, UNAUTHENTICATED_PER_SOURCE),
        }
    }

    /// Of the admin listener.
    pub(crate) fn admin() -> Self {
        Self {
            sockets: ADMIN_SOCKETS_MAX,
            unauthenticated: ADMIN_SOCKETS_MAX,
            per_source: ADMIN_SOCKETS_MAX / 2,
        }
    }
}

/// Why a connection is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shut {
    /// Its source has too many that are unauthenticated.
    Source,
    /// Every place is taken by an authenticated one.
    Full,
}

impl Shut {
    /// The HTTP status that says so.
    pub(crate) const fn status(self) -> u16 {
        match self {
            Shut::Source => 429,
            Shut::Full => 503,
        }
    }
}

/// Counts the sockets of one listener.
#[derive(Debug)]
pub(crate) struct Gate {
    limits: GateLimits,
    sockets: AtomicUsize,
    unauthenticated: Mutex<Unauthenticated>,
}

/// A connection that was let in.
#[derive(Debug)]
pub(crate) struct Entered {
    pub(crate) open: Open,
    /// The source of the one that had to make room for it.
    pub(crate) displaced: Option<Source>,
}

/// A socket that counts as open until this is dropped; clones count once.
#[derive(Debug, Clone)]
pub(crate) struct Open(Arc<OpenSocket>);

#[derive(Debug)]
struct OpenSocket {
    gate: Arc<Gate>,
    id: u64,
    /// Spares the requests of a kept-alive connection the gate's lock.
    authenticated: AtomicBool,
    /// Whose it is between two requests of a kept-alive connection.
    kept: Mutex<Option<Box<KeptPlace>>>,
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        if !*self.authenticated.get_mut() {
            self.gate.unauthenticated().remove(self.id);
        }
        self.gate.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    /// A gate with nobody in it.
    pub(crate) fn new(limits: GateLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            sockets: AtomicUsize::new(0),
            unauthenticated: Mutex::default(),
        })
    }

    /// Lets a connection in. `is_proxy`: it is not known yet where it comes from.
    pub(crate) fn enter(self: &Arc<Self>, peer: IpAddr, is_proxy: bool) -> Result<Entered, Shut> {
        let source = Source::of(peer);
        let mut unauthenticated = self.unauthenticated();
        if !is_proxy && unauthenticated.count(source) >= self.limits.per_source {
            return Err(Shut::Source);
        }
        let open = self.sockets.load(Ordering::Relaxed);
        let is_full = open >= self.limits.sockets
            || unauthenticated.sockets.len() >= self.limits.unauthenticated;
        let displaced = match is_full {
            false => None,
            true if open >= self.limits.sockets.saturating_add(DISPLACED_MAX) => {
                return Err(Shut::Full);
            }
            true => Some(unauthenticated.displace().ok_or(Shut::Full)?),
        };
        let id = unauthenticated.insert(source);
        drop(unauthenticated);
        self.sockets.fetch_add(1, Ordering::Relaxed);
        let displaced = displaced.map(|Waiting { source, task }| {
            if let Some(task) = task {
                task.abort();
            }
            source
        });
        let gate = Arc::clone(self);
        let open = Open(Arc::new(OpenSocket {
            gate,
            id,
            authenticated: AtomicBool::new(false),
            kept: Mutex::default(),
        }));
        Ok(Entered { open, displaced })
    }

    fn unauthenticated(&self) -> MutexGuard<'_, Unauthenticated> {
        self.unauthenticated
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Names the task that is aborted when the socket has to go; the first that is named stays.
    pub(crate) fn served_by(&self, task: AbortHandle) {
        let mut unauthenticated = self.0.gate.unauthenticated();
        if let Some(waiting) = unauthenticated.sockets.get_mut(&self.0.id) {
            waiting.task.get_or_insert(task);
        }
    }

    /// Names the task that has taken the socket over from the first.
    pub(crate) fn handed_to(&self, task: AbortHandle) {
        let mut unauthenticated = self.0.gate.unauthenticated();
        if let Some(waiting) = unauthenticated.sockets.get_mut(&self.0.id) {
            waiting.task = Some(task);
        }
    }

    /// Counts the socket for the source that the head of its request names. Errors: too many from there.
    pub(crate) fn comes_from(&self, source: Source) -> Result<(), Shut> {
        let OpenSocket {
            gate,
            id,
            authenticated,
            ..
        } = &*self.0;
        if authenticated.load(Ordering::Relaxed) {
            return Ok(());
        }
        gate.unauthenticated()
            .moved(*id, source, gate.limits.per_source)
    }

    /// Counts the connection for a tenant until the next call or its end.
    pub(crate) fn keep(&self, place: Option<KeptPlace>) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *kept, place.map(Box::new));
        // Its drop takes a lock of the node.
        drop(kept);
        drop(before);
    }

    /// It has authenticated: nothing displaces it any more.
    pub(crate) fn authenticated(&self) {
        if !self.0.authenticated.swap(true, Ordering::Relaxed) {
            self.0.gate.unauthenticated().remove(self.0.id);
        }
    }
}

/// The sockets that have shown no credential.
#[derive(Debug, Default)]
struct Unauthenticated {
    /// Counted up, so that the least id is the oldest socket.
    next_id: u64,
    sockets: HashMap<u64, Waiting>,
    sources: HashMap<Source, BTreeSet<u64>>,
    /// The sources by their number of sockets, and among equals by the age of the oldest.
    ranks: BTreeMap<(usize, Reverse<u64>), Source>,
}

#[derive(Debug)]
struct Waiting {
    source: Source,
    task: Option<AbortHandle>,
}

impl Unauthenticated {
    fn count(&self, source: Source) -> usize {
        self.sources.get(&source).map_or(0, BTreeSet::len)
    }

    fn insert(&mut self, source: Source) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.change(source, |ids| ids.insert(id));
        self.sockets.insert(id, Waiting { source, task: None });
        id
    }

    fn remove(&mut self, id: u64) -> Option<Waiting> {
        let waiting = self.sockets.remove(&id)?;
        self.change(waiting.source, |ids| ids.remove(&id));
        Some(waiting)
    }

    fn moved(&mut self, id: u64, source: Source, per_source: usize) -> Result<(), Shut> {
        let Some(waiting) = self.sockets.get_mut(&id) else {
            return Ok(());
        };
        if waiting.source == source {
            return Ok(());
        }
        if self.sources.get(&source).map_or(0, BTreeSet::len) >= per_source {
            return Err(Shut::Source);
        }
        let old = std::mem::replace(&mut waiting.source, source);
        self.change(old, |ids| ids.remove(&id));
        self.change(source, |ids| ids.insert(id));
        Ok(())
    }

    /// Takes out the oldest socket of the source that has the most.
    fn displace(&mut self) -> Option<Waiting> {
        let (&(_, Reverse(id)), _) = self.ranks.last_key_value()?;
        self.remove(id)
    }

    /// Changes the sockets of a source, and its rank with them.
    fn change(&mut self, source: Source, change: impl FnOnce(&mut BTreeSet<u64>) -> bool) {
        let mut ids = self.sources.remove(&source).unwrap_or_default();
        if let Some(rank) = rank_of(&ids) {
            self.ranks.remove(&rank);
        }
        change(&mut ids);
        if let Some(rank) = rank_of(&ids) {
            self.ranks.insert(rank, source);
            self.sources.insert(source, ids);
        }
    }
}

fn rank_of(ids: &BTreeSet<u64>) -> Option<(usize, Reverse<u64>)> {
    ids.first().map(|oldest| (ids.len(), Reverse(*oldest)))
}

#[cfg(test)]
mod tests;
