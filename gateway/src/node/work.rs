//! What a task has still to do for the node, gathered under locks and done without one.

use std::collections::VecDeque;
use std::sync::Arc;

use protocol::BotId;
use router_core::request::SessionNotice;

use super::entry::ConnectionEntry;
use super::message_sample::MessageSample;
use super::moment::EnvMoment;
use crate::metrics::TrafficMetrics;

/// What is left to do when no lock is held.
#[derive(Default)]
pub(crate) struct DeferredWork {
    /// The same for all that arrived together, so that a burst asks for it once.
    pub(super) moment: Option<EnvMoment>,
    pub(super) touched: Vec<Arc<ConnectionEntry>>,
    /// For the log, which is not written under a lock.
    pub(super) registered: Vec<(Arc<ConnectionEntry>, BotId)>,
    pub(super) told: VecDeque<(Arc<ConnectionEntry>, SessionNotice)>,
    pub(super) traffic: TrafficMetrics,
    /// The message that is being handled, if it is one whose time is measured.
    pub(super) sample: Option<MessageSample>,
    /// Whether a frame was not paid for by a rate of its tenant.
    pub(super) is_unpaid: bool,
}

impl DeferredWork {
    /// Whether no socket is to be written, and no session told anything.
    pub(super) fn is_quiet(&self) -> bool {
        self.touched.is_empty() && self.told.is_empty()
    }

    pub(super) fn touch(&mut self, entry: &Arc<ConnectionEntry>) {
        // A burst to one peer is one entry here; others flushed twice find nothing to write.
        if self
            .touched
            .last()
            .is_none_or(|last| !Arc::ptr_eq(last, entry))
        {
            self.touched.push(Arc::clone(entry));
        }
    }
}
