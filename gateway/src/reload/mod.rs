//! The reload of the configuration: it is read again from its sources, and what can be applied holds at once.
//!
//! ```text
//!  SIGHUP ─▶ ReloadRequests ─┐                  ┌─ wrong, or cuts somebody off ─▶ nothing changes
//!  POST /admin/v1/reload ────┴▶ Reloader ─ reads ┤
//!                                               └─▶ log filter, RequestSettings, Node::reconfigure ─▶ ReloadReport
//! ```
//!
//! | file | holds |
//! | --- | --- |
//! | `effects.rs` | for each key, whether a change of it applies or needs a restart |
//! | `report.rs` | what a reload changed, or why it changed nothing |
//! | `requests.rs` | the requests of a signal |
//! | `reloader.rs` | the reload |
//!
//! The flags and the environment are those of the start. A reload makes no file and closes no socket.

mod effects;
mod reloader;
mod report;
mod requests;
#[cfg(test)]
mod tests;

pub use effects::{ReloadEffect, effect_of};
pub(crate) use reloader::Reloader;
pub(crate) use report::{ReloadRefusal, ReloadTrigger};
pub use requests::ReloadRequests;
