//! How many sockets a gate lets in, and why it refuses one.

use protocol::limits::{UNAUTHENTICATED_MAX, UNAUTHENTICATED_PER_SOURCE};

/// Which part of `sockets_max` may be unauthenticated: a quarter.
const UNAUTHENTICATED_SHARE: usize = 4;
/// Most sockets of the admin listener: probes and scrapes take milliseconds, and people are few.
const ADMIN_SOCKETS_MAX: usize = 64;

/// How many sockets a gate lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GateLimits {
    /// Most sockets.
    pub(super) sockets: usize,
    /// Most of them that are unauthenticated.
    pub(super) unauthenticated: usize,
    /// Most of those from one source.
    pub(super) per_source: usize,
}

impl GateLimits {
    /// Of the public listener. One source never has more than half of what is unauthenticated.
    pub(crate) fn public(sockets_max: usize) -> Self {
        let unauthenticated = (sockets_max / UNAUTHENTICATED_SHARE).clamp(1, UNAUTHENTICATED_MAX);
        Self {
            sockets: sockets_max,
            unauthenticated,
            per_source: (unauthenticated / 2).clamp(1, UNAUTHENTICATED_PER_SOURCE),
        }
    }

    /// Of the admin listener.
    pub(crate) fn admin() -> Self {
        Self {
            sockets: ADMIN_SOCKETS_MAX,
            unauthenticated: ADMIN_SOCKETS_MAX,
            per_source: ADMIN_SOCKETS_MAX / 2,
        }
    }
}

/// Why a connection is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GateRefusal {
    /// Its source has too many that are unauthenticated.
    Source,
    /// Every place is taken by an authenticated one.
    Full,
}

impl GateRefusal {
    /// The HTTP status that says so.
    pub(crate) const fn status(self) -> u16 {
        match self {
            GateRefusal::Source => 429,
            GateRefusal::Full => 503,
        }
    }
}
