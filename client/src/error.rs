//! What can go wrong, as a caller distinguishes it.

use std::time::Duration;

use protocol::frame::ErrorData;
use protocol::{CloseCode, ErrorCode};

/// Why a connection or a request failed. No text in it holds a credential.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The URL cannot be used.
    #[error("not a usable URL: {0}")]
    Url(String),
    /// Nobody answers there, or not as a WebSocket server would.
    #[error("{0}")]
    Unreachable(String),
    /// The gateway answered the upgrade with an HTTP error.
    #[error("the gateway answered HTTP {status} instead of a WebSocket")]
    Upgrade {
        /// The HTTP status.
        status: u16,
    },
    /// The gateway refused the request, or the credential.
    #[error("{}", .0.message)]
    Refused(Box<ErrorData>),
    /// The gateway closed the connection.
    #[error("the gateway closed the connection: {code} {reason}")]
    Closed {
        /// The close code.
        code: u16,
        /// The gateway's word for it.
        reason: String,
        /// When the gateway said to come back, if it did just before.
        retry_after: Option<Duration>,
    },
    /// The connection ended without a close, or before the answer came.
    #[error("the connection was lost")]
    Lost,
    /// Nothing came in time.
    #[error("no answer in time")]
    Timeout,
    /// The gateway sent what this client does not understand.
    #[error("the gateway's answer was not understood: {0}")]
    Protocol(String),
    /// This client was closed, or has given up.
    #[error("this client has stopped")]
    Stopped,
}

impl Error {
    /// One word for it: an error table's reason, a close code's, or one of this crate's.
    pub fn reason(&self) -> &str {
        match self {
            Error::Url(_) => "bad_url",
            Error::Unreachable(_) => "not_reachable",
            Error::Upgrade { .. } => "upgrade_refused",
            Error::Refused(data) => data.reason.reason(),
            Error::Closed { reason, .. } if reason.is_empty() => "closed",
            Error::Closed { reason, .. } => reason,
            Error::Lost => "connection_lost",
            Error::Timeout => "timeout",
            Error::Protocol(_) => "protocol",
            Error::Stopped => "stopped",
        }
    }

    /// Whether the same request, unchanged, may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            Error::Refused(data) => data.retryable,
            Error::Lost | Error::Timeout | Error::Closed { .. } => !self.stops(),
            Error::Url(_)
            | Error::Unreachable(_)
            | Error::Upgrade { .. }
            | Error::Protocol(_)
            | Error::Stopped => false,
        }
    }

    /// When the gateway says to try again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Refused(data) => data.retry_after_ms.map(Duration::from_millis),
            Error::Closed { retry_after, .. } => *retry_after,
            Error::Url(_)
            | Error::Unreachable(_)
            | Error::Upgrade { .. }
            | Error::Lost
            | Error::Timeout
            | Error::Protocol(_)
            | Error::Stopped => None,
        }
    }

    /// Whether connecting again with the same options is of no use, or not wanted.
    pub(crate) fn stops(&self) -> bool {
        match self {
            Error::Url(_) | Error::Stopped => true,
            Error::Upgrade { status } => !matches!(status, 429 | 500..),
            Error::Closed { code, .. } => STOP.iter().any(|stop| stop.code() == *code),
            Error::Refused(data) => {
                matches!(
                    data.reason,
                    ErrorCode::Unauthorized | ErrorCode::TenantSuspended
                )
            }
            Error::Unreachable(_) | Error::Lost | Error::Timeout | Error::Protocol(_) => false,
        }
    }
}

/// Close codes after which a client does not come back by itself.
const STOP: [CloseCode; 4] = [
    CloseCode::Unauthorized,
    CloseCode::TokenExpired,
    CloseCode::Suspended,
    CloseCode::Replaced,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_closes_stop_a_client() {
        for close in CloseCode::ALL {
            let error = Error::Closed {
                code: close.code(),
                reason: close.reason().to_owned(),
                retry_after: None,
            };
            let stops = matches!(close.code(), 4401..=4403 | 4409);
            assert_eq!(error.stops(), stops, "{close:?}");
            assert_eq!(error.retryable(), !stops, "{close:?}");
        }
    }
}
