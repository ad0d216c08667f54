//! Why a gateway cannot start.

use std::io;
use std::net::SocketAddr;

use backplane::ConnectError;

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({key}): {source}")]
    Listen {
        /// The configuration key.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] backplane::OpenError),
    /// The Redis that the nodes share cannot be used.
    #[error("redis: {0}")]
    Redis(#[from] ConnectError),
    /// The system clock is wrong, or that of Redis: usage would be booked into wrong hours.
    #[error(
        "the system clock differs from that of Redis by {seconds} s, and may differ by {most_s} s: set it"
    )]
    ClockSkew {
        /// By how much, seconds; positive: this machine's is ahead.
        seconds: f64,
        /// By how much it may.
        most_s: u64,
    },
    /// The certificate or its key is not good.
    #[error("TLS: {0}")]
    Tls(String),
}
