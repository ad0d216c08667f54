//! The form of every message: the same for all servers, the recipient at a fixed place.

/// Bytes of every name.
pub const NAME_BYTES: usize = 7;
/// Where the recipient's name stands in a message.
pub const TO_AT: usize = r#"{"type":"message","data":{"to":""#.len();
/// Bytes of every message.
pub const MESSAGE_BYTES: usize = 200;
