//! What is asked of the directory.

use protocol::presence::{BotInfo, Takeover};
use protocol::{BootId, BotId, ClientId, ConnectionId};
use smol_str::SmolStr;

use super::records::{BotHolder, BotRecord, ConnRecord, DirectoryCaps, EvictedNodes, Fence};

/// A request about a tenant's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryRequest {
    /// What is asked.
    pub query: DirectoryQuery,
    /// The highest number of the tenant's counter that the asker has seen.
    pub known_ver: u64,
    /// How much the directory may hold.
    pub caps: DirectoryCaps,
}

impl From<DirectoryQuery> for DirectoryRequest {
    /// A request of an asker that has not seen the tenant's counter and does not know its limits.
    fn from(query: DirectoryQuery) -> Self {
        Self {
            query,
            known_ver: 0,
            caps: DirectoryCaps::NONE,
        }
    }
}

/// What is asked of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryQuery {
    /// All that a node must know of a tenant, without what evicted nodes left; from now on the node
    /// is told of every change. Reply: `Loaded`.
    Load {
        /// Nodes that are evicted: what they held is released in the same step.
        dead: EvictedNodes,
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
    Claim(Box<BotClaim>),
    /// Repeats what a node holds: after an outage, a loss of data or an eviction.
    /// Reply: `Asserted`.
    Assert(Box<HeldEntries>),
    /// Ends homes and connections. The bots stay listed offline. Reply: `Done`.
    Release(Box<EntryRelease>),
    /// Releases what dead nodes held. Reply: `Done`.
    Reap {
        /// The evicted.
        dead: EvictedNodes,
    },
    /// Removes a bot from the directory, if nobody else holds it. Reply: `Done`, or
    /// `Refused(not_your_identity)`.
    Forget {
        /// The bot.
        bot: BotId,
        /// What the asker holds, if it holds the bot.
        fence: Option<Fence>,
    },
}

impl DirectoryQuery {
    /// The query's name, for traces.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Load { .. } => "load",
            Self::Version => "version",
            Self::Enter { .. } => "enter",
            Self::Claim(_) => "claim",
            Self::Assert(_) => "assert",
            Self::Release(_) => "release",
            Self::Reap { .. } => "reap",
            Self::Forget { .. } => "forget",
        }
    }
}

/// A claim of a bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotClaim {
    /// The claimant.
    pub holder: BotHolder,
    /// The bot as it wants to be seen; `status` and `since` are the store's.
    pub bot: BotInfo,
    /// The claimant's process, if it said.
    pub instance: Option<SmolStr>,
    /// What happens to a holder that is not evicted.
    pub takeover: Takeover,
    /// Nodes whose claims do not count.
    pub dead: EvictedNodes,
}

/// What a node holds, repeated.
///
/// A bot is taken iff the directory has none of that name, or one of a lower epoch, or that very
/// `(epoch, conn)`. Connections are always taken. The key generation only rises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldEntries {
    /// The node.
    pub boot: BootId,
    /// Its bots, with holders that are its connections.
    pub bots: Vec<BotRecord>,
    /// Its connections.
    pub conns: Vec<(ConnectionId, ConnRecord)>,
    /// The highest key generation it knows.
    pub generation: u64,
}

/// What ends. A bot only if this very `(epoch, conn)` is its holder still.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryRelease {
    /// Connections that are gone.
    pub conns: Vec<ConnectionId>,
    /// Homes that are gone.
    pub bots: Vec<(BotId, Fence)>,
    /// Client ids whose last connection on the node is gone.
    pub seen: Vec<ClientId>,
}
