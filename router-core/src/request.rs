//! What sessions and tenants say to each other.
//!
//! A session never reaches into a tenant: it sends one of these, most of them with a [`Permit`]
//! that only [`permit`](crate::permit) makes, and the tenant answers into the connection's queue or
//! with a [`SessionNotice`].

use std::sync::Arc;

use protocol::connect::Acks;
use protocol::envelope::Envelope;
use protocol::message::SendKind;
use protocol::presence::{BotInfo, Takeover};
use protocol::{
    BotId, ClientId, ConnectionId, FrameId, Limits, MessageId, Refusal, RefusalClass, TenantId,
};
use smol_str::SmolStr;

use crate::capabilities::Capabilities;
use crate::ids::ConnKey;
use crate::permit::{Grant, Permit};

/// A verified connection that wants to belong to its tenant.
#[derive(Debug)]
pub struct JoinRequest {
    pub(crate) grant: Grant,
    pub(crate) conn: ConnKey,
    pub(crate) id: ConnectionId,
    pub(crate) request_id: Option<FrameId>,
    pub(crate) client: Option<ClientId>,
    pub(crate) acks: Acks,
    pub(crate) resume: bool,
    pub(crate) capabilities: Capabilities,
    /// Connections of its tenant that the shell keeps for later calls: they count as sockets.
    pub kept: usize,
}

impl JoinRequest {
    /// Whose shard it goes to.
    pub fn tenant(&self) -> &protocol::TenantId {
        self.grant.tenant()
    }

    /// The client id that it gets if it is let in: the token's, the one it asks for, or the default.
    pub fn client_id(&self) -> ClientId {
        let asked = self.grant.client().or(self.client.as_ref());
        asked.map_or_else(|| ClientId::default_of(self.tenant()), ClientId::clone)
    }
}

/// Word from the tenant to one of its sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionNotice {
    /// It belongs to the tenant now; `auth_ok` is in its queue.
    Joined {
        /// The client id that it has.
        client: ClientId,
        /// The tenant, as the tenant itself has it: a text that all share.
        tenant: TenantId,
        /// The limits that hold for it.
        limits: Arc<Limits>,
    },
    /// It does not.
    Refused(Box<Refusal>),
    /// Other limits hold from now on.
    Limited(Arc<Limits>),
}

/// A connection leaves its tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveRequest {
    /// The tenant.
    pub tenant: TenantId,
    /// The connection.
    pub conn: ConnKey,
}

/// What the answer to a message takes. The message itself may be gone: of thousands under way,
/// what is kept should stay in the processor's caches.
#[derive(Debug)]
pub(crate) struct AckContext {
    pub conn: ConnKey,
    pub request_id: Option<FrameId>,
    pub message_id: Option<MessageId>,
    /// Whether that is the sender's own.
    pub idempotent: bool,
}

/// A message with the right to be routed. Only a [`Permit`] makes one, and is used up by it.
#[derive(Debug)]
pub struct RouteRequest {
    pub(crate) conn: ConnKey,
    pub(crate) request_id: Option<FrameId>,
    pub(crate) envelope: Envelope,
    /// Bytes of the frame that it came in, 0 if they are counted already or it came in none.
    pub(crate) frame_bytes: u32,
}

impl RouteRequest {
    /// The message that `envelope` makes for the tenant of the permit.
    pub(crate) fn new(
        permit: Permit,
        request_id: Option<FrameId>,
        envelope: impl FnOnce(TenantId) -> Envelope,
    ) -> Self {
        let (tenant, conn) = permit.spend();
        Self {
            conn,
            request_id,
            envelope: envelope(tenant),
            frame_bytes: 0,
        }
    }

    /// The same message, read again from the wire.
    pub(crate) fn again(asked: &AckContext, tenant: &TenantId, envelope: Envelope) -> Self {
        crate::check!(
            crate::invariant::Invariant::Isolation,
            *tenant == envelope.tenant,
            "envelope of {} under a permit of {tenant}",
            envelope.tenant
        );
        Self {
            conn: asked.conn,
            request_id: asked.request_id.clone(),
            envelope,
            frame_bytes: 0,
        }
    }

    /// What is kept of it once it is on its way.
    pub(crate) fn ack_context(&self) -> AckContext {
        AckContext {
            conn: self.conn,
            request_id: self.request_id.clone(),
            message_id: self.envelope.message.message_id,
            idempotent: self.envelope.idempotent,
        }
    }

    /// Whose shard it goes to.
    pub fn tenant(&self) -> &TenantId {
        &self.envelope.tenant
    }

    /// Which frame it is.
    pub fn kind(&self) -> SendKind {
        self.envelope.message.kind
    }

    /// How long the body of its message is, bytes.
    pub fn body_bytes(&self) -> usize {
        self.envelope.message.body.len()
    }

    /// Makes it part of a trace: the context goes along to other nodes.
    pub fn trace(&mut self, context: Box<str>) {
        self.envelope.trace = Some(context);
    }
}

/// A frame that its session answered, for its tenant's meters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameUsage {
    /// Whose.
    pub tenant: TenantId,
    /// Bytes of the frame.
    pub bytes_in: u32,
    /// Bytes of the answers that were put into the queue.
    pub bytes_out: u64,
    /// Present if it was a message that was refused.
    pub refused_message: Option<RefusalClass>,
}

/// What was put into queues of connections without a receipt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SentUsage {
    /// Bytes of all frames.
    pub bytes: u64,
    /// How many of them are partials or typing.
    pub partials: u64,
}

/// What a connection asks of its tenant, with the right to ask it.
#[derive(Debug)]
pub struct TenantRequest {
    pub(crate) permit: Permit,
    pub(crate) id: Option<FrameId>,
    pub(crate) command: TenantCommand,
    /// Bytes of the frame that it came in, 0 if it came in none.
    pub(crate) frame_bytes: u32,
}

impl TenantRequest {
    /// Whose shard it goes to.
    pub fn tenant(&self) -> &TenantId {
        self.permit.tenant()
    }
}

/// What can be asked of a tenant, besides carrying messages.
#[derive(Debug)]
pub(crate) enum TenantCommand {
    /// Make this connection a bot's home.
    Register(BotRegistration),
    /// Take a bot off the list.
    Unregister(BotId),
    /// Tell this connection of a bot's changes.
    Subscribe(BotId),
    /// Do not.
    Unsubscribe(BotId),
    /// One page of bots.
    List(ListRequest),
    /// One bot, as a page of its own.
    Find(BotId),
    /// What the tenant has.
    Survey(SurveyRequest),
}

/// How a bot wants to be registered.
#[derive(Debug)]
pub struct BotRegistration {
    /// As others shall see it; status and time are set by the claim.
    pub info: BotInfo,
    /// What happens to its present holder.
    pub takeover: Takeover,
    /// The bot's process.
    pub instance: Option<SmolStr>,
    /// Whether stored messages were asked for.
    pub confirm: bool,
}

/// One page of connections.
#[derive(Debug)]
pub struct SurveyRequest {
    /// Most connections, and most bots.
    pub limit: usize,
    /// The last connection of the page before.
    pub after: Option<ConnectionId>,
    /// Whether the bots are told too.
    pub is_full: bool,
}

/// One page of bots.
#[derive(Debug)]
pub struct ListRequest {
    /// Most bots.
    pub limit: usize,
    /// The last bot of the page before.
    pub after: Option<BotId>,
    /// Comes back in the answer.
    pub request_id: Option<String>,
}
