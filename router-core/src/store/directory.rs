//! The directory of a tenant: its records, and the steps that change them.

use std::sync::Arc;

use protocol::presence::{BotInfo, Takeover};
use protocol::{BootId, BotId, ClientId, ConnectionId, Limits};
use smol_str::SmolStr;

use super::Seen;
use crate::env::Millis;

/// Nodes that were buried; they never return, so the list cannot lie.
pub type Dead = Arc<[BootId]>;

/// A connection on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The node.
    pub boot: BootId,
    /// The connection.
    pub conn: ConnectionId,
}

/// What a holder must still be for its word to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The connection.
    pub conn: ConnectionId,
    /// The number of its claim.
    pub epoch: u64,
}

/// A bot in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotRecord {
    /// As others see it: online while it has a holder.
    pub info: BotInfo,
    /// Its home, if it has one.
    pub holder: Option<Holder>,
    /// The number of the last claim.
    pub epoch: u64,
    /// The process that claimed it, if it said.
    pub instance: Option<SmolStr>,
}

/// A connection in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnRecord {
    /// Its node.
    pub boot: BootId,
    /// Its client id.
    pub client: ClientId,
}

/// A claim of a bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The claimant.
    pub holder: Holder,
    /// The bot as it wants to be seen; `status` and `since` are the store's.
    pub bot: BotInfo,
    /// The claimant's process, if it said.
    pub instance: Option<SmolStr>,
    /// What happens to a holder that is not buried.
    pub takeover: Takeover,
    /// Nodes whose claims do not count.
    pub dead: Dead,
}

/// What a node holds, said again.
///
/// A bot is taken iff the directory has none of that name, or one of a lower epoch, or that very
/// `(epoch, conn)`. Connections are always taken. The key generation only rises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assert {
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
pub struct Release {
    /// Connections that are gone.
    pub conns: Vec<ConnectionId>,
    /// Homes that are gone.
    pub bots: Vec<(BotId, Fence)>,
    /// Client ids whose last connection on the node is gone.
    pub seen: Vec<ClientId>,
}

/// All that a node must know of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The tenant's counter; 0 if there is none.
    pub ver: u64,
    /// The number of the first step that this directory has; 0 if there is none. Another one means
    /// that all before it was lost, however high the counter is again.
    pub born: u64,
    /// Who may connect.
    pub policy: Policy,
    /// Every listed bot, in id order.
    pub bots: Vec<BotRecord>,
    /// Every connection, in id order.
    pub conns: Vec<(ConnectionId, ConnRecord)>,
    /// Client ids seen in the last 24 h, in id order.
    pub clients: Vec<Seen>,
}

/// How much of each kind a tenant's directory may hold.
///
/// The nodes check the same limits against their replicas, which may lag; the store's check is
/// exact. A node that repeats what it holds ([`Assert`]) is not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectoryCaps {
    /// Client ids; the least recently seen is forgotten first.
    pub clients: u32,
    /// Bots and connections together; full = `quota_exceeded`.
    pub entries: u32,
}

impl DirectoryCaps {
    /// For whoever asks without knowing the tenant's limits, and adds nothing.
    pub const NONE: Self = Self {
        clients: u32::MAX,
        entries: u32::MAX,
    };
}

impl From<&Limits> for DirectoryCaps {
    fn from(limits: &Limits) -> Self {
        Self {
            clients: limits.clients_per_tenant,
            entries: limits
                .bots_per_tenant
                .saturating_add(limits.sockets_per_tenant),
        }
    }
}

impl Default for DirectoryCaps {
    fn default() -> Self {
        Self::from(&Limits::default())
    }
}

/// Who may connect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Credentials of lower generations are refused.
    pub generation: u64,
    /// Whether all are.
    pub suspended: bool,
}

/// A step of a tenant's directory, as every node with the tenant is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The counter before: whoever has another number missed a step.
    pub prev: u64,
    /// The counter now.
    pub ver: u64,
    /// What changed, in order.
    pub changes: Vec<Change>,
}

/// One change of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A bot is this now.
    Bot(Box<BotRecord>),
    /// A bot is off the list.
    Forgotten(BotId),
    /// A connection came.
    Entered(ConnectionId, ConnRecord),
    /// A connection is gone.
    Left(ConnectionId),
    /// A client id was last seen then.
    Seen(ClientId, Millis),
    /// The policy is this now.
    Policy(Policy),
}
