//! A bot, a client or a connection, and whose it is.

use serde::{Deserialize, Serialize};

use super::name::{Name, TenantId};

/// What an [`Address`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A registered bot.
    Bot,
    /// A client id: every socket that shares it.
    Client,
    /// One connection.
    Connection,
}

/// The only way a bot, a client or a connection is named outside its own tenant's map.
///
/// Shape: `{tenant, kind, name}`. Two tenants may use the same names; an address keeps them apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// Whose it is.
    pub tenant: TenantId,
    /// What it is.
    pub kind: Kind,
    /// Its name within the tenant.
    pub name: Name,
}
