//! What a server sends in a stream.

use std::ops::Range;

/// One thing a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamItem {
    /// A message; where its payload stands.
    Message(Range<usize>),
    /// It wants to be answered.
    Ping,
    /// Nothing that matters.
    Other,
}
