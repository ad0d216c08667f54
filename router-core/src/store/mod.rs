//! Everything the product ever asks of its store, and what the answers mean.
//!
//! [`Request`] and [`Reply`] are the closed list of what tenants ask; [`Model`] is their reference
//! meaning, pure and in memory. The model is also the store of a single node. Nothing here knows
//! Redis.
//!
//! A tenant's directory has one counter, `ver`: every step that changes it takes the next number
//! and tells all nodes with an [`Event`]. `ver = max(ver + 1, known_ver + 1, now_µs)`, so that it
//! does not go back when the store loses its last writes. A `known_ver` of more than a day ahead
//! counts as that; a `ver` of more than two days ahead is repaired in the next step.

mod directory;
mod model;
pub mod nodes;

use protocol::limits::TIME_AHEAD_MS;
use protocol::{BotId, ClientId, ConnectionId, ErrorCode, TenantId};

use crate::env::Millis;

pub use directory::{
    Assert, BotRecord, Change, Claim, ConnRecord, Dead, DirectoryCaps, Event, Fence, Holder,
    Policy, Release, Snapshot,
};
pub use model::Model;

/// A question to the store. Each is one atomic step, for one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whose.
    pub tenant: TenantId,
    /// What.
    pub ask: Ask,
    /// The highest number of the tenant's counter that the asker has seen.
    pub known_ver: u64,
    /// The asker's time, Unix milliseconds. A store with a clock of its own may use that.
    pub now_ms: Millis,
    /// How much the tenant's directory may hold.
    pub caps: DirectoryCaps,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// All that a node must know of a tenant, without what buried nodes left; from now on the node
    /// is told of every change. Reply: `Loaded`.
    Load {
        /// Nodes that are buried: what they held is let go in the same step.
        dead: Dead,
    },
    /// The tenant's counter. Reply: `Version`.
    Version,
    /// A connection came. Reply: `Done`, or `Refused(quota_exceeded)` when the directory or the
    /// store is full.
    Enter {
        /// The connection.
        conn: ConnectionId,
        /// Where it is, and whose.
        record: ConnRecord,
    },
    /// Makes a connection the home of a bot: a new epoch, unless it is its home already.
    /// Reply: `Claimed`; `Refused(already_registered)` if the claim yields to a live holder;
    /// `Refused(quota_exceeded)` when the directory or the store is full.
    Claim(Box<Claim>),
    /// Says again what a node holds: after an outage, a loss of data or a burial.
    /// Reply: `Asserted`.
    Assert(Box<Assert>),
    /// Ends homes and connections. The bots stay listed offline. Reply: `Done`.
    Release(Box<Release>),
    /// Releases what dead nodes held. Reply: `Done`.
    Reap {
        /// The buried.
        dead: Dead,
    },
    /// Removes a bot from the directory, if nobody else holds it. Reply: `Done`, or
    /// `Refused(not_your_identity)`.
    Forget {
        /// The bot.
        bot: BotId,
        /// What the asker holds, if it holds the bot.
        fence: Option<Fence>,
    },
    /// Invalidates all credentials of the tenant so far. Reply: `Policy`.
    Revoke,
    /// Suspends or resumes the tenant. Reply: `Policy`.
    Suspend(bool),
}

/// The answer to a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// All of a tenant.
    Loaded(Box<Snapshot>),
    /// The counter; 0 if there is none: nothing was ever written, or it was lost.
    Version(u64),
    /// The connection is the home.
    Claimed {
        /// The claim's number: the tenant's counter at that moment.
        epoch: u64,
        /// Since when the bot is online, Unix milliseconds.
        since_ms: Millis,
    },
    /// Nothing was done: a live holder has claimed the bot with this number, above all that the asker
    /// knew. Who asks again, knowing it, may take it over.
    Newer(u64),
    /// All was taken but these, with who holds them instead.
    Asserted(Vec<(BotId, Option<Holder>)>),
    /// It is so now.
    Done,
    /// The tenant's policy is this now.
    Policy(Policy),
    /// It was not done.
    Refused(ErrorCode),
    /// No answer came: it may have been done or not.
    Lost,
}

/// The latest time from outside that counts as one, Unix milliseconds.
pub const fn latest_time_ms(now_ms: Millis) -> Millis {
    now_ms.saturating_add(TIME_AHEAD_MS)
}

/// The highest number that an asker may have seen; a higher one counts as this.
const fn latest_known_ver(now_ms: Millis) -> u64 {
    latest_time_ms(now_ms).saturating_mul(1000)
}

/// The highest number that a tenant's counter may have. A higher one is repaired: nothing could ever
/// come after it.
pub const fn latest_stored_ver(now_ms: Millis) -> u64 {
    latest_time_ms(latest_time_ms(now_ms)).saturating_mul(1000)
}

/// The number that the step after a repair follows: no replica has it, so all read anew.
const REPAIRED_VER: u64 = 1;

/// A client id and when it was last seen, Unix milliseconds.
pub type Seen = (ClientId, Millis);
