//! Floor 0: the words that everybody on the wire speaks.
//!
//! Pure data: ids that validate, the frames of the T2B dialect, the tables of errors, closes and
//! limits, the codec between bytes and frames, and the envelope between nodes. No clock, no
//! randomness, no I/O; nothing here knows how a message is routed.
//!
//! | file | holds |
//! | --- | --- |
//! | `ids.rs` | names that parse: tenants, bots, clients, connections, messages |
//! | `error.rs`, `rule.rs`, `close.rs`, `limits.rs` | the tables that the documents are generated from |
//! | `connect.rs`, `presence.rs`, `status.rs`, `frame.rs` | the frames, by column |
//! | `outbound.rs` | what a connection is told, before a dialect puts it into words |
//! | `http.rs` | the bodies of the HTTP API |
//! | `json.rs`, `integer.rs`, `codec/` | one pass from text to frame, one exact-size write back |
//! | `envelope.rs`, `lane.rs` | what one node sends another, and in what packets |
//! | `generate.rs` | the same words as JSON Schema, TypeScript and tables of the documents |

pub mod close;
pub mod codec;
pub mod connect;
pub mod envelope;
pub mod error;
pub mod frame;
pub mod generate;
pub mod http;
pub mod ids;
mod integer;
pub mod json;
pub mod lane;
pub mod limits;
pub mod outbound;
pub mod presence;
pub mod rule;
pub mod secret;
pub mod status;

pub use close::CloseCode;
pub use envelope::Envelope;
pub use error::ErrorCode;
pub use ids::{
    Address, BootId, BotId, ClientId, ConnectionId, FrameId, Kind, MessageId, Name, StreamId,
    TenantId,
};
pub use limits::Limits;
pub use outbound::{Answer, Outbound, OutboundKind, Refusal, Shared};
pub use rule::{Fault, Rule};
pub use secret::Secret;
