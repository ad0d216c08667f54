//! FAIR-1, except memory and time: requests beyond the rates and quotas of a tenant are refused to that tenant,
//! and to no other.

use router_core::ConnKey;

use super::{HeardFrame, RunObserver};
use crate::profile::{FRUGAL_TENANT, NOISY_TENANT};

/// The refusals that only a tenant itself can bring about.
const OWN_FAULTS: [&str; 2] = ["rate_limited", "quota_exceeded"];

impl RunObserver {
    pub(super) fn fair_1(&mut self, key: ConnKey, heard: &HeardFrame) {
        // Registrations have limits for each socket and each bot: two instances that fight over one reach
        // them.
        let is_registration = heard.id.starts_with(['r', 'u']);
        if is_registration || !OWN_FAULTS.contains(&heard.reason.as_str()) {
            return;
        }
        let Some(tenant) = self.conns.get(&key).map(|conn| conn.tenant) else {
            return;
        };
        if tenant == NOISY_TENANT && self.is_noisy {
            self.refused_to_noisy += 1;
            return;
        }
        if tenant == FRUGAL_TENANT && self.is_frugal && heard.reason == "quota_exceeded" {
            self.refused_to_frugal += 1;
            return;
        }
        if heard.reason == "quota_exceeded" && self.terms.ever_limited.contains(&tenant) {
            self.refused_to_assigned += 1;
            return;
        }
        let (kind, reason) = (&heard.kind, &heard.reason);
        let what = format!("{key:?} of tenant {tenant} got {kind} {reason}, and asks for little");
        self.fail("FAIR-1", &what);
    }
}
