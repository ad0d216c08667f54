//! The last connection of this node that held a bot, and how that ended.

use protocol::{BotId, ClientId, ConnectionId};
use router_core::auth::Source;
use router_core::store::BotHolder;
use router_core::{ConnKey, Millis};

use super::event::heap_bytes_of;
use crate::ws::ConnectionEnd;

/// The last connection of this node that held a bot. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BotConnection {
    pub(crate) bot: BotId,
    pub(crate) key: ConnKey,
    pub(crate) connection: ConnectionId,
    pub(crate) client: ClientId,
    pub(crate) source: Source,
    /// When it registered the bot.
    pub(crate) since_ms: Millis,
    /// How it lost the bot; absent while it holds it.
    pub(crate) loss: Option<BotLoss>,
    /// How its socket ended; absent while that is open.
    pub(crate) close: Option<ConnectionClose>,
}

/// How a connection lost a bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BotLoss {
    pub(crate) at_ms: Millis,
    pub(crate) cause: LossCause,
}

/// Why a connection lost a bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LossCause {
    /// It left its tenant: its socket ended, or was closed for a reason of the tenant.
    ConnectionLeft,
    /// The bot was taken off the list.
    Unregistered,
    /// Another connection took it.
    TakenOver(Option<Box<BotHolder>>),
}

impl LossCause {
    /// In a word.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::ConnectionLeft => "connection_left",
            Self::Unregistered => "unregistered",
            Self::TakenOver(_) => "taken_over",
        }
    }
}

/// How a socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionClose {
    pub(crate) at_ms: Millis,
    pub(crate) end: ConnectionEnd,
    /// How long it was open, milliseconds.
    pub(crate) lasted_ms: Millis,
}

impl BotConnection {
    /// What it takes besides itself, bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        let holder = match &self.loss {
            Some(BotLoss {
                cause: LossCause::TakenOver(Some(holder)),
                ..
            }) => size_of_val(&**holder),
            Some(_) | None => 0,
        };
        let (bot, client) = (self.bot.as_str(), self.client.as_str());
        heap_bytes_of(Some(bot)) + heap_bytes_of(Some(client)) + holder
    }
}
