//! What a dialect makes of a message.

use protocol::request::{Frame, Rejected};

/// What a message asks, or why that is not understood.
pub(crate) type DecodedRequest = Result<Frame, Box<Rejected>>;
