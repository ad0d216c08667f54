//! Being one of several nodes: the task that drives the node machine, and the one that takes what
//! comes from the others.
//!
//! ```text
//!  backplane ─Inbound─▶ receive ─┬─ packet ─▶ its lane's listener
//!                                ├─ event ──▶ shard
//!                                └─ probe, link ─▶ watch ◀─ answers of the store
//!                                                   └─ view, lanes, shards
//! ```
//!
//! | file | holds |
//! | --- | --- |
//! | `state.rs` | the view of the other nodes, and whether the store is there |
//! | `watch.rs` | the task that drives the node machine |
//! | `receive.rs` | what comes from the other nodes |
//! | `shards.rs` | what all shards are told of the cluster |
//! | `identity.rs` | what the gateway tells the others of itself |
//! | `misread.rs`, `report.rs` | what the log and the metrics say of the others |

mod identity;
mod misread;
mod receive;
mod report;
mod shards;
mod state;
mod watch;

pub(crate) use identity::NodeIdentity;
pub(super) use misread::ENVELOPE;
pub(crate) use misread::MISREAD;
pub(crate) use report::key_list;
pub(super) use state::Membership;
