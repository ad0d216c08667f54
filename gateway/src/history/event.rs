//! One thing that happened to a tenant on this node.

use protocol::{BootId, BotId, ClientId, ConnectionId, ErrorCode};
use router_core::Millis;
use router_core::auth::Source;
use router_core::store::BotHolder;

use crate::ws::ConnectionEnd;

/// The longest id that lies within its own 24 bytes; a longer one is on the heap.
const INLINE_BYTES: usize = 24;

/// Something that happened, and to whom. What a kind does not have is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HistoryEvent {
    pub(crate) kind: EventKind,
    /// As in the access log.
    pub(crate) source: Option<Source>,
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) client: Option<ClientId>,
    pub(crate) bot: Option<BotId>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// A socket got its `auth_ok`.
    Connected,
    /// A socket that had its `auth_ok` is gone.
    Disconnected {
        end: ConnectionEnd,
        /// How long it was open, milliseconds.
        lasted_ms: Millis,
    },
    /// A connection of this node holds a bot.
    Registered {
        /// Who held it until now.
        from: Option<Box<BotHolder>>,
    },
    /// A bot was taken off the list.
    Unregistered,
    /// A connection of this node lost a bot to another connection.
    TakenOver { by: Option<Box<BotHolder>> },
    /// A bot went offline with its node, another one.
    NodeLost(BootId),
    /// A request was refused.
    Refused(ErrorCode),
    /// A credential failed. Its name and its reasons are those of `t2b_auth_failures_total`.
    CredentialFailed {
        reason: &'static str,
        /// Whether the credential is one of the tenant's: it was revoked, or the tenant is suspended. Of
        /// any other the tenant is only what its bearer says.
        is_verified: bool,
    },
}

/// Which events give way to which: each class has a share of a tenant's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventClass {
    Connection,
    Bot,
    Refusal,
    Claim,
}

impl EventKind {
    /// What happened, in a word.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected { .. } => "disconnected",
            Self::Registered { .. } => "registered",
            Self::Unregistered => "unregistered",
            Self::TakenOver { .. } => "taken_over",
            Self::NodeLost(_) => "node_lost",
            Self::Refused(_) => "refused",
            Self::CredentialFailed { .. } => "credential_failed",
        }
    }

    /// Why, in a word: of an error, of a close, or of a failed credential.
    pub(crate) const fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Disconnected { end, .. } => Some(match end {
                ConnectionEnd::Us(code) => code.reason(),
                ConnectionEnd::Peer(_) => "closed_by_peer",
                ConnectionEnd::Lost => "lost",
            }),
            Self::Refused(code) => Some(code.reason()),
            Self::CredentialFailed { reason, .. } => Some(reason),
            Self::Connected
            | Self::Registered { .. }
            | Self::Unregistered
            | Self::TakenOver { .. }
            | Self::NodeLost(_) => None,
        }
    }

    pub(super) const fn class(&self) -> EventClass {
        match self {
            Self::Connected | Self::Disconnected { .. } => EventClass::Connection,
            Self::Registered { .. }
            | Self::Unregistered
            | Self::TakenOver { .. }
            | Self::NodeLost(_) => EventClass::Bot,
            Self::Refused(_) => EventClass::Refusal,
            Self::CredentialFailed {
                is_verified: true, ..
            } => EventClass::Refusal,
            Self::CredentialFailed {
                is_verified: false, ..
            } => EventClass::Claim,
        }
    }

    fn heap_bytes(&self) -> usize {
        let holder = match self {
            Self::Registered { from } => from,
            Self::TakenOver { by } => by,
            Self::Connected
            | Self::Disconnected { .. }
            | Self::Unregistered
            | Self::NodeLost(_)
            | Self::Refused(_)
            | Self::CredentialFailed { .. } => return 0,
        };
        holder.as_deref().map_or(0, size_of_val)
    }
}

impl HistoryEvent {
    /// An event of a source, about nobody yet.
    pub(crate) fn new(kind: EventKind, source: Source) -> Self {
        Self {
            kind,
            source: Some(source),
            connection: None,
            client: None,
            bot: None,
        }
    }

    /// What it takes besides itself, bytes.
    fn heap_bytes(&self) -> usize {
        let client = self.client.as_ref().map(|client| client.as_str());
        let bot = self.bot.as_ref().map(|bot| bot.as_str());
        heap_bytes_of(client) + heap_bytes_of(bot) + self.kind.heap_bytes()
    }
}

/// What the text of an id takes besides the id itself, bytes.
pub(super) fn heap_bytes_of(text: Option<&str>) -> usize {
    text.map_or(0, str::len)
        .checked_sub(INLINE_BYTES)
        .map_or(0, |more| match more {
            0 => 0,
            more => INLINE_BYTES + more,
        })
}

/// An event, and how often it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CountedEvent {
    pub(crate) event: HistoryEvent,
    /// The first and the last time, Unix milliseconds.
    pub(crate) first_ms: Millis,
    pub(crate) last_ms: Millis,
    pub(crate) count: u32,
}

impl CountedEvent {
    pub(super) fn once(event: HistoryEvent, now_ms: Millis) -> Self {
        Self {
            event,
            first_ms: now_ms,
            last_ms: now_ms,
            count: 1,
        }
    }

    /// The same event came again.
    pub(super) fn again(&mut self, now_ms: Millis) {
        self.last_ms = now_ms;
        self.count = self.count.saturating_add(1);
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.event.heap_bytes()
    }
}
