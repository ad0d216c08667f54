//! How a node uses Redis.

use std::time::Duration;

use protocol::Secret;

use super::pool::client_certificate::ClientCertificate;

/// How long an answer may take.
pub(super) const RESPONSE: Duration = Duration::from_millis(500);
/// How long a connection may take.
pub(super) const CONNECT: Duration = Duration::from_secs(1);

/// Where Redis is and how to use it.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// `redis://`, `redis+sentinel://` or `redis+cluster://`, or with `rediss` for TLS.
    pub url: Secret<String>,
    /// What all keys and channels begin with: 1-64 of `[A-Za-z0-9._:-]`. It separates two clusters
    /// on one Redis, as does another database.
    pub prefix: String,
    /// Believe whatever certificate a `rediss` server shows.
    pub insecure: bool,
    /// What is shown to a `rediss` server that asks its clients for a certificate.
    pub client: Option<ClientCertificate>,
    /// How long the usage ledger keeps an hour, hours.
    pub usage_keep_hours: u32,
    /// Whose time counts.
    pub clock: StoreClock,
}

/// Whose time the store goes by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StoreClock {
    /// Redis's own, which is one for all nodes.
    #[default]
    Server,
    /// That in the request. For comparisons with the model.
    Asker,
}
