//! Carries messages: into queues here, onto lanes to other nodes, and back to their senders what
//! became of them.
//!
//! ```text
//!  route ─▶ decide ─▶ dispatch ─▶ Deliver ─▶ settled ─┐
//!             │           └─────▶ Publish ─▶ decided ─┴─▶ ack or error
//!             └─ a flow is turning: held, dispatched later
//!  inbound ─────────▶ dispatch ─▶ Deliver ─▶ settled ───▶ Decided(verdict)
//! ```
//!
//! Nothing is acknowledged before a queue has it. What comes from another node is delivered here or
//! nowhere: it is never published again.

mod addressing;
mod answers;
mod dedupe;
mod flows;
mod inbound;
mod pending;
pub(super) mod reply_waiter;
mod sending;
mod settling;
mod wire;

use protocol::{Envelope, Limits};

use super::bots::Bots;
use super::context::ReceiptCounter;
use super::members::Members;
use super::meter::TenantMeter;
use super::quota::MonthQuota;
use crate::env::{Env, Millis};
use crate::ids::HashKeys;
use dedupe::{DedupeTable, MessagePrint};
use flows::MessageFlows;
use pending::PendingDeliveries;

/// The messages of a tenant that are under way, and those that were delivered.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Delivery {
    pending: PendingDeliveries,
    flows: MessageFlows,
    dedupe: DedupeTable,
}

/// What a message needs of the other parts of its tenant.
pub(super) struct DeliveryContext<'a> {
    pub env: &'a Env<'a>,
    pub limits: &'a Limits,
    pub members: &'a mut Members,
    pub bots: &'a Bots,
    pub receipts: &'a mut ReceiptCounter,
    pub meter: &'a mut TenantMeter,
    /// Absent without allowances.
    pub quota: Option<&'a MonthQuota>,
}

impl Delivery {
    /// No messages yet. The keys should be random per process.
    pub fn new(keys: HashKeys) -> Self {
        Self {
            pending: PendingDeliveries::default(),
            flows: MessageFlows::default(),
            dedupe: DedupeTable::new(keys),
        }
    }

    /// How many messages have outcomes that are not in.
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// How many connections have messages to one bot under way or waiting.
    pub fn flow_count(&self) -> usize {
        self.flows.len()
    }

    /// Forgets idempotency keys that are too old.
    pub fn forget(&mut self, now_ms: Millis) {
        self.dedupe.forget(now_ms);
    }

    #[inline]
    fn print_of(&self, envelope: &Envelope) -> Option<MessagePrint> {
        let message = &envelope.message;
        let id = message.message_id.as_ref();
        let id = id.filter(|_| envelope.idempotent)?;
        let print = self
            .dedupe
            .print(&message.to, &envelope.from, id, &message.body);
        Some(print)
    }
}
