//! What happens to a shard.

use protocol::{BootId, Envelope, TenantId};

use crate::effect::{Outcome, Receipt, Ticket};
use crate::ids::ConnKey;
use crate::lane::{LaneOutcome, Parcel};
use crate::request::{FrameUsage, JoinRequest, LeaveRequest, RouteRequest, TenantRequest};
use crate::store::{DirectoryEvent, StoreResult, TenantPolicy};

/// What happens to a shard.
#[derive(Debug)]
pub enum ShardInput {
    /// A verified connection wants in.
    Join(Box<JoinRequest>),
    /// A connection is gone.
    Leave(LeaveRequest),
    /// A message for somebody.
    Route(Box<RouteRequest>),
    /// Anything else a connection asks.
    Request(Box<TenantRequest>),
    /// The store's answer to [`TenantEffect::Ask`].
    Reply {
        /// The question's ticket.
        ticket: Ticket,
        /// The answer.
        reply: StoreResult,
    },
    /// An operator revoked, suspended or resumed a tenant.
    Policy {
        /// Whose.
        tenant: TenantId,
        /// What holds now.
        policy: TenantPolicy,
    },
    /// A step of a tenant's directory.
    Event {
        /// Whose.
        tenant: TenantId,
        /// The step.
        event: DirectoryEvent,
    },
    /// The queue of a connection that answered a delivery with `Full` has room again.
    Room {
        /// Whose.
        tenant: TenantId,
        /// Which.
        conn: ConnKey,
    },
    /// A message, partial or typing from another node. A message ends in one
    /// [`TenantEffect::Decided`], within this handling and the settling of its effects.
    Inbound(Box<Envelope>),
    /// What became of a delivery, at once and in order.
    Settled {
        /// Names the delivery.
        receipt: Receipt,
        /// What became of it.
        outcome: Outcome,
    },
    /// What became of a message on its lane to another node.
    Decided {
        /// The message.
        parcel: Parcel,
        /// What became of it.
        outcome: LaneOutcome,
    },
    /// Another node was evicted: what it held goes.
    NodeEvicted(BootId),
    /// This node was evicted, and goes on under a new name, the one in [`Env`].
    Rejoined,
    /// The link to the store is back, and what happened meanwhile was not told.
    Resync,
    /// The settings are others, those in [`Env`](crate::Env).
    Reconfigured,
    /// A session answered a frame without its tenant.
    Answered(FrameUsage),
    /// The node ends: all usage is to be booked.
    FlushUsage,
    /// [`Shard::next_wakeup`] is due.
    Wake,
}

impl ShardInput {
    /// The tenant that it is for; `None`: it is for many.
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Join(join) => Some(join.tenant()),
            Self::Leave(leave) => Some(&leave.tenant),
            Self::Route(route) => Some(route.tenant()),
            Self::Request(request) => Some(request.tenant()),
            Self::Reply { ticket, .. } => Some(&ticket.tenant),
            Self::Policy { tenant, .. }
            | Self::Event { tenant, .. }
            | Self::Room { tenant, .. } => Some(tenant),
            Self::Inbound(envelope) => Some(&envelope.tenant),
            Self::Settled { receipt, .. } => Some(receipt.tenant()),
            Self::Decided { parcel, .. } => Some(parcel.tenant()),
            Self::Answered(frame) => Some(&frame.tenant),
            Self::NodeEvicted(_)
            | Self::Rejoined
            | Self::Resync
            | Self::Reconfigured
            | Self::FlushUsage
            | Self::Wake => None,
        }
    }
}
