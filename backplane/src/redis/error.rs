//! Why there is no connection, and what a failed command means. No text here has a credential.

use protocol::ErrorCode;
use redis::{ErrorKind, RedisError, ServerErrorKind};
use router_core::store::StoreFailure;

use super::topology::address::ServerAddress;

/// Why Redis cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL is not one of the four kinds.
    #[error("the Redis URL is not valid: {0}")]
    Url(&'static str),
    /// The prefix of the keys.
    #[error("the Redis prefix must be 1-64 of [A-Za-z0-9._:-]")]
    Prefix,
    /// The certificates of the system, or the server's.
    #[error("TLS: {0}")]
    Tls(String),
    /// It does not answer, or refuses.
    #[error("Redis at {address}: {reason}")]
    Refused {
        /// Who was asked.
        address: ServerAddress,
        /// What it, or the system, said.
        reason: String,
    },
    /// It answers, and does not take the user or the password, or the user may not do what is needed.
    #[error("Redis at {address}: {reason}")]
    Credentials {
        /// Who was asked.
        address: ServerAddress,
        /// What it said.
        reason: String,
    },
    /// Older than 7.0.
    #[error("Redis at {address} is version {version}; 7.0 or newer is needed")]
    TooOld {
        /// Who was asked.
        address: ServerAddress,
        /// What it says it is.
        version: String,
    },
    /// A replica takes no writes.
    #[error("Redis at {0} is a replica, not a master")]
    Replica(ServerAddress),
    /// The URL says one kind, the server is another.
    #[error("Redis at {address} {is}; use a URL {use_instead}")]
    OtherKind {
        /// Who was asked.
        address: ServerAddress,
        /// What it is.
        is: &'static str,
        /// How its URL begins.
        use_instead: &'static str,
    },
    /// Nobody who was asked knows the masters.
    #[error("no {who} knows the master: {reason}")]
    NoMaster {
        /// Who was asked.
        who: &'static str,
        /// What the last of them said.
        reason: String,
    },
}

impl ConnectError {
    /// Why `address` cannot be used, as its client says.
    pub(super) fn of(address: &ServerAddress, error: &RedisError) -> Self {
        let (address, reason) = (address.clone(), error.to_string());
        let is_refused = matches!(error.code(), Some("WRONGPASS" | "NOAUTH" | "NOPERM"))
            || error.kind() == ErrorKind::AuthenticationFailed;
        if is_refused {
            return Self::Credentials { address, reason };
        }
        // The client gives the error of rustls as a text only.
        if error.is_io_error() && reason.contains("invalid peer certificate") {
            return Self::Tls(format!("Redis at {address}: {reason}"));
        }
        Self::Refused { address, reason }
    }
}

/// Why a command has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandFailure {
    /// It may have been executed, or a part of it.
    Lost,
    /// It may have been executed, and what the store has is not as this program writes it: repeated,
    /// it fails again.
    Misread,
    /// It was not.
    Refused(ErrorCode),
}

/// What `step.lua` says before it begins, and the key: its type is not what the scripts make it.
const WRONG_KEY: &str = "WRONGKEY";
/// What Redis says to a command on a key of another type.
const WRONG_TYPE: &str = "WRONGTYPE";
/// What Redis says if it has no memory left.
const FULL: &str = "OOM";
/// What Redis says before it begins: nothing was executed. Every script declares what it is
/// (see [`script`](crate::script)), so that this holds for scripts too.
const BEFORE: [&str; 15] = [
    "ASK",
    "BUSY",
    "CLUSTERDOWN",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOPERM",
    "NOREPLICAS",
    "NOSCRIPT",
    FULL,
    "READONLY",
    "TRYAGAIN",
    WRONG_KEY,
];
/// What Redis adds to the error of a command within a script, with the script's name and line.
/// What the script wrote before that stays.
const WITHIN: &str = ", on @user_script:";

impl CommandFailure {
    /// It was never sent, or Redis could not execute it.
    pub(crate) const UNAVAILABLE: Self = Self::Refused(ErrorCode::StoreUnavailable);

    /// What an error means for the command that got it.
    pub(super) fn of(error: &RedisError) -> Self {
        let within = error.detail().is_some_and(|text| text.contains(WITHIN));
        let code = error.code().filter(|code| BEFORE.contains(code) && !within);
        match code {
            None if error.code() == Some(WRONG_TYPE) => Self::Misread,
            Some(FULL) => Self::Refused(ErrorCode::QuotaExceeded),
            Some(_) => Self::UNAVAILABLE,
            None => Self::Lost,
        }
    }
}

/// Whether an error means that the masters have to be looked for again: one is elsewhere now, or
/// serves nobody.
pub(super) fn is_elsewhere(error: &RedisError) -> bool {
    use ServerErrorKind::{ClusterDown, MasterDown, Moved, ReadOnly};
    let kinds = [Moved, ReadOnly, MasterDown, ClusterDown].map(ErrorKind::Server);
    kinds.contains(&error.kind())
}

/// Whether an error means that the server has no memory left.
pub(super) fn is_full(error: &RedisError) -> bool {
    error.code() == Some(FULL)
}

/// Whether an error means that `key`, or the key that it names, is of another type: nothing that the
/// store does mends that. Then the text for operators.
pub(super) fn wrong_type(error: &RedisError, key: &str) -> Option<String> {
    let key = match error.code()? {
        WRONG_KEY => error.detail()?,
        WRONG_TYPE => key,
        _ => return None,
    };
    Some(format!(
        "the key {key} was not understood: it is of another type than this program writes"
    ))
}
impl From<CommandFailure> for StoreFailure {
    fn from(failure: CommandFailure) -> Self {
        match failure {
            CommandFailure::Lost => Self::Lost,
            CommandFailure::Misread => Self::Damaged,
            CommandFailure::Refused(code) => Self::Refused(code),
        }
    }
}
