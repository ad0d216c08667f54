//! Everything the product ever asks of its store, and what the answers mean.
//!
//! [`Request`] and [`Reply`] are the closed list; [`Model`] is their reference meaning, pure and in
//! memory. The model is also the store of a single node. Nothing here knows Redis.

mod model;
pub mod nodes;

use protocol::presence::BotInfo;
use protocol::{BotId, ClientId, ConnectionId, ErrorCode, TenantId};
use smol_str::SmolStr;

use crate::env::Millis;

pub use model::Model;

/// A question to the store. Each is one atomic step, for one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whose.
    pub tenant: TenantId,
    /// What.
    pub ask: Ask,
    /// The asker's time, Unix milliseconds.
    pub now_ms: Millis,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// All that a node must know of a tenant. Reply: `Loaded`.
    Load,
    /// Makes a connection the home of a bot: a new epoch, unless it is its home already.
    /// Reply: `Claimed`, or `Refused(quota_exceeded)` when the store is full.
    Claim(Box<Claim>),
    /// Ends a home, if `(conn, epoch)` is still the holder; the bot stays listed offline.
    /// Reply: `Done`.
    Release {
        /// The holder.
        conn: ConnectionId,
        /// What it holds, with the epoch of each claim.
        bots: Vec<(BotId, u64)>,
        /// The client id that was last seen on it, if it was the client's last connection.
        client: Option<ClientId>,
    },
    /// Removes a bot from the directory, whoever holds it. Reply: `Done`.
    Forget {
        /// The bot.
        bot: BotId,
    },
    /// Invalidates all credentials of the tenant so far. Reply: `Policy`.
    Revoke,
    /// Suspends or resumes the tenant. Reply: `Policy`.
    Suspend(bool),
}

/// A claim of a bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The claimant.
    pub conn: ConnectionId,
    /// The bot as it wants to be seen; `status` and `since` are the store's.
    pub bot: BotInfo,
    /// The claimant's process, if it said.
    pub instance: Option<SmolStr>,
    /// The highest number of this tenant that the asker has seen.
    pub known_ver: u64,
}

/// The answer to a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// All of a tenant.
    Loaded(Snapshot),
    /// The connection is the home.
    Claimed {
        /// The claim's number: the tenant's counter at that moment.
        epoch: u64,
        /// Since when the bot is online, Unix milliseconds.
        since_ms: Millis,
    },
    /// It is so now.
    Done,
    /// The tenant's policy is this now.
    Policy(Policy),
    /// It was not done.
    Refused(ErrorCode),
}

/// All that a node must know of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The tenant's counter.
    pub ver: u64,
    /// Who may connect.
    pub policy: Policy,
    /// Every listed bot.
    pub bots: Vec<BotRecord>,
    /// Client ids seen in the last 24 h, with when.
    pub clients: Vec<(ClientId, Millis)>,
}

/// Who may connect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Credentials of lower generations are refused.
    pub generation: u64,
    /// Whether all are.
    pub suspended: bool,
}

/// A bot in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotRecord {
    /// As others see it.
    pub info: BotInfo,
    /// Its home, if it has one.
    pub holder: Option<ConnectionId>,
    /// The number of the last claim.
    pub epoch: u64,
    /// The process that claimed it, if it said.
    pub instance: Option<SmolStr>,
}
