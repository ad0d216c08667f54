//! The sockets of one listener, and the place that each has until it is closed.

use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use router_core::auth::Source;
use tokio::task::AbortHandle;

use super::limits::{GateLimits, GateRefusal};
use super::unauthenticated::{UnauthenticatedSockets, WaitingSocket};

/// Displaced sockets that may be open beyond the limit until their tasks have ended.
pub(super) const DISPLACED_MAX: usize = 64;

/// Counts the sockets of one listener.
#[derive(Debug)]
pub(crate) struct Gate {
    limits: GateLimits,
    pub(super) sockets: AtomicUsize,
    unauthenticated: Mutex<UnauthenticatedSockets>,
}

/// A connection that was let in.
#[derive(Debug)]
pub(crate) struct EnteredSocket {
    pub(crate) open: OpenGuard,
    /// The source of the one that had to make room for it.
    pub(crate) displaced: Option<Source>,
}

/// A socket that counts as open until this is dropped; clones count once.
#[derive(Debug, Clone)]
pub(crate) struct OpenGuard(Arc<OpenSocket>);

#[derive(Debug)]
struct OpenSocket {
    gate: Arc<Gate>,
    id: u64,
    accepted: Instant,
    /// Spares the requests of a kept-alive connection the gate's lock.
    authenticated: AtomicBool,
    /// Counts the socket for a tenant between two requests of a kept-alive connection, until it is dropped.
    kept: Mutex<Option<Box<dyn Debug + Send>>>,
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
    /// A gate without sockets.
    pub(crate) fn new(limits: GateLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            sockets: AtomicUsize::new(0),
            unauthenticated: Mutex::default(),
        })
    }

    /// Lets a connection in. `is_proxy`: it is not known yet where it comes from.
    pub(crate) fn enter(
        self: &Arc<Self>,
        peer: IpAddr,
        is_proxy: bool,
    ) -> Result<EnteredSocket, GateRefusal> {
        let source = Source::of(peer);
        let mut unauthenticated = self.unauthenticated();
        if !is_proxy && unauthenticated.count(source) >= self.limits.per_source {
            return Err(GateRefusal::Source);
        }
        let open = self.sockets.load(Ordering::Relaxed);
        let is_full = open >= self.limits.sockets
            || unauthenticated.sockets.len() >= self.limits.unauthenticated;
        let displaced = match is_full {
            false => None,
            true if open >= self.limits.sockets.saturating_add(DISPLACED_MAX) => {
                return Err(GateRefusal::Full);
            }
            true => Some(unauthenticated.displace().ok_or(GateRefusal::Full)?),
        };
        let id = unauthenticated.insert(source);
        drop(unauthenticated);
        self.sockets.fetch_add(1, Ordering::Relaxed);
        let displaced = displaced.map(|WaitingSocket { source, task }| {
            if let Some(task) = task {
                task.abort();
            }
            source
        });
        let gate = Arc::clone(self);
        let open = OpenGuard(Arc::new(OpenSocket {
            gate,
            id,
            accepted: Instant::now(),
            authenticated: AtomicBool::new(false),
            kept: Mutex::default(),
        }));
        Ok(EnteredSocket { open, displaced })
    }

    pub(super) fn unauthenticated(&self) -> MutexGuard<'_, UnauthenticatedSockets> {
        self.unauthenticated
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenGuard {
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
    pub(crate) fn comes_from(&self, source: Source) -> Result<(), GateRefusal> {
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
    pub(crate) fn keep(&self, place: Option<Box<dyn Debug + Send>>) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *kept, place);
        // Its drop takes a lock of the node.
        drop(kept);
        drop(before);
    }

    /// How long ago the connection was accepted.
    pub(crate) fn age(&self) -> Duration {
        self.0.accepted.elapsed()
    }

    /// It has authenticated: nothing displaces it any more.
    pub(crate) fn authenticated(&self) {
        if !self.0.authenticated.swap(true, Ordering::Relaxed) {
            self.0.gate.unauthenticated().remove(self.0.id);
        }
    }
}
