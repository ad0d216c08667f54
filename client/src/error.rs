//! What can go wrong, as a caller distinguishes it.

use std::time::Duration;

use protocol::t2b::frames::ErrorData;
use protocol::{CloseCode, ErrorCode};

use crate::certificate::CertificateError;

/// Why a connection or a request failed. No text in it holds a credential.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The URL cannot be used.
    #[error("not a usable URL: {0}")]
    Url(String),
    /// Nobody answers there.
    #[error("{0}")]
    Unreachable(String),
    /// Somebody answers there, with a certificate that is not accepted.
    #[error("{0}")]
    Certificate(CertificateError),
    /// Somebody answers there, but not as a WebSocket server would.
    #[error("{0}")]
    NoWebSocket(String),
    /// The proxy does not lead to the gateway.
    #[error("{0}")]
    Proxy(String),
    /// The gateway, or a proxy before it, answered the upgrade with an HTTP error.
    #[error("the gateway answered HTTP {status} instead of a WebSocket{}", hint(*status))]
    Upgrade {
        /// The HTTP status.
        status: u16,
    },
    /// The gateway refused the request, or the credential.
    #[error("{}", .0.message)]
    Refused(Box<ErrorData>),
    /// The frame is larger than the gateway takes; it was not sent.
    #[error("the frame has {bytes} bytes; the gateway takes at most {max}")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// `limits.frameBytes` of `auth_ok`.
        max: usize,
    },
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
            Error::Unreachable(_) | Error::Certificate(_) | Error::NoWebSocket(_) => {
                "not_reachable"
            }
            Error::Proxy(_) => "proxy_failed",
            Error::Upgrade { .. } => "upgrade_refused",
            Error::Refused(data) => data.reason.reason(),
            Error::TooLarge { .. } => ErrorCode::TooLarge.reason(),
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
            Error::Lost | Error::Timeout | Error::Closed { .. } => {
                !self.stops() && !self.forbids_repetition()
            }
            Error::Url(_)
            | Error::Unreachable(_)
            | Error::Certificate(_)
            | Error::NoWebSocket(_)
            | Error::Proxy(_)
            | Error::Upgrade { .. }
            | Error::TooLarge { .. }
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
            | Error::Certificate(_)
            | Error::NoWebSocket(_)
            | Error::Proxy(_)
            | Error::Upgrade { .. }
            | Error::TooLarge { .. }
            | Error::Lost
            | Error::Timeout
            | Error::Protocol(_)
            | Error::Stopped => None,
        }
    }

    /// Whether a client that was connected with the same options before gives up.
    ///
    /// Only the gateway's own word ends it. An HTTP status may be of a proxy before a gateway that
    /// restarts, whatever its number.
    pub(crate) fn stops(&self) -> bool {
        match self {
            Error::Url(_) | Error::Stopped => true,
            Error::Closed { code, .. } => is_among(&STOP, *code),
            Error::Refused(data) => {
                matches!(
                    data.reason,
                    ErrorCode::Unauthorized | ErrorCode::TenantSuspended
                )
            }
            Error::Unreachable(_)
            | Error::Certificate(_)
            | Error::NoWebSocket(_)
            | Error::Proxy(_)
            | Error::Upgrade { .. }
            | Error::TooLarge { .. }
            | Error::Lost
            | Error::Timeout
            | Error::Protocol(_) => false,
        }
    }

    /// Whether what was in flight must not be sent again: it would end the next connection too.
    pub(crate) fn forbids_repetition(&self) -> bool {
        match self {
            Error::Closed { code, .. } => is_among(&NOT_AGAIN, *code),
            Error::TooLarge { .. } => true,
            Error::Url(_)
            | Error::Unreachable(_)
            | Error::Certificate(_)
            | Error::NoWebSocket(_)
            | Error::Proxy(_)
            | Error::Upgrade { .. }
            | Error::Refused(_)
            | Error::Lost
            | Error::Timeout
            | Error::Protocol(_)
            | Error::Stopped => false,
        }
    }
}

/// What an HTTP status at the upgrade usually means.
fn hint(status: u16) -> &'static str {
    match status {
        404 => {
            ": nothing at this path accepts WebSockets. The path is usually /ws, or BASE_PATH/ws if base_path is set. The admin listener accepts no WebSockets"
        }
        421 => ": it does not answer for this host name; add it to its allowed_hosts",
        _ => "",
    }
}

fn is_among(rows: &[CloseCode], code: u16) -> bool {
    rows.iter().any(|row| row.code() == code)
}

/// Close codes after which a client does not come back by itself.
const STOP: [CloseCode; 4] = [
    CloseCode::Unauthorized,
    CloseCode::TokenExpired,
    CloseCode::Suspended,
    CloseCode::Replaced,
];

/// Close codes of which the table says that the client should not repeat what it sent.
const NOT_AGAIN: [CloseCode; 4] = [
    CloseCode::ProtocolError,
    CloseCode::Unsupported,
    CloseCode::InvalidUtf8,
    CloseCode::TooBig,
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
            let not_again = close.client_should() == "not repeat it";
            assert_eq!(error.forbids_repetition(), not_again, "{close:?}");
            assert_eq!(error.retryable(), !stops && !not_again, "{close:?}");
        }
    }

    #[test]
    fn a_status_that_a_setting_explains_names_the_setting() {
        let said = |status| Error::Upgrade { status }.to_string();
        assert!(said(404).contains("HTTP 404") && said(404).contains("base_path"));
        assert!(said(421).contains("HTTP 421") && said(421).contains("allowed_hosts"));
        assert!(said(500).ends_with("instead of a WebSocket"));
    }

    #[test]
    fn no_http_status_stops_a_client() {
        for status in 300..600 {
            assert!(!Error::Upgrade { status }.stops(), "{status}");
        }
    }
}
