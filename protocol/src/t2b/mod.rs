//! The T2B dialect, between text and meanings: [`decode`] what a socket says, [`encode`] what the
//! gateway says.
//!
//! The body of a message is never parsed into values nor written anew: decoding finds where it
//! lies, encoding copies it once into the outgoing frame. What is not here: who may send what
//! (router-core), UTF-8 and frame sizes (the WebSocket layer saw to them before).
//!
//! | file | holds |
//! | --- | --- |
//! | `frames/` | the frames spelled out as types |
//! | `walk.rs` | where the members of a frame and of its `data` lie |
//! | `decode.rs` | the frame: `type`, `id`, and which request it is |
//! | `data.rs` | `data` of a frame, where it lies |
//! | `message.rs` | `message`, `message_partial`, `typing`: checked, the body left as it is |
//! | `requests.rs` | the other requests, as typed values |
//! | `value.rs` | single values of `data` |
//! | `encode/` | frames out, each in an allocation of its exact size |
//!
//! Rules for members of `data`, the same for every request:
//!
//! - A member the request knows, given twice: `bad_frame`. Foreign members may repeat.
//! - `null` is as if an optional member were absent, and a required one: `missing_field`.
//! - An id that is no string, or has not its shape: `invalid_id`. Any other member of the wrong type
//!   or range: `bad_frame`; over its size: `too_large`.
//! - A number without a fraction is an integer, however it is written.
//! - The refusal names the member that is to blame, and its [`Rule`](crate::Rule).

pub(crate) mod data;
mod decode;
pub mod encode;
pub mod frames;
pub(crate) mod message;
pub(crate) mod requests;
pub(crate) mod value;
pub mod walk;

pub use decode::decode;
