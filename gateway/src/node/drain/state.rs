//! How far the node is with going away, and which answers it waits for.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::task::AbortHandle;

use super::counts::MoveCounts;
use crate::config::DrainTimes;
use crate::node::lock::lock;

/// How far a drain is. Each phase includes what those before it say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum DrainPhase {
    /// It does not drain.
    Serving,
    /// It is not ready, and serves on.
    Announced,
    /// It takes no new sockets, and asks those it has to move.
    Moving,
    /// Nobody is left. It stays so until the drain is taken back.
    Drained,
    /// It takes no messages, and closes what is left.
    Ending,
}

impl DrainPhase {
    const ALL: [Self; 5] = [
        Self::Serving,
        Self::Announced,
        Self::Moving,
        Self::Drained,
        Self::Ending,
    ];

    /// For the log and the admin API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Announced => "announced",
            Self::Moving => "moving",
            Self::Drained => "drained",
            Self::Ending => "ending",
        }
    }
}

/// How far the node is with going away.
#[derive(Debug)]
pub(in crate::node) struct DrainState {
    times: Mutex<DrainTimes>,
    pub(super) moves: MoveCounts,
    phase: AtomicU8,
    /// The drain that an operator began, and that can be taken back.
    ordered: Mutex<Option<AbortHandle>>,
    /// Requests of the HTTP API whose answer is not written yet.
    answering: Arc<AtomicUsize>,
}

/// A request whose answer is not written yet, until this is dropped.
#[derive(Debug)]
pub(crate) struct PendingAnswer(Arc<AtomicUsize>);

impl DrainState {
    pub(in crate::node) fn new(times: DrainTimes) -> Self {
        Self {
            times: Mutex::new(times),
            moves: MoveCounts::default(),
            phase: AtomicU8::new(DrainPhase::Serving as u8),
            ordered: Mutex::default(),
            answering: Arc::default(),
        }
    }

    /// How long its phases take.
    pub(super) fn times(&self) -> DrainTimes {
        *lock(&self.times)
    }

    /// The phases that begin from now on take so long.
    pub(in crate::node) fn set_times(&self, times: DrainTimes) {
        *lock(&self.times) = times;
    }

    pub(super) fn phase(&self) -> DrainPhase {
        DrainPhase::ALL[usize::from(self.phase.load(Ordering::Acquire))]
    }

    /// Goes on to a phase; a later one stays. False: it was there already.
    pub(super) fn reach(&self, phase: DrainPhase) -> bool {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel) < phase as u8
    }

    /// Counts a request whose answer a drain waits for.
    pub(super) fn answering(&self) -> PendingAnswer {
        self.answering.fetch_add(1, Ordering::AcqRel);
        PendingAnswer(Arc::clone(&self.answering))
    }

    /// Whether every answer is written.
    pub(super) fn has_answered_all(&self) -> bool {
        self.answering.load(Ordering::Acquire) == 0
    }

    /// Notes the task of a drain that an operator began.
    pub(super) fn is_ordered(&self, task: AbortHandle) {
        *lock(&self.ordered) = Some(task);
    }

    /// Ends the drain that an operator began, and takes nothing back. False: there is none.
    pub(super) fn stop_ordered(&self) -> bool {
        let task = lock(&self.ordered).take();
        task.inspect(AbortHandle::abort).is_some()
    }

    /// Takes the drain back that an operator began. False: there is none, or the process ends.
    pub(super) fn take_back(&self) -> bool {
        // Under the lock, so that no end of the process begins in between.
        let mut ordered = lock(&self.ordered);
        if self.phase() == DrainPhase::Ending {
            return false;
        }
        let Some(task) = ordered.take() else {
            return false;
        };
        task.abort();
        self.phase
            .store(DrainPhase::Serving as u8, Ordering::Release);
        true
    }
}

impl Drop for PendingAnswer {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
