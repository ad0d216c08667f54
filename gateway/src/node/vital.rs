//! The tasks that the node cannot do without.

use tokio_util::sync::CancellationToken;

/// Held by a task that the node cannot do without: if the task panics, the node fails.
pub(crate) struct VitalTask(CancellationToken);

impl VitalTask {
    /// `failed`: cancelled if the task panics.
    pub(super) fn new(failed: &CancellationToken) -> Self {
        Self(failed.clone())
    }
}

impl Drop for VitalTask {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.cancel();
        }
    }
}
