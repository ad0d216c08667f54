//! The labels that operators put on a tenant. Nodes do not use them, so no node is told of a change.

pub(super) mod model;
mod reply;
mod request;

pub use reply::LabelsReply;
pub use request::LabelsQuery;
