//! Requests to a receiver.
//!
//! | file | holds |
//! | --- | --- |
//! | `headers.rs` | the headers that the receiver wants, such as its API key |
//! | `client.rs` | one connection, over TCP or TLS, and a request on it |
//! | `answers.rs` | what an answer means for the rows of the batch |

mod answers;
mod client;
mod headers;

pub(super) use answers::BatchVerdict;
pub(super) use client::ReceiverClient;
