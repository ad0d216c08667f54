//! The steps of a directory, as all nodes with the tenant are told.

use protocol::{BotId, ClientId, ConnectionId};

use super::records::{BotRecord, ConnRecord};
use crate::env::Millis;
use crate::store::policy::TenantPolicy;

/// A step of a tenant's directory, as every node with the tenant is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryEvent {
    /// The counter before: a replica with another number missed a step.
    pub prev: u64,
    /// The counter now.
    pub ver: u64,
    /// What changed, in order.
    pub changes: Vec<DirectoryChange>,
}

/// One change of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryChange {
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
    Policy(TenantPolicy),
}
