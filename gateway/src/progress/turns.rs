//! Whose turn it is, and whether the peer moves on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::untaken::UntakenAnswers;
use crate::ws::SocketEnds;
use crate::ws::budget::BudgetCharge;

/// Fewest bytes in a `handshake_timeout` that count as progress, of an answer and of a request's body:
/// 0.4 KB/s by default, far below any network that is of use.
pub(crate) const PROGRESS_BYTES: u64 = 4096;
/// How often the progress of an answer is looked at in one `handshake_timeout`.
const LOOKS: u32 = 8;
/// When it is looked at first while a tenant is charged with it: most peers have taken it by then.
const FIRST_LOOK: Duration = Duration::from_millis(50);

/// What the stream, the service and the deadline of one connection share.
#[derive(Debug)]
pub(crate) struct ConnectionTurns {
    ours: watch::Sender<bool>,
    /// Whether nobody reads any more of the request: it is all here.
    body_ended: AtomicBool,
    untaken: UntakenAnswers,
    /// Whether the first head has come.
    begun: AtomicBool,
    /// Bytes that the stream has taken for the peer.
    written: AtomicU64,
    /// `written` when the answer began.
    answer_from: AtomicU64,
    /// Whether the answer is written as a whole, so that the peer's end may be seen.
    pub(super) answered: AtomicBool,
    /// Whether the peer has ended its sending side.
    pub(super) ended: watch::Sender<bool>,
}

impl ConnectionTurns {
    /// `ends`: what the kernel is asked about the connection by.
    pub(crate) fn new(ends: Option<SocketEnds>) -> Self {
        Self {
            ours: watch::Sender::default(),
            body_ended: AtomicBool::default(),
            untaken: UntakenAnswers::new(ends),
            begun: AtomicBool::default(),
            written: AtomicU64::default(),
            answer_from: AtomicU64::default(),
            answered: AtomicBool::new(true),
            ended: watch::Sender::default(),
        }
    }

    /// A head has come; `is_whole`: there is no body.
    pub(crate) fn ours(&self, is_whole: bool) {
        // Whoever asks again has read the last answer, or holds it in the kernel.
        self.look_at_untaken();
        self.body_ended.store(is_whole, Ordering::Relaxed);
        self.begun.store(true, Ordering::Relaxed);
        self.answered.store(false, Ordering::Relaxed);
        self.ours.send_replace(true);
    }

    /// The answer goes.
    pub(crate) fn peers(&self) {
        let written = self.written.load(Ordering::Relaxed);
        self.answer_from.store(written, Ordering::Relaxed);
        self.ours.send_replace(false);
    }

    /// The body of the request is all here.
    pub(crate) fn body_ended(&self) {
        self.body_ended.store(true, Ordering::Relaxed);
    }

    /// Keeps the charge for an answer until the peer has taken that.
    pub(crate) fn charge_until_taken(&self, charge: BudgetCharge) {
        self.untaken.push(charge);
    }

    /// Whether the peer has not taken an answer that a tenant is charged with.
    pub(super) fn is_owed(&self) -> bool {
        !self.untaken.is_empty()
    }

    pub(super) fn look_at_untaken(&self) {
        if self.is_owed() {
            self.taken_but(self.untaken.unacked());
        }
    }

    /// Gives back the charges but for so many bytes, unless some are not written yet.
    pub(super) fn taken_but(&self, unacked: u64) {
        if self.answered.load(Ordering::Relaxed) {
            self.untaken.keep(unacked);
        }
    }

    /// Whether nobody reads what the peer sends now.
    pub(super) fn is_deaf(&self) -> bool {
        !self.answered.load(Ordering::Relaxed)
            && (self.body_ended.load(Ordering::Relaxed) || !*self.ours.borrow())
    }

    /// Whether a head has come.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Returns once the peer has ended its sending side.
    pub(crate) async fn input_ended(&self) {
        // The sender is `self`: it outlives this.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Returns once the peer has stood still for `limit` in a turn of its own.
    pub(crate) async fn peer_too_slow(&self, limit: Duration) {
        let mut turns = self.ours.subscribe();
        loop {
            let is_ours = *turns.borrow_and_update();
            // The sender is `self`: it outlives this.
            if is_ours {
                let _ = turns.changed().await;
                continue;
            }
            tokio::select! {
                _ = turns.changed() => {}
                () = self.stands_still(limit) => return,
            }
        }
    }

    /// Returns once this turn of the peer's has no progress for `limit`.
    async fn stands_still(&self, limit: Duration) {
        let mut last = Instant::now();
        if !self.has_begun() {
            return sleep_until(last + limit).await;
        }
        // Of the first look on: before it the kernel may hold bytes of an earlier answer.
        let mut taken = None;
        // All that had been written when nothing was left to take.
        let mut settled = None;
        // Progress of an answer is seen up to one look late.
        let allowed = |settled: Option<u64>| match settled {
            Some(_) => limit,
            None => limit - limit / LOOKS,
        };
        let mut wait = match self.is_owed() {
            true => FIRST_LOOK.min(limit / LOOKS),
            false => limit / LOOKS,
        };
        loop {
            let next_look = Instant::now() + std::mem::replace(&mut wait, limit / LOOKS);
            sleep_until(next_look.min(last + allowed(settled))).await;
            let written = self.written.load(Ordering::Relaxed);
            if settled != Some(written) {
                let unacked = self.untaken.unacked();
                self.taken_but(unacked);
                let now_taken = written.saturating_sub(unacked);
                let is_whole = now_taken == written;
                let newly = now_taken.saturating_sub(*taken.get_or_insert(now_taken));
                if newly >= PROGRESS_BYTES || (is_whole && newly > 0) {
                    (taken, last) = (Some(now_taken), Instant::now());
                }
                settled = is_whole.then_some(written);
            }
            if last.elapsed() >= allowed(settled) {
                return;
            }
        }
    }

    pub(super) fn wrote(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// All that was written so far has left the stream's own buffers.
    pub(super) fn flushed(&self) {
        let began = self.answer_from.load(Ordering::Relaxed);
        if !*self.ours.borrow() && self.written.load(Ordering::Relaxed) > began {
            self.answered.store(true, Ordering::Relaxed);
        }
    }
}
