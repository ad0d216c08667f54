//! How many calls wait for a reply.

use metrics::Gauge;

/// Counted as waiting until it is dropped, as it is when the peer goes away.
pub(super) struct WaitingCall(Gauge);

impl WaitingCall {
    pub(super) fn begin(gauge: &Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl Drop for WaitingCall {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
