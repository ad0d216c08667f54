//! What a dialect makes of a message.

use protocol::request::{IncomingRequest, RejectedRequest};

/// What a message asks, or why that is not understood.
pub(crate) type DecodedRequest = Result<IncomingRequest, Box<RejectedRequest>>;
