//! What came of a reload.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::config::ConfigError;
use crate::start::StartError;

/// Who wants a reload.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ReloadTrigger {
    /// SIGHUP.
    Signal,
    /// An operator, by the admin API.
    Order {
        /// Who asks.
        peer: SocketAddr,
        /// Whether secrets that cut somebody off apply.
        force: bool,
    },
}

impl ReloadTrigger {
    pub(super) fn is_forced(self) -> bool {
        match self {
            ReloadTrigger::Signal => false,
            ReloadTrigger::Order { force, .. } => force,
        }
    }

    /// For the log.
    pub(super) fn by(self) -> String {
        match self {
            ReloadTrigger::Signal => "SIGHUP".to_owned(),
            ReloadTrigger::Order { peer, .. } => peer.to_string(),
        }
    }
}

/// What a reload changed, by the names of keys and tables, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ReloadReport {
    /// What applies now.
    pub(crate) changed: Vec<String>,
    /// What differs from what holds, and holds from the next start on.
    pub(crate) needs_restart: Vec<String>,
}

impl ReloadReport {
    /// The answer of the admin API.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "changed": self.changed,
            "needs_restart": self.needs_restart,
            "unchanged": self.changed.is_empty() && self.needs_restart.is_empty(),
        })
    }
}

/// Why a reload changed nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadRefusal {
    /// The configuration is wrong.
    #[error(transparent)]
    Wrong(#[from] ConfigError),
    /// The TLS files cannot be used.
    #[error(transparent)]
    Certificates(#[from] StartError),
    /// A file of it is a pipe that nobody writes, or on a disk that is away.
    #[error("the configuration could not be read within 5 s")]
    Slow,
    /// Sockets or nodes would be cut off.
    #[error("{0}; force it to apply it anyway")]
    CutsOff(String),
}
