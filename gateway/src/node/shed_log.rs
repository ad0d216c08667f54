//! When the log tells of tenants whose sockets were closed for their memory.

use std::collections::HashMap;
use std::sync::Mutex;

use protocol::TenantId;
use router_core::Millis;

use super::lock::lock;

/// How often the log tells of one tenant, milliseconds.
const LOG_EVERY_MS: Millis = 60_000;
/// Tenants whose last line is remembered.
const LOGGED_MAX: usize = 1024;

/// When the log told of each tenant last, so that it tells once a minute.
#[derive(Debug, Default)]
pub(super) struct ShedLog(Mutex<HashMap<TenantId, Millis>>);

impl ShedLog {
    /// Whether the log is to tell of a tenant now. Too many tenants: all are told of again.
    pub(super) fn is_new(&self, tenant: &TenantId, now_ms: Millis) -> bool {
        let mut told = lock(&self.0);
        let last_ms = told.get(tenant).copied();
        if last_ms.is_some_and(|last_ms| now_ms.saturating_sub(last_ms) < LOG_EVERY_MS) {
            return false;
        }
        if told.len() >= LOGGED_MAX {
            told.clear();
        }
        told.insert(tenant.clone(), now_ms);
        true
    }
}
