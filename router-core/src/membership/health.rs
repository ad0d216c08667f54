//! Whether this node is DEGRADED: cut off from its store, or deaf on its own subscription.
//!
//! | it is, when | it is no longer, when |
//! | --- | --- |
//! | no own probe of the last 2 s came back | an own probe came back |
//! | the subscription's connection is down | that is up, and a probe came back |
//! | beats have failed for 2 s | a beat succeeded |
//!
//! To leave it takes both a probe and a beat that set out after it was entered: what lay in a
//! buffer while the process stood still proves nothing.

use super::times::{DEGRADED_MS, PROBES_LOST_MAX};
use crate::env::Millis;

/// Why a node is degraded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DegradedCause {
    /// The store has not answered for 2 s.
    StoreSilent,
    /// The subscription's connection is down.
    LinkDown,
    /// The subscription is connected, and nothing has come for 2 s.
    LinkDeaf,
    /// Store and subscription are well, and have to answer once more to prove it.
    Recovering,
}

impl DegradedCause {
    /// For the log and the admin API.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::StoreSilent => "the store does not answer",
            Self::LinkDown => "the subscription is not connected",
            Self::LinkDeaf => "the subscription delivers nothing",
            Self::Recovering => "the store has to answer once more",
        }
    }
}

/// What is known of the own links. All times Unix milliseconds.
#[derive(Debug)]
pub(super) struct LinkHealth {
    link: bool,
    /// When the newest probe that came back was sent.
    heard_ms: Option<Millis>,
    /// Probes sent since one came back, or since the link is what it is.
    unanswered: u32,
    /// When the first of the beats began that failed, or are out, since the last success.
    failing_ms: Option<Millis>,
    /// When the newest beat began that succeeded.
    beaten_ms: Option<Millis>,
    degraded_ms: Option<Millis>,
}

impl LinkHealth {
    /// Degraded until the first probe and beat. The link counts as up: a probe will prove it.
    pub(super) fn new(now_ms: Millis) -> Self {
        Self {
            link: true,
            heard_ms: None,
            unanswered: 0,
            failing_ms: None,
            beaten_ms: None,
            degraded_ms: Some(now_ms),
        }
    }

    pub(super) fn probe_sent(&mut self) {
        self.unanswered += 1;
    }

    /// Whether it is connected and hears nothing. Said once, then counted anew.
    pub(super) fn take_deaf(&mut self) -> bool {
        let is_deaf = self.link && self.unanswered >= PROBES_LOST_MAX;
        if is_deaf {
            self.unanswered = 0;
        }
        is_deaf
    }

    pub(super) fn probe_returned(&mut self, sent_ms: Millis) {
        self.unanswered = 0;
        self.heard_ms = self.heard_ms.max(Some(sent_ms));
    }

    pub(super) fn link_down(&mut self, now_ms: Millis) {
        self.link = false;
        self.degraded_ms = Some(now_ms);
    }

    pub(super) fn link_up(&mut self) {
        self.link = true;
        self.unanswered = 0;
        self.heard_ms = None;
    }

    pub(super) fn beat_began(&mut self, now_ms: Millis) {
        self.failing_ms.get_or_insert(now_ms);
    }

    pub(super) fn beat_succeeded(&mut self, began_ms: Millis) {
        self.failing_ms = None;
        self.beaten_ms = Some(began_ms);
    }

    /// The store answered, but there is no beat.
    pub(super) fn beat_refused(&mut self) {
        self.failing_ms = None;
    }

    /// Looks at the clock. Returns why the node is degraded now, if it is.
    pub(super) fn judge(&mut self, now_ms: Millis) -> Option<DegradedCause> {
        let over = |since_ms: Millis| now_ms >= since_ms + DEGRADED_MS;
        let sick = if self.failing_ms.is_some_and(over) {
            Some(DegradedCause::StoreSilent)
        } else if !self.link {
            Some(DegradedCause::LinkDown)
        } else if self.heard_ms.is_none_or(over) {
            Some(DegradedCause::LinkDeaf)
        } else {
            None
        };
        let recovering = self.degraded_ms.and_then(|since_ms| {
            let is_proved = self.heard_ms >= Some(since_ms) && self.beaten_ms >= Some(since_ms);
            (!is_proved).then_some(DegradedCause::Recovering)
        });
        let cause = sick.or(recovering);
        self.degraded_ms = cause.map(|_| self.degraded_ms.unwrap_or(now_ms));
        cause
    }

    /// When silence will make it degraded.
    pub(super) fn next_wakeup(&self) -> Option<Millis> {
        let well = self.degraded_ms.is_none();
        let since_ms = [self.heard_ms, self.failing_ms].into_iter().flatten();
        since_ms.min().filter(|_| well).map(|ms| ms + DEGRADED_MS)
    }
}
