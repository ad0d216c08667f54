//! What the machines want done: a closed list for each kind of machine. They do nothing themselves.
//!
//! [`dispatch`](crate::dispatch) hands each effect to a performer, in order.

use bytes::Bytes;
use protocol::lane::Verdict;
use protocol::{
    Answer, BootId, BotId, ClientId, CloseCode, ConnectionId, ErrorCode, FrameId, Outbound,
    Refusal, TenantId, UsageMeter,
};
use smallvec::SmallVec;

use crate::auth::Credential;
use crate::ids::ConnKey;
use crate::lane::{BestEffortStream, Parcel};
use crate::request::{JoinRequest, LeaveRequest, RouteRequest, SessionNotice, TenantRequest};
use crate::store::{BotHolder, StoreRequest};

pub use crate::ids::{Receipt, Ticket};

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the connection's queue.
    Queued {
        /// How long its text frame is, bytes; 0 if it is no frame.
        bytes: usize,
    },
    /// The queue, or a budget above it, is full.
    Full,
    /// The connection is closing or gone.
    Gone,
}

impl Outcome {
    /// Bytes that are in the queue now.
    pub(crate) const fn bytes(self) -> u64 {
        match self {
            Self::Queued { bytes } => bytes as u64,
            Self::Full | Self::Gone => 0,
        }
    }
}

/// What a session wants done.
#[derive(Debug)]
pub enum SessionEffect {
    /// Check this credential, then say [`Verified`](crate::session::SessionInput::Verified).
    Verify(Credential),
    /// Bring it into its tenant.
    Join(Box<JoinRequest>),
    /// Carry a message to its recipient. Only a permit makes one.
    Route(Box<RouteRequest>),
    /// Ask its tenant.
    Request(Box<TenantRequest>),
    /// The socket is gone.
    Leave(LeaveRequest),
    /// Send a WebSocket ping.
    Ping,
    /// Tell its peer this.
    Deliver(Outbound),
    /// Close its socket behind the frames already queued for it.
    Close(CloseCode),
    /// Something happened that metrics or logs want to know.
    Note(RouterFact),
}

/// What a tenant wants done.
#[derive(Debug)]
pub enum TenantEffect {
    /// Ask the store.
    Ask {
        /// Comes back with the reply.
        ticket: Ticket,
        /// The question.
        request: Box<StoreRequest>,
    },
    /// Put a message onto the lane to another node.
    Publish {
        /// The node.
        node: BootId,
        /// The message.
        parcel: Parcel,
    },
    /// Put a partial or typing onto the lane to another node. Its outcome is not reported.
    PublishBestEffort {
        /// Whose.
        tenant: TenantId,
        /// The node.
        node: BootId,
        /// A newer one of the same stream replaces a waiting one.
        stream: Box<BestEffortStream>,
        /// The envelope.
        envelope: Bytes,
    },
    /// A message from another node is decided; nothing = delivered.
    Decided(Option<Verdict>),
    /// The tenant is forgotten here; the node need not be told of its changes any more.
    Unload(TenantId),
    /// The directory names a node that is not in the view: look whether it lives.
    Discover(BootId),
    /// Tell a connection's peer this.
    Deliver {
        /// Present if the outcome must be reported.
        receipt: Option<Receipt>,
        /// Whose peer.
        conn: ConnKey,
        /// What it is told.
        outbound: Outbound,
    },
    /// Tell a session, after the shard's lock is released.
    Tell {
        /// Whose session.
        conn: ConnKey,
        /// What happened.
        notice: SessionNotice,
    },
    /// Close a socket behind the frames already queued for it.
    Close {
        /// Which.
        conn: ConnKey,
        /// Why.
        close: CloseCode,
    },
    /// Something happened that metrics or logs want to know.
    Note(RouterFact),
}

/// What metrics and logs are told. Ids are for the log only; never a payload or a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouterFact {
    /// A credential was accepted and the socket belongs to a tenant now.
    Authenticated,
    /// A frame of a connection was refused.
    Refused {
        /// Whose frame.
        conn: ConnKey,
        /// Why.
        code: ErrorCode,
    },
    /// A connection may not register or unregister a bot. It is a refusal of a frame too, and there is no
    /// [`RouterFact::Refused`] of it.
    ClaimRefused(Box<RefusedClaim>),
    /// A message was put into at least one queue, of this many bytes.
    Delivered {
        /// Bytes of the finished frame.
        bytes: usize,
    },
    /// A message was recognised as a repetition.
    Duplicate,
    /// A partial or typing was dropped: rate, offline or full.
    BestEffortDropped,
    /// A frame that no rate of its tenant pays for: a rate dropped it without an answer, or 8 KiB or more of
    /// it are outside the body of a message. A refusal with `rate_limited` is unpaid too; [`RouterFact::Refused`]
    /// reports it.
    Unpaid,
    /// A bot that had no home here got one. In a box, as a fact is part of every effect, and these
    /// are few.
    BotOnline(Box<BotArrival>),
    /// A bot went from one connection of this node to another one.
    BotMoved(Box<BotArrival>),
    /// A bot lost its home here.
    BotOffline(Box<BotDeparture>),
    /// A bot's home was taken by another connection, of this node or of another one.
    Takeover(Box<BotTakeover>),
    /// A node is dead that held bots of the tenant.
    NodeLost(Box<LostHomes>),
    /// The store has less of a tenant than this node remembers.
    StoreLostData,
    /// The tenant reached a soft allowance of this meter, and was told; at most once a day.
    AllowanceReached(UsageMeter),
    /// The store answered for a record of usage: it is in the ledger, in its own hour or in a later one.
    UsageBooked {
        /// Whether its own hour was closed.
        is_late: bool,
    },
    /// A record of usage has no answer of the store, and is booked again.
    UsageNotBooked,
    /// A tenant's directory is read from the store.
    DirectoryRead,
    /// It is to be read again so soon after the last time that it waits: whose, and how long,
    /// milliseconds.
    ReadDeferred(Box<(TenantId, u64)>),
}

