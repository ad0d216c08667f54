//! What sessions and tenants report: counted, and told to the log.

use protocol::ErrorCode;
use router_core::effect::RouterFact;

use crate::node::core::Node;
use crate::node::work::DeferredWork;

impl Node {
    pub(super) fn note(&self, fact: &RouterFact, work: &mut DeferredWork) {
        let metrics = &self.metrics;
        if let Some(sample) = &mut work.sample {
            sample.note(fact);
        }
        match fact {
            RouterFact::Authenticated => metrics.authenticated.increment(1),
            RouterFact::Refused { code, .. } => {
                metrics.refused(*code);
                work.is_unpaid |= *code == ErrorCode::RateLimited;
            }
            RouterFact::ClaimRefused(refused) => {
                metrics.refused(refused.code);
                work.is_unpaid |= refused.code == ErrorCode::RateLimited;
            }
            RouterFact::Delivered { bytes } => work.traffic.delivered(*bytes),
            RouterFact::Duplicate => metrics.duplicates.increment(1),
            RouterFact::BestEffortDropped => metrics.best_effort_dropped.increment(1),
            RouterFact::Unpaid => work.is_unpaid = true,
            RouterFact::BotOnline(_) => metrics.bots_online.increment(1.0),
            RouterFact::BotMoved(_) => {}
            RouterFact::BotOffline(_) => metrics.bots_online.decrement(1.0),
            RouterFact::Takeover(_) => metrics.takeovers.increment(1),
            RouterFact::NodeLost(lost) => self.remember_lost_node(lost),
            RouterFact::StoreLostData => metrics.cluster.healed.increment(1),
            RouterFact::AllowanceReached(meter) => {
                metrics.usage.allowances_reached[*meter as usize].increment(1);
            }
            RouterFact::UsageBooked { is_late: false } => metrics.usage.booked.increment(1),
            RouterFact::UsageBooked { is_late: true } => metrics.usage.late.increment(1),
            RouterFact::UsageNotBooked => metrics.usage.failed.increment(1),
            RouterFact::DirectoryRead => metrics.cluster.directory_reads.increment(1),
            RouterFact::ReadDeferred(deferred) => {
                let (tenant, wait_ms) = &**deferred;
                metrics.cluster.reads_deferred.increment(1);
                if self.reread_line.is_due(self.now_ms()) {
                    tracing::warn!(
                        %tenant, wait_ms,
                        "a directory is read again and again: steps arrive that the store does not have"
                    );
                }
            }
        }
    }
}
