//! What goes wrong, counted and kept for operators.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a problem of the store's content is not logged again.
const QUIET: Duration = Duration::from_secs(10 * 60);
/// How long a server counts as full after it refused something for that.
const FULL_PERIOD: Duration = Duration::from_secs(60);
/// Such problems that are logged within that time; each is a tenant's, or the nodes'.
const PROBLEMS: usize = 16;

/// What a command to Redis is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandKind {
    /// A step of the store.
    Script,
    /// A packet or a probe for a node.
    Publish,
    /// Subscriptions, pings, and what is asked beside the hot path.
    Other,
}

/// What operators are shown.
#[derive(Debug, Default)]
pub(crate) struct RedisCounters {
    pub(crate) reconnects: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) full_waits: AtomicU64,
    /// Commands refused because a server has no memory left.
    full: AtomicU64,
    last_full: Mutex<Option<Instant>>,
    /// By [`CommandKind`].
    commands: [AtomicU64; 3],
    last_error: Mutex<Option<String>>,
    /// Whether the last answer about the nodes was not understood.
    pub(crate) misread_nodes: AtomicBool,
    /// Problems of the store's content, and when each was logged.
    logged: Mutex<Vec<(String, Instant)>>,
}

impl RedisCounters {
    /// A command is sent.
    pub(crate) fn sent(&self, kind: CommandKind) {
        self.commands[kind as usize].fetch_add(1, Relaxed);
    }

    /// The commands that were sent, by [`CommandKind`].
    pub(crate) fn commands(&self) -> [u64; 3] {
        self.commands.each_ref().map(|count| count.load(Relaxed))
    }

    /// Keeps what went wrong last.
    pub(crate) fn error(&self, text: String) {
        let mut last = self
            .last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = Some(text);
    }

    /// A server refused a command because it has no memory left. The log has it once in ten minutes.
    pub(crate) fn full(&self, problem: &str) {
        self.full.fetch_add(1, Relaxed);
        *self
            .last_full
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let text = "a server has no memory left, and refuses everything that needs some";
        if self.is_due(text) {
            tracing::warn!(problem, "redis: {text}");
        }
        self.error(problem.to_owned());
    }

    /// How often a command was refused for that, and whether one was within the last minute.
    pub(crate) fn fullness(&self) -> (u64, bool) {
        let last = *self
            .last_full
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_full = last.is_some_and(|at| at.elapsed() < FULL_PERIOD);
        (self.full.load(Relaxed), is_full)
    }

    /// Keeps and logs what in the store is not as this program writes it. Such a problem stays until
    /// somebody repairs it, and every request finds it: the log has it once in ten minutes.
    pub(crate) fn misread(&self, problem: String) {
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
    pub(crate) fn last_error(&self) -> Option<String> {
        let last = self.last_error.lock();
        last.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_problem_is_logged_once_in_ten_minutes_and_few_of_them() {
        let counters = RedisCounters::default();
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
