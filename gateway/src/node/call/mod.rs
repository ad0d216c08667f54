//! A call over HTTP: a short-lived connection of its tenant, with a `conn_` id of its own and the
//! same session, permits, quotas and duplicates as a socket; only what it is told is taken here, as
//! it is.

mod answer;
mod caller;
mod waiting;

pub(crate) use caller::CallConnection;
