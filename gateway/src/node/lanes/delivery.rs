//! What the tenants are told of the lanes: messages of other nodes, and what became of their own.

use bytes::Bytes;
use protocol::lane::Verdict;
use protocol::{BootId, Envelope, ErrorCode};
use router_core::lane::{LaneStatus, ParcelOutcomes};
use router_core::shard::ShardInput;

use super::totals::LaneTotals;
use crate::node::core::Node;
use crate::node::membership::ENVELOPE;
use crate::node::work::DeferredWork;

impl Node {
    /// Handles one envelope of another node. Says what its lane must be told.
    pub(super) fn inbound(
        &self,
        src: BootId,
        bytes: &Bytes,
        work: &mut DeferredWork,
    ) -> Option<Verdict> {
        let envelope = match Envelope::from_bytes(bytes) {
            Ok(envelope) => envelope,
            Err(error) => {
                self.report_misread(Some(src), ENVELOPE, &error);
                return Some(Verdict::Refused(ErrorCode::NotSupported));
            }
        };
        let moment = self.moment_of(work);
        let span = self.tracer.load().go_on(moment.nodes.own, &envelope);
        let _span = span.map(tracing::Span::entered);
        let index = self.shards.index_of(&envelope.tenant);
        let input = ShardInput::Inbound(Box::new(envelope));
        let decided = self.in_shard(&self.env_at(&moment), index, input, work);
        work.moment = Some(moment);
        // Nobody decided: it was best effort, which nobody asks about.
        decided.flatten()
    }

    /// Tells tenants what became of what they sent to other nodes.
    pub(in crate::node) fn settle_remote(&self, outcomes: ParcelOutcomes) {
        if outcomes.is_empty() {
            return;
        }
        let mut work = DeferredWork::default();
        self.tell_remote(outcomes, &mut work);
        self.finish(&mut work);
    }

    /// The same, to be [finished](Self::finish) by the caller.
    pub(super) fn tell_remote(&self, outcomes: ParcelOutcomes, work: &mut DeferredWork) {
        let moment = self.moment_of(work);
        for (parcel, outcome) in outcomes {
            let index = self.shards.index_of(parcel.tenant());
            let sample = self.samples.find(&parcel.receipt);
            let input = ShardInput::Decided { parcel, outcome };
            self.in_shard(&self.env_at(&moment), index, input, work);
            // Behind the tenant's turn: until then the message may still be on its way to a further node.
            if let Some(receipt) = sample {
                let latency = &self.metrics.latency;
                self.samples.decided(&receipt, &outcome, latency);
            }
        }
        work.moment = Some(moment);
    }

    /// Ends the lanes: nobody is there any more to speak or to listen.
    pub(crate) fn end_lanes(&self) {
        self.lanes.stop();
        self.lanes.end_all();
    }

    /// The lanes taken together; also those that ended.
    pub(crate) fn lane_totals(&self) -> LaneTotals {
        self.lanes.totals(self.now_ms())
    }

    /// How the lanes to the other nodes are.
    pub(crate) fn lane_status(&self) -> Vec<(BootId, LaneStatus)> {
        self.lanes.status(self.now_ms())
    }
}
