//! State that the routes of the admin API share.

use std::sync::{Arc, Mutex};

use router_core::auth::FailureThrottle;

use crate::http::request_settings::LiveRequestSettings;
use crate::node::Node;
use crate::reload::Reloader;

/// The admin API of a node that serves.
pub(crate) struct AdminContext {
    pub(crate) node: Arc<Node>,
    pub(crate) settings: LiveRequestSettings,
    pub(crate) reloader: Arc<Reloader>,
    /// Held while an order is carried out, so that store and node get all orders in one sequence.
    pub(crate) orders: tokio::sync::Mutex<()>,
    /// Counts wrong tokens by source.
    pub(crate) throttle: Mutex<FailureThrottle>,
}
