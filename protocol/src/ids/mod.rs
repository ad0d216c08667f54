//! Names that parse: every id on the wire is a type of its own, checked when it is made.
//!
//! | type | shape |
//! | --- | --- |
//! | [`TenantId`] | `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`, the owner |
//! | [`PlanName`] | `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`, a plan of the configuration |
//! | [`BotId`] | `[A-Za-z0-9][A-Za-z0-9._:-]{0,79}`, not `conn_…` |
//! | [`ClientId`] | `[A-Za-z0-9][A-Za-z0-9._-]{0,79}`, not `conn_…` |
//! | [`ConnectionId`] | `conn_<ULID>`, only the gateway makes them |
//! | [`Name`] | any of the last three, before it is known which |
//! | [`MessageId`], [`StreamId`] | 1-64 of `[A-Za-z0-9._:-]` |
//! | [`BootId`] | a ULID, one start of a node |
//! | [`FrameId`] | 1-64 bytes of text without U+0000, or an integer; correlates, never dedupes |
//!
//! No clone allocates, but that of a word of more than 24 bytes. A tenant id, of which there are many
//! copies, is shared; connection and message ids are arrays, as long as the longest; the others are
//! words of up to 24 bytes, which are cheap to move.

mod address;
mod alphabet;
mod boot_id;
mod frame_id;
mod invalid;
mod name;

pub use address::{Address, Kind};
pub use boot_id::BootId;
pub use frame_id::{FrameId, Written};
pub use invalid::InvalidId;
pub use name::{BotId, ClientId, ConnectionId, MessageId, Name, PlanName, StreamId, TenantId};
