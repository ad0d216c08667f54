//! Layer 0: what everybody on the wire reads and writes.
//!
//! Pure data: ids that validate, the frames of the T2B dialect, the tables of errors, closes and
//! limits, the codec between bytes and frames, and the envelope between nodes. No clock, no
//! randomness, no I/O; nothing here knows how a message is routed.
//!
//! | file | holds |
//! | --- | --- |
//! | `ids.rs` | names that parse: tenants, bots, clients, connections, messages |
//! | `error.rs`, `rule.rs`, `close.rs`, `limits.rs` | the tables that the documents are generated from |
//! | `limit_changes.rs` | limits that an operator changes for some tenants |
//! | `connect.rs`, `presence.rs`, `status.rs`, `message.rs`, `token.rs`, `labels.rs`, `plan.rs`, `usage.rs` | what is asked and answered, by feature |
//! | `request.rs` | what a connection asks, once its dialect has decoded it |
//! | `outbound.rs`, `shared.rs` | what a connection is told, before its dialect encodes it |
//! | `envelope.rs`, `lane/` | what one node sends another, and in what packets |
//! | `dialect.rs` | which dialects there are |
//! | `t2b/` | the T2B dialect: everything that knows its JSON |
//! | `http/` | the bodies of the HTTP API |
//! | `json/`, `integer.rs` | the grammar of JSON, for dialects and bodies |
//! | `units.rs` | times and sizes in flags and files |
//! | `generate/` | the same words as JSON Schema, TypeScript and tables of the documents |

pub mod close;
pub mod connect;
pub mod dialect;
pub mod envelope;
pub mod error;
pub mod generate;
pub mod http;
pub mod ids;
mod integer;
pub mod json;
pub mod labels;
pub mod lane;
mod limit_changes;
pub mod limits;
pub mod message;
pub mod outbound;
pub mod plan;
pub mod presence;
pub mod request;
pub mod rule;
pub mod secret;
mod shared;
pub mod status;
pub mod t2b;
pub mod token;
pub mod units;
pub mod usage;

pub use close::CloseCode;
pub use envelope::Envelope;
pub use error::{ErrorCode, RefusalClass};
pub use ids::{
    Address, BootId, BotId, ClientId, ConnectionId, FrameId, Kind, MessageId, Name, PlanName,
    StreamId, TenantId,
};
pub use labels::TenantLabels;
pub use limit_changes::{LimitChanges, LimitRule};
pub use limits::Limits;
pub use outbound::{Answer, Outbound, OutboundKind, Refusal};
pub use plan::{Allowance, Allowances, SpentAllowance};
pub use rule::{Fault, Rule};
pub use secret::Secret;
pub use shared::Shared;
pub use usage::{UsageCounts, UsageHour, UsageMeter};
