//! The lanes to the other nodes: for each a machine, a task that publishes and a task that listens.
//!
//! ```text
//!  perform ──push──▶ Lane ──notify──▶ publisher ──PUBLISH──▶ the other node's inbox
//!  inbound ─packet─▶ listener ─▶ shards ─▶ sockets, then the ack ──▶ publisher
//! ```
//!
//! The publisher has at most one batch and one bare ack unanswered; what gathers meanwhile is the
//! next. What a lane settles is taken out under its lock and handled after its release.
//!
//! | file | holds |
//! | --- | --- |
//! | `table.rs` | the lanes by the node at the other end |
//! | `lane.rs` | the two ends of one lane |
//! | `tasks.rs` | the two tasks of a lane |
//! | `due.rs` | the ack that waits for a batch to go with |
//! | `ack_timer.rs` | how long a batch waits for its acknowledgement |
//! | `early.rs` | what a node sends before this one has seen it beat |
//! | `delivery.rs` | what the tenants are told |
//! | `totals.rs` | the lanes taken together |

mod ack_timer;
mod delivery;
mod due;
mod early;
mod lane;
mod table;
mod tasks;
mod totals;

pub(super) use table::{LaneHost, LaneTable};
pub(crate) use totals::LaneTotals;
