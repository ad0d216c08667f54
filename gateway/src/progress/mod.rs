//! Whose turn it is on an HTTP connection, and whether its peer moves on.
//!
//! ```text
//!  accept ─▶ peer: TLS, head ─▶ ours: the request is handled ─▶ peer: takes the answer, sends the next head ─▶ ours …
//! ```
//!
//! | peer's turn | ends the connection |
//! | --- | --- |
//! | TLS and the first head | `handshake_timeout` after accept, whatever arrives: bytes that trickle do not prolong it |
//! | the answer | within `handshake_timeout` after the last [`PROGRESS_BYTES`] that the peer took |
//! | the next head | `handshake_timeout` after the peer took the whole answer |
//!
//! A large answer is charged to its tenant until the peer has taken it: the kernel holds it until then.
//!
//! Taken is what the peer's system has acknowledged: what was written to the socket less what the
//! kernel still holds.
//!
//! | file | what |
//! | --- | --- |
//! | `turns.rs` | whose turn it is, and whether the peer moves on |
//! | `stream.rs` | the stream below hyper, which counts what it writes |
//! | `ahead.rs` | what a peer sends behind a request that is not answered |
//! | `untaken.rs` | charges for answers that the peer has not taken |

mod ahead;
mod stream;
mod turns;
mod untaken;

pub(crate) use stream::{PacedStream, Transport};
pub(crate) use turns::{ConnectionTurns, PROGRESS_BYTES};
