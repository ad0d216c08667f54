//! The load generator: one thread with one epoll for many sockets.
//!
//! ```text
//!  LoadWorker::run:  timers and schedules ─▶ dial, send ─▶ flush ─▶ wait ─▶ read, check, answer ─┐
//!                          ▲────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Reads go into one buffer, writes of one turn into one syscall per socket. Threads share nothing
//! but [`RunControl`]; a group is always on one thread.
//!
//! | file | holds |
//! | --- | --- |
//! | `control.rs`, `shared.rs` | the clock and the phases; what threads share |
//! | `worker.rs` | the state of a thread |
//! | `turn.rs`, `phases.rs` | one turn of the loop; what a new phase begins |
//! | `virtual_user.rs`, `group.rs` | the state of a socket, of a group and its flows |
//! | `schedule.rs`, `timer.rs` | when messages are due; what is done later |
//! | `connect.rs` | from dialling to ready, and what is lost |
//! | `reading.rs` | from bytes to frames |
//! | `traffic.rs` | sending, checking, answering |
//! | `visits.rs` | groups that come, go and are dropped |

mod connect;
mod control;
mod group;
mod phases;
mod reading;
mod schedule;
mod shared;
mod timer;
mod traffic;
mod turn;
mod virtual_user;
mod visits;
mod worker;

pub use control::{RunControl, RunPhase};
pub use shared::{RateShare, SharedRun};
pub(crate) use worker::LoadWorker;
