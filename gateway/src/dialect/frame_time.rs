//! The times that a connection is told.

use router_core::Millis;

/// The time of a frame, Unix milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameTime {
    /// Now: what all recipients of a shared text are told.
    pub(crate) now_ms: Millis,
    /// The connection was told this time before, and is told none that is earlier.
    pub(crate) least_ms: Millis,
}
