//! State that the admin listener has from the first moment of a start.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::response::Response;
use http::{HeaderMap, StatusCode, Uri};

use super::admin::context::AdminContext;
use super::answer::text;
use super::authority::{host_is_ours, host_of};
use super::request_settings::LiveRequestSettings;
use crate::metrics::Metrics;

/// The state that probes report.
pub(super) struct OpsContext {
    settings: LiveRequestSettings,
    pub(super) metrics: Arc<Metrics>,
    /// The reason why the node does not serve yet, as text.
    waits_for: Mutex<String>,
    /// Set once the node serves.
    serving: OnceLock<Arc<AdminContext>>,
}

impl OpsContext {
    /// The state of a node that starts.
    pub(super) fn new(settings: LiveRequestSettings, metrics: Arc<Metrics>) -> Self {
        Self {
            settings,
            metrics,
            waits_for: Mutex::new("waiting for the store".to_owned()),
            serving: OnceLock::new(),
        }
    }

    /// Sets what the start waits for: a text without any credential.
    pub(super) fn waits_for(&self, what: String) {
        let waits_for = self.waits_for.lock();
        *waits_for.unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// The node serves from now on.
    pub(super) fn serves(&self, admin: Arc<AdminContext>) {
        // It starts once.
        let _ = self.serving.set(admin);
    }

    /// The node, once it serves.
    pub(super) fn serving(&self) -> Option<&AdminContext> {
        self.serving.get().map(Arc::as_ref)
    }

    /// Whether the `Host` of a request is one of the admin listener.
    pub(super) fn is_called_by(&self, target: &Uri, headers: &HeaderMap) -> bool {
        let host = host_of(target, headers);
        host.is_some_and(|host| host_is_ours(&host, Some(&self.settings.load().hosts)))
    }

    /// 503 with what the start waits for.
    pub(super) fn starting(&self) -> Response {
        let waits_for = self.waits_for.lock();
        let waits_for = waits_for.unwrap_or_else(PoisonError::into_inner);
        text(StatusCode::SERVICE_UNAVAILABLE, format!("{waits_for}\n"))
    }
}
