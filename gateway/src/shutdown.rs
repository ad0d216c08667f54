//! How a gateway is ended from elsewhere.

use std::sync::Arc;

use tokio::sync::watch;

/// Ends a gateway from elsewhere, also while it starts.
#[derive(Debug, Clone)]
pub struct GatewayShutdown(Arc<watch::Sender<u32>>);

impl Default for GatewayShutdown {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl GatewayShutdown {
    /// Returns once [`begin`](Self::begin) was called.
    pub async fn begun(&self) {
        self.calls().reached(1).await;
    }

    /// The calls of [`begin`](Self::begin), to be waited for.
    pub(crate) fn calls(&self) -> ShutdownCalls {
        ShutdownCalls(self.0.subscribe())
    }

    /// The first call begins the short drain (at most 5 s); the second ends the gateway now.
    pub fn begin(&self) {
        self.0.send_modify(|calls| *calls += 1);
    }
}

/// How often [`GatewayShutdown::begin`] was called.
pub(crate) struct ShutdownCalls(watch::Receiver<u32>);

impl ShutdownCalls {
    /// Waits for the given call.
    pub(crate) async fn reached(&mut self, call: u32) {
        // The sender lives as long as the gateway; should it not, there is nothing left to wait for.
        let _ = self.0.wait_for(|calls| *calls >= call).await;
    }
}
