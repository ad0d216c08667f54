//! How a command ends when it fails.
//!
//! | exit | means |
//! | --- | --- |
//! | 0 | whoever reads stdout has enough: see `out.rs` |
//! | 1 | failed |
//! | 2 | `gateway status`: the gateway is degraded |
//! | 64 | wrong usage or configuration |
//! | 69 | not reachable, offline, or too late |
//! | 75 | not done yet: the same command succeeds later |
//! | 77 | refused |

use std::fmt::{self, Display, Formatter};

use client::CertificateError;
use gateway::config::{ConfigError, KeyError};
use gateway::{ConnectError, StartError};

const FAILED: u8 = 1;
const DEGRADED: u8 = 2;
/// Exit code of wrong usage or configuration.
pub const USAGE: u8 = 64;
const UNAVAILABLE: u8 = 69;
const TRY_LATER: u8 = 75;
const REFUSED: u8 = 77;

/// An exit code, and what a person is told.
#[derive(Debug)]
pub struct CommandFailure {
    pub(crate) exit: u8,
    /// One word for it, and a text. None: nothing is left to tell.
    pub(crate) told: Option<(String, String)>,
    pub(crate) next: Option<String>,
}

impl CommandFailure {
    fn new(exit: u8, reason: &str, text: impl Display) -> Self {
        Self {
            exit,
            told: Some((reason.to_owned(), text.to_string())),
            next: None,
        }
    }

    fn silent(exit: u8) -> Self {
        Self {
            exit,
            told: None,
            next: None,
        }
    }

    /// Nobody reads stdout any more.
    pub fn unread() -> Self {
        Self::silent(0)
    }

    /// It did not work, which was told when it was seen.
    pub fn failed_as_told() -> Self {
        Self::silent(FAILED)
    }

    /// The gateway is degraded, which was told.
    pub fn degraded_as_told() -> Self {
        Self::silent(DEGRADED)
    }

    /// It was tried and did not work.
    pub fn failed(reason: &str, text: impl Display) -> Self {
        Self::new(FAILED, reason, text)
    }

    /// It was asked wrongly.
    pub fn usage(reason: &str, text: impl Display) -> Self {
        Self::new(USAGE, reason, text)
    }

    /// Whoever is needed is not there.
    pub fn unavailable(reason: &str, text: impl Display) -> Self {
        Self::new(UNAVAILABLE, reason, text)
    }

    /// It is not done, and nothing is lost: the same command goes on later.
    pub fn try_later(reason: &str, text: impl Display) -> Self {
        Self::new(TRY_LATER, reason, text)
    }

    /// It is not allowed.
    pub fn refused(reason: &str, text: impl Display) -> Self {
        Self::new(REFUSED, reason, text)
    }

    /// Says first where it was.
    pub fn at(mut self, place: &str) -> Self {
        self.told = self
            .told
            .map(|(reason, text)| (reason, format!("{place}: {text}")));
        self
    }

    /// What to try next, a command, unless it is known already.
    pub fn or_next(mut self, command: impl Into<String>) -> Self {
        self.next.get_or_insert_with(|| command.into());
        self
    }
}

impl Display for CommandFailure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.told {
            Some((_, text)) => f.write_str(text),
            None => f.write_str("nobody reads it"),
        }
    }
}

impl From<ConfigError> for CommandFailure {
    fn from(error: ConfigError) -> Self {
        Self::usage("config", error).or_next("t2b gateway run --help")
    }
}

impl From<KeyError> for CommandFailure {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Invalid => Self::refused("unauthorized", error),
            KeyError::Secret(_) | KeyError::Weak(_) | KeyError::Generation(_) => {
                Self::usage("state_dir", error).or_next("t2b gateway config")
            }
            KeyError::Redis(_) | KeyError::Silent => {
                Self::unavailable("store_unavailable", error).or_next("t2b gateway status")
            }
        }
    }
}

impl From<StartError> for CommandFailure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Listen { .. } => Self::failed("listen", error)
                .or_next("t2b gateway run --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0"),
            StartError::Store(_) => Self::failed("store", error),
            StartError::Redis(ConnectError::Credentials { .. }) => Self::refused("redis", error),
            StartError::Redis(_) => Self::unavailable("redis", error),
            StartError::ClockSkew { .. } => Self::failed("clock", error),
            StartError::Tls(_) => Self::usage("tls", error),
        }
    }
}

impl From<client::ClientError> for CommandFailure {
    fn from(error: client::ClientError) -> Self {
        let exit = match &error {
            client::ClientError::Url(_) => USAGE,
            client::ClientError::Unreachable(_)
            | client::ClientError::Certificate(_)
            | client::ClientError::NoWebSocket(_)
            | client::ClientError::Proxy(_)
            | client::ClientError::Timeout
            | client::ClientError::Lost => UNAVAILABLE,
            client::ClientError::Refused(data) => of_status(data.code),
            client::ClientError::Upgrade { status } => of_status(*status),
            client::ClientError::Closed { code, .. } => match code {
                4401..=4403 => REFUSED,
                1011..=1013 | 4408 | 4410 | 4429 => UNAVAILABLE,
                _ => FAILED,
            },
            client::ClientError::TooLarge { .. }
            | client::ClientError::Protocol(_)
            | client::ClientError::Stopped => FAILED,
        };
        let failure = Self::new(exit, error.reason(), &error);
        match next_after(&error) {
            Some(next) => failure.or_next(next),
            None => failure,
        }
    }
}

/// What to try next, if it is the same whatever the URL and wherever the key is from.
fn next_after(error: &client::ClientError) -> Option<&'static str> {
    match error {
        client::ClientError::Certificate(CertificateError::UnknownIssuer) => {
            Some("SSL_CERT_FILE=ca.pem t2b …, where ca.pem holds the certificate of the authority")
        }
        client::ClientError::Refused(_) | client::ClientError::Closed { .. }
            if error.reason() == "unauthorized" =>
        {
            Some("t2b keys issue USER")
        }
        client::ClientError::Certificate(_)
        | client::ClientError::Refused(_)
        | client::ClientError::Closed { .. }
        | client::ClientError::Unreachable(_)
        | client::ClientError::NoWebSocket(_)
        | client::ClientError::Url(_)
        | client::ClientError::Proxy(_)
        | client::ClientError::Upgrade { .. }
        | client::ClientError::TooLarge { .. }
        | client::ClientError::Lost
        | client::ClientError::Timeout
        | client::ClientError::Protocol(_)
        | client::ClientError::Stopped => None,
    }
}

fn of_status(status: u16) -> u8 {
    match status {
        401 | 403 => REFUSED,
        429 | 503 => UNAVAILABLE,
        _ => FAILED,
    }
}
