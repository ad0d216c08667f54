//! Requests for a reload from outside the gateway.

use std::sync::Arc;

use tokio::sync::Notify;

/// Asks a gateway to read its configuration again, also while it starts: then it does so when it serves.
#[derive(Debug, Clone, Default)]
pub struct ReloadRequests(Arc<Notify>);

impl ReloadRequests {
    /// Asks for a reload. Several before it begins are as one.
    pub fn request(&self) {
        self.0.notify_one();
    }

    /// Waits for the next request.
    pub(crate) async fn requested(&self) {
        self.0.notified().await;
    }
}
