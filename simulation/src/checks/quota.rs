//! USE-1, allowances: a node accepts no message of a tenant once it has accepted as many as the tenant's terms
//! allow, whether they are booked or not.
//!
//! What other nodes accept is seen a flush later, so only what each process accepts itself is counted, since it
//! applies an allowance to the tenant. Another allowance holds for what was accepted before it, too. A process that
//! forgot the tenant, or whose store lost data, begins anew.

use protocol::TenantId;
use router_core::ConnKey;

use super::records::TenantProcess;
use super::{HeardFrame, RunObserver, SentMessage};
use crate::agenda::MachineProcess;
use crate::profile::{FRUGAL_TENANT, MESSAGES_ALLOWED};

impl RunObserver {
    /// A session takes a message.
    pub(super) fn quota_said(&mut self, key: ConnKey, tag: usize) {
        let Some((of, allowed)) = self.allowance_of(key) else {
            return;
        };
        let accepted = self.quota.accepted.get(&of);
        if accepted.is_some_and(|accepted| *accepted >= allowed) {
            self.sent[tag].over_allowance = Some(allowed);
        }
    }

    /// A message is answered.
    pub(super) fn quota_answered(&mut self, key: ConnKey, heard: &HeardFrame) {
        if heard.kind != "message_ack" || heard.status != "delivered" {
            return;
        }
        if let Some((of, _)) = self.allowance_of(key) {
            *self.quota.accepted.entry(of).or_default() += 1;
        }
        let tag = heard.id.strip_prefix('m').and_then(|tag| tag.parse().ok());
        let sent = tag.and_then(|tag: usize| self.sent.get(tag));
        if let Some(allowed) = sent.and_then(|sent| sent.over_allowance) {
            let what =
                format!("message {tag:?} is delivered, and its node had accepted {allowed} before");
            self.fail("USE-1", &what);
        }
    }

    /// A process applies this allowance to a tenant from now on, or none.
    pub(crate) fn quota_applied(
        &mut self,
        process: MachineProcess,
        tenant: &TenantId,
        allowed: Option<u64>,
    ) {
        let Some(tenant) = tenant_number(tenant) else {
            return;
        };
        let of = (process, tenant);
        match allowed {
            Some(allowed) => {
                self.quota.allowed.insert(of, allowed);
            }
            None => {
                self.quota.allowed.remove(&of);
                self.quota.accepted.remove(&of);
            }
        }
    }

    /// A process forgets a tenant.
    pub(crate) fn quota_forgotten(&mut self, process: MachineProcess, tenant: &TenantId) {
        self.quota_applied(process, tenant, None);
    }

    /// Whether a message got no other answer than that the allowance of its tenant is used up.
    pub(crate) fn is_spent(&self, sent: Option<&SentMessage>, answer: Option<&String>) -> bool {
        let may_be_spent = sent.is_some_and(|sent| match sent.tenant {
            FRUGAL_TENANT if self.is_frugal => true,
            tenant => self.terms.limited.contains(&tenant),
        });
        may_be_spent && answer.is_some_and(|answer| answer == "quota_exceeded")
    }

    /// How many messages the process of a socket may accept for its tenant.
    fn allowance_of(&self, key: ConnKey) -> Option<(TenantProcess, u64)> {
        let conn = self.conns.get(&key)?;
        let of = (conn.process, conn.tenant);
        let is_frugal = self.is_frugal && conn.tenant == FRUGAL_TENANT;
        let allowed = match is_frugal {
            true => MESSAGES_ALLOWED,
            false => *self.quota.allowed.get(&of)?,
        };
        Some((of, allowed))
    }
}

/// The number of a tenant: all are called `tenant-<number>`.
fn tenant_number(tenant: &TenantId) -> Option<usize> {
    tenant.as_str().strip_prefix("tenant-")?.parse().ok()
}
