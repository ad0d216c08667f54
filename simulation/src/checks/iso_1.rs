//! ISO-1: no envelope, event or error text crosses tenants.
//!
//! All tenants use the same names; texts carry their tenant's number.

use router_core::ConnKey;

use super::{HeardFrame, RunObserver};

impl RunObserver {
    pub(super) fn iso_1(&mut self, key: ConnKey, heard: &HeardFrame) {
        let Some(tenant) = self.conns.get(&key).map(|conn| conn.tenant) else {
            return;
        };
        let said = heard.text.split('/').next().unwrap_or_default();
        if !said.is_empty() && said != tenant.to_string() {
            let text = &heard.text;
            self.fail("ISO-1", &format!("{key:?} of tenant {tenant} got {text}"));
        }
    }
}
