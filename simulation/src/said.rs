//! What a peer sent.

/// What a peer said, as it knows it.
#[derive(Debug, Clone)]
pub enum SaidRecord {
    /// A message; see [`SentMessage`](crate::checks::SentMessage).
    Message {
        /// Its number in the whole run.
        tag: usize,
    },
    /// One of a stream's partials, in its place.
    Partial,
    /// Something else that is answered, under this frame id.
    Request(String),
    /// Something without an answer.
    Other,
}