/// A bot has a home at a connection of this node now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotArrival {
    /// The bot.
    pub bot: BotId,
    /// The connection.
    pub conn: ConnKey,
    /// The connection's id.
    pub id: ConnectionId,
    /// The connection's client id.
    pub client: ClientId,
    /// Who held the bot until now, if anybody did.
    pub from: Option<BotHolder>,
}

/// A bot has no home at a connection of this node any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotDeparture {
    /// The bot.
    pub bot: BotId,
    /// The connection.
    pub conn: ConnKey,
    /// Why.
    pub cause: DepartureCause,
}

/// Why a bot has no home at a connection any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DepartureCause {
    /// The connection left its tenant.
    ConnectionLeft,
    /// The bot was taken off the list.
    Unregistered,
    /// Another node has it. [`RouterFact::Takeover`] follows.
    TakenOver,
}

/// A bot's home was taken from a connection of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotTakeover {
    /// The bot.
    pub bot: BotId,
    /// The connection that held it.
    pub conn: ConnKey,
    /// That connection's id; absent if it has left its tenant.
    pub id: Option<ConnectionId>,
    /// Who holds it now, if anybody does.
    pub by: Option<BotHolder>,
}

/// Bots of a tenant lost their homes with their node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostHomes {
    /// Whose bots.
    pub tenant: TenantId,
    /// The node.
    pub boot: BootId,
    /// The bots.
    pub bots: Vec<BotId>,
}

/// A connection may not register or unregister a bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedClaim {
    /// The bot.
    pub bot: BotId,
    /// The connection.
    pub conn: ConnKey,
    /// Why.
    pub code: ErrorCode,
}

/// Effects in the order they must be performed. A few of them take no allocation.
#[derive(Debug)]
pub struct Effects<E> {
    /// Those before `next` are taken.
    list: SmallVec<[Option<E>; 4]>,
    next: usize,
}

/// What one session wants done.
pub type SessionEffects = Effects<SessionEffect>;

/// What the tenants of one shard want done.
pub type TenantEffects = Effects<TenantEffect>;

impl<E> Default for Effects<E> {
    fn default() -> Self {
        Self {
            list: SmallVec::new(),
            next: 0,
        }
    }
}

impl<E> Effects<E> {
    /// Appends one.
    #[inline]
    pub fn push(&mut self, effect: E) {
        if self.is_empty() {
            self.list.clear();
            self.next = 0;
        }
        self.list.push(Some(effect));
    }

    /// Takes the next one.
    #[inline]
    pub fn pop(&mut self) -> Option<E> {
        let next = self.list.get_mut(self.next)?;
        self.next += 1;
        next.take()
    }

    /// Whether nothing is left to do.
    pub fn is_empty(&self) -> bool {
        self.next == self.list.len()
    }
}

impl SessionEffects {
    pub(crate) fn answer(&mut self, id: Option<&FrameId>, answer: Answer) {
        self.push(SessionEffect::Deliver(Outbound::Answer {
            id: id.cloned(),
            answer: Box::new(answer),
        }));
    }

    /// `conn`: the session's own.
    pub(crate) fn refuse(&mut self, conn: ConnKey, id: Option<&FrameId>, refusal: Refusal) {
        let code = refusal.code;
        let note = SessionEffect::Note(RouterFact::Refused { conn, code });
        self.push(SessionEffect::Deliver(Outbound::Refusal {
            id: id.cloned(),
            refusal: Box::new(refusal),
        }));
        self.push(note);
    }
}

impl TenantEffects {
    pub(crate) fn deliver(&mut self, conn: ConnKey, outbound: Outbound) {
        self.push(TenantEffect::Deliver {
            receipt: None,
            conn,
            outbound,
        });
    }

    pub(crate) fn answer(&mut self, conn: ConnKey, id: Option<&FrameId>, answer: Answer) {
        let (id, answer) = (id.cloned(), Box::new(answer));
        self.deliver(conn, Outbound::Answer { id, answer });
    }

    pub(crate) fn refuse(&mut self, conn: ConnKey, id: Option<&FrameId>, refusal: Refusal) {
        let code = refusal.code;
        self.refuse_with(conn, id, refusal, RouterFact::Refused { conn, code });
    }

    /// Refuses to register or unregister a bot.
    pub(crate) fn refuse_claim(
        &mut self,
        (conn, bot): (ConnKey, &BotId),
        id: Option<&FrameId>,
        refusal: Refusal,
    ) {
        let refused = RefusedClaim {
            bot: bot.clone(),
            conn,
            code: refusal.code,
        };
        let fact = RouterFact::ClaimRefused(Box::new(refused));
        self.refuse_with(conn, id, refusal, fact);
    }

    fn refuse_with(
        &mut self,
        conn: ConnKey,
        id: Option<&FrameId>,
        refusal: Refusal,
        fact: RouterFact,
    ) {
        let (id, refusal) = (id.cloned(), Box::new(refusal));
        self.deliver(conn, Outbound::Refusal { id, refusal });
        self.push(TenantEffect::Note(fact));
    }
}
