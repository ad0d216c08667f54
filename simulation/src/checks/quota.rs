//! USE-1, allowances: a node accepts no message of a tenant once it has accepted as many as the plan allows,
//! whether they are booked or not.
//!
//! What other nodes accept is seen a flush later, so only what each process accepts itself is counted. A
//! process that forgot the tenant, or whose store lost data, begins anew.

use protocol::TenantId;
use router_core::ConnKey;

use super::{HeardFrame, RunObserver, SentMessage};
use crate::agenda::MachineProcess;
use crate::profile::{FRUGAL_TENANT, MESSAGES_ALLOWED};

impl RunObserver {
    /// A session takes a message.
    pub(super) fn quota_said(&mut self, key: ConnKey, tag: usize) {
        if let Some(process) = self.frugal_process(key) {
            let accepted = self.accepted_of_frugal.get(&process);
            let is_over = accepted.is_some_and(|accepted| *accepted >= MESSAGES_ALLOWED);
            self.sent[tag].over_allowance = is_over;
        }
    }

    /// A message is answered.
    pub(super) fn quota_answered(&mut self, key: ConnKey, heard: &HeardFrame) {
        let Some(process) = self.frugal_process(key) else {
            return;
        };
        if heard.kind != "message_ack" || heard.status != "delivered" {
            return;
        }
        *self.accepted_of_frugal.entry(process).or_default() += 1;
        let tag = heard.id.strip_prefix('m').and_then(|tag| tag.parse().ok());
        let sent = tag.and_then(|tag: usize| self.sent.get(tag));
        if sent.is_some_and(|sent| sent.over_allowance) {
            let what = format!(
                "message {tag:?} is delivered, and its node had accepted {MESSAGES_ALLOWED} before"
            );
            self.fail("USE-1", &what);
        }
    }

    /// A process forgets a tenant.
    pub(crate) fn quota_forgotten(&mut self, process: MachineProcess, tenant: &TenantId) {
        if tenant.as_str() == format!("tenant-{FRUGAL_TENANT}") {
            self.accepted_of_frugal.remove(&process);
        }
    }

    /// Whether a message got no other answer than that the allowance of its tenant is used up.
    pub(crate) fn is_spent(&self, sent: Option<&SentMessage>, answer: Option<&String>) -> bool {
        let is_frugal = sent.is_some_and(|sent| sent.tenant == FRUGAL_TENANT) && self.is_frugal;
        is_frugal && answer.is_some_and(|answer| answer == "quota_exceeded")
    }

    fn frugal_process(&self, key: ConnKey) -> Option<MachineProcess> {
        let conn = self.conns.get(&key).filter(|_| self.is_frugal)?;
        (conn.tenant == FRUGAL_TENANT).then_some(conn.process)
    }
}
