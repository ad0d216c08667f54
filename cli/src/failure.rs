//! How a command ends when it does not do what was asked.
//!
//! | exit | means |
//! | --- | --- |
//! | 1 | failed |
//! | 64 | wrong usage or configuration |
//! | 69 | not reachable, offline, or too late |
//! | 77 | refused |

use std::fmt::Display;
use std::process::ExitCode;

use gateway::config::{ConfigError, KeyError};
use gateway::{ConnectError, StartError};

use crate::term;

const FAILED: u8 = 1;
/// Exit code of wrong usage or configuration.
pub const USAGE: u8 = 64;
const UNAVAILABLE: u8 = 69;
const REFUSED: u8 = 77;

/// An exit code, and what a person is told.
#[derive(Debug)]
pub struct Failure {
    exit: u8,
    reason: String,
    text: String,
    next: Option<String>,
}

impl Failure {
    fn new(exit: u8, reason: &str, text: impl Display) -> Self {
        Self {
            exit,
            reason: reason.to_owned(),
            text: text.to_string(),
            next: None,
        }
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

    /// It is not allowed.
    pub fn refused(reason: &str, text: impl Display) -> Self {
        Self::new(REFUSED, reason, text)
    }

    /// What to try next, a command, unless it is known already.
    pub fn or_next(mut self, command: impl Into<String>) -> Self {
        self.next.get_or_insert_with(|| command.into());
        self
    }

    /// Tells it on stderr.
    pub fn report(self) -> ExitCode {
        let (reason, text) = (&self.reason, term::for_stderr(&self.text));
        eprintln!("{} {reason}: {text}", term::red("error:"));
        if let Some(next) = &self.next {
            eprintln!("{} {}", term::dim("next:"), term::for_stderr(next));
        }
        ExitCode::from(self.exit)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage("config", error).or_next("t2b gateway run --help")
    }
}

impl From<KeyError> for Failure {
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

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Listen { .. } => Self::failed("listen", error)
                .or_next("t2b gateway run --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0"),
            StartError::Store(_) => Self::failed("store", error),
            StartError::Redis(ConnectError::Credentials { .. }) => Self::refused("redis", error),
            StartError::Redis(_) => Self::unavailable("redis", error),
            StartError::Tls(_) => Self::usage("tls", error),
        }
    }
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Self {
        let exit = match &error {
            client::Error::Url(_) => USAGE,
            client::Error::Unreachable(_)
            | client::Error::Proxy(_)
            | client::Error::Timeout
            | client::Error::Lost => UNAVAILABLE,
            client::Error::Refused(data) => of_status(data.code),
            client::Error::Upgrade { status } => of_status(*status),
            client::Error::Closed { code, .. } => match code {
                4401..=4403 => REFUSED,
                1011..=1013 | 4408 | 4410 | 4429 => UNAVAILABLE,
                _ => FAILED,
            },
            client::Error::TooLarge { .. }
            | client::Error::Protocol(_)
            | client::Error::Stopped => FAILED,
        };
        let failure = Self::new(exit, error.reason(), &error);
        match exit {
            UNAVAILABLE if matches!(error, client::Error::Unreachable(_)) => {
                failure.or_next("t2b gateway run")
            }
            REFUSED if error.reason() == "unauthorized" => failure.or_next("t2b keys issue USER"),
            _ => failure,
        }
    }
}

fn of_status(status: u16) -> u8 {
    match status {
        401 | 403 => REFUSED,
        429 | 503 => UNAVAILABLE,
        _ => FAILED,
    }
}
