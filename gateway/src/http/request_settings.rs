//! What requests are answered by, and a reload may change.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use protocol::Secret;

use crate::config::{Config, HostPattern, OriginPattern};
use crate::node::SourceResolver;

/// What requests to both listeners are answered by.
#[derive(Debug)]
pub(crate) struct RequestSettings {
    /// The names that a `Host` may have.
    pub(super) hosts: Vec<HostPattern>,
    pub(super) allowed_origins: Vec<OriginPattern>,
    pub(super) sources: SourceResolver,
    pub(super) query_keys: bool,
    pub(super) control_per_second: u32,
    /// Absent: `/admin/v1` answers 404.
    pub(super) admin_token: Option<Secret<String>>,
    pub(super) ready_when_degraded: bool,
}

/// The same as it holds now, shared by whatever answers requests.
#[derive(Debug, Clone)]
pub(crate) struct LiveRequestSettings(Arc<ArcSwap<RequestSettings>>);

impl LiveRequestSettings {
    /// What a configuration says.
    pub(crate) fn new(config: &Config) -> Self {
        let settings = RequestSettings::of(config, config.admin_token.clone());
        Self(Arc::new(ArcSwap::from_pointee(settings)))
    }

    /// What holds now. It is not to be held while something is waited for.
    pub(super) fn load(&self) -> Guard<Arc<RequestSettings>> {
        self.0.load()
    }

    /// Takes over what a configuration says. One without an admin token leaves it as it is.
    pub(crate) fn replace(&self, config: &Config) {
        let token = config.admin_token.clone();
        let token = token.or_else(|| self.load().admin_token.clone());
        let settings = RequestSettings::of(config, token);
        self.0.store(Arc::new(settings));
    }
}

impl RequestSettings {
    fn of(config: &Config, admin_token: Option<Secret<String>>) -> Self {
        Self {
            hosts: config.allowed_hosts.clone(),
            allowed_origins: config.allowed_origins.clone(),
            sources: SourceResolver::new(config.trusted_proxies.clone()),
            query_keys: config.query_keys,
            control_per_second: config.limits.control_per_second,
            admin_token,
            ready_when_degraded: config.ready_when_degraded,
        }
    }
}
