//! The records of a directory.

use std::sync::Arc;

use protocol::presence::BotInfo;
use protocol::{BootId, ClientId, ConnectionId, Limits};
use smol_str::SmolStr;

use crate::env::Millis;
use crate::store::policy::TenantPolicy;

/// Nodes that were evicted; they never return, so the list cannot lie.
pub type EvictedNodes = Arc<[BootId]>;

/// A connection on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotHolder {
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
    pub holder: Option<BotHolder>,
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

/// All that a node must know of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectorySnapshot {
    /// The tenant's counter; 0 if there is none.
    pub ver: u64,
    /// The number of the first step that this directory has; 0 if there is none. Another one means
    /// that all before it was lost, however high the counter is again.
    pub born: u64,
    /// Who may connect.
    pub policy: TenantPolicy,
    /// Every listed bot, in id order.
    pub bots: Vec<BotRecord>,
    /// Every connection, in id order.
    pub conns: Vec<(ConnectionId, ConnRecord)>,
    /// Client ids seen in the last 24 h, in id order.
    pub clients: Vec<SeenClient>,
}

/// How much of each kind a tenant's directory may hold.
///
/// The nodes check the same limits against their replicas, which may lag; the store's check is
/// exact. A node that repeats what it holds ([`HeldEntries`](super::HeldEntries)) is not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectoryCaps {
    /// Client ids; the least recently seen is forgotten first.
    pub clients: u32,
    /// Bots and connections together; full = `quota_exceeded`.
    pub entries: u32,
}

impl DirectoryCaps {
    /// For an asker that does not know the tenant's limits and adds nothing.
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

/// A client id and when it was last seen, Unix milliseconds.
pub type SeenClient = (ClientId, Millis);
