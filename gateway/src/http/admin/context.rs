//! State that the routes of the admin API share.

use std::sync::{Arc, Mutex};

use protocol::Secret;
use router_core::auth::FailureThrottle;

use crate::node::Node;

/// The admin API of a node that serves.
pub(crate) struct AdminContext {
    pub(crate) node: Arc<Node>,
    pub(crate) token: Option<Secret<String>>,
    pub(crate) ready_when_degraded: bool,
    /// Held while an order is carried out, so that store and node get all orders in one sequence.
    pub(crate) orders: tokio::sync::Mutex<()>,
    /// Counts wrong tokens by source.
    pub(crate) throttle: Mutex<FailureThrottle>,
}
