//! The errors that a caller distinguishes.

use std::time::Duration;

use protocol::t2b::frames::ErrorData;
use protocol::{CloseCode, ErrorCode};

use crate::certificate::CertificateError;

/// Why a connection or a request failed. No text in it holds a credential.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClientError {
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

impl ClientError {
    /// One word for it: an error table's reason, a close code's, or one of this crate's.
    pub fn reason(&self) -> &str {
        match self {
            ClientError::Url(_) => "bad_url",
            ClientError::Unreachable(_)
            | ClientError::Certificate(_)
            | ClientError::NoWebSocket(_) => "not_reachable",
            ClientError::Proxy(_) => "proxy_failed",
            ClientError::Upgrade { .. } => "upgrade_refused",
            ClientError::Refused(data) => data.reason.reason(),
            ClientError::TooLarge { .. } => ErrorCode::TooLarge.reason(),
            ClientError::Closed { reason, .. } if reason.is_empty() => "closed",
            ClientError::Closed { reason, .. } => reason,
            ClientError::Lost => "connection_lost",
            ClientError::Timeout => "timeout",
            ClientError::Protocol(_) => "protocol",
            ClientError::Stopped => "stopped",
        }
    }

    /// Whether the same request, unchanged, may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            ClientError::Refused(data) => data.retryable,
            ClientError::Lost | ClientError::Timeout | ClientError::Closed { .. } => {
                !self.stops() && !self.forbids_repetition()
            }
            ClientError::Url(_)
            | ClientError::Unreachable(_)
            | ClientError::Certificate(_)
            | ClientError::NoWebSocket(_)
            | ClientError::Proxy(_)
            | ClientError::Upgrade { .. }
            | ClientError::TooLarge { .. }
            | ClientError::Protocol(_)
            | ClientError::Stopped => false,
        }
    }

    /// When the gateway says to try again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            ClientError::Refused(data) => data.retry_after_ms.map(Duration::from_millis),
            ClientError::Closed { retry_after, .. } => *retry_after,
            ClientError::Url(_)
            | ClientError::Unreachable(_)
            | ClientError::Certificate(_)
            | ClientError::NoWebSocket(_)
            | ClientError::Proxy(_)
            | ClientError::Upgrade { .. }
            | ClientError::TooLarge { .. }
            | ClientError::Lost
            | ClientError::Timeout
            | ClientError::Protocol(_)
            | ClientError::Stopped => None,
        }
    }

    /// Whether a client that was connected with the same options before gives up.
    ///
    /// Only the gateway's own word ends it. An HTTP status may be of a proxy before a gateway that
    /// restarts, whatever its number.
    pub(crate) fn stops(&self) -> bool {
        match self {
            ClientError::Url(_) | ClientError::Stopped => true,
            ClientError::Closed { code, .. } => is_among(&STOP, *code),
            ClientError::Refused(data) => {
                matches!(
                    data.reason,
                    ErrorCode::Unauthorized | ErrorCode::TenantSuspended
                )
            }
            ClientError::Unreachable(_)
            | ClientError::Certificate(_)
            | ClientError::NoWebSocket(_)
            | ClientError::Proxy(_)
            | ClientError::Upgrade { .. }
            | ClientError::TooLarge { .. }
            | ClientError::Lost
            | ClientError::Timeout
            | ClientError::Protocol(_) => false,
        }
    }

    /// Whether what was in flight must not be sent again: it would end the next connection too.
    pub(crate) fn forbids_repetition(&self) -> bool {
        match self {
            ClientError::Closed { code, .. } => is_among(&NOT_AGAIN, *code),
            ClientError::TooLarge { .. } => true,
            ClientError::Url(_)
            | ClientError::Unreachable(_)
            | ClientError::Certificate(_)
            | ClientError::NoWebSocket(_)
            | ClientError::Proxy(_)
            | ClientError::Upgrade { .. }
            | ClientError::Refused(_)
            | ClientError::Lost
            | ClientError::Timeout
            | ClientError::Protocol(_)
            | ClientError::Stopped => false,
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
            let error = ClientError::Closed {
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
        let said = |status| ClientError::Upgrade { status }.to_string();
        assert!(said(404).contains("HTTP 404") && said(404).contains("base_path"));
        assert!(said(421).contains("HTTP 421") && said(421).contains("allowed_hosts"));
        assert!(said(500).ends_with("instead of a WebSocket"));
    }

    #[test]
    fn no_http_status_stops_a_client() {
        for status in 300..600 {
            assert!(!ClientError::Upgrade { status }.stops(), "{status}");
        }
    }
}
