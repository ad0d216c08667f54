//! What a message counts as.

use protocol::{RefusalClass, UsageMeter};

use super::TenantMeter;
use crate::check;
use crate::env::Env;
use crate::invariant::Invariant;

/// What became of a message of a connection of this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tenant) enum MessageFate {
    /// It was delivered, at least to one.
    Accepted,
    /// It was delivered before.
    Duplicate,
    /// It was refused.
    Refused(RefusalClass),
}

impl MessageFate {
    fn meter(self) -> UsageMeter {
        match self {
            Self::Accepted => UsageMeter::MessagesAccepted,
            Self::Duplicate => UsageMeter::MessagesDuplicate,
            Self::Refused(class) => UsageMeter::refused(class),
        }
    }
}

impl TenantMeter {
    /// A connection of this node sends a message: one [`decide`](Self::decide) follows.
    #[inline]
    pub fn begin_message(&mut self) {
        self.undecided += 1;
    }

    /// A message that began is decided.
    #[inline]
    pub fn decide(&mut self, env: &Env<'_>, fate: MessageFate) {
        check!(
            Invariant::Metered,
            self.undecided > 0,
            "a message was counted that did not begin, or twice"
        );
        self.undecided = self.undecided.saturating_sub(1);
        self.count_message(env, fate);
    }

    /// A message was refused before it reached the tenant.
    pub fn refuse_early(&mut self, env: &Env<'_>, class: RefusalClass) {
        self.count_message(env, MessageFate::Refused(class));
    }

    #[inline]
    fn count_message(&mut self, env: &Env<'_>, fate: MessageFate) {
        let counts = self.counts(env);
        counts[UsageMeter::MessagesSent] += 1;
        counts[fate.meter()] += 1;
    }

    /// A copy of a message is in the queue of a connection.
    #[inline]
    pub fn note_copy(&mut self, env: &Env<'_>, bytes: usize) {
        let counts = self.counts(env);
        counts[UsageMeter::MessagesDelivered] += 1;
        counts[UsageMeter::BytesOut] += bytes as u64;
    }
}
