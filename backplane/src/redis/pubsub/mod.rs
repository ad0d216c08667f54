//! Messages: one connection that publishes and one that listens, each to one server.

pub(super) mod counters;
pub(super) mod inbound;
pub(crate) mod intake;
pub(super) mod listener;
pub(super) mod publisher;
mod replies;
