//! What every part of a tenant is handed.

use protocol::{ErrorCode, Limits, TenantId};

use crate::effect::Receipt;
use crate::env::Env;

/// The world for one input, and which tenant it is handled for.
#[derive(Debug, Clone, Copy)]
pub(super) struct TenantContext<'a> {
    pub env: &'a Env<'a>,
    pub id: &'a TenantId,
    pub limits: &'a Limits,
}

impl<'a> TenantContext<'a> {
    pub fn new(env: &'a Env<'a>, receipts: &'a ReceiptCounter, limits: &'a Limits) -> Self {
        let id = receipts.tenant();
        Self { env, id, limits }
    }
}

/// Makes the receipts of one tenant, each with a number of its own; the numbers rise.
#[derive(Debug)]
#[repr(C)]
pub(super) struct ReceiptCounter {
    tenant: TenantId,
    last: u64,
}

impl ReceiptCounter {
    pub fn new(tenant: TenantId) -> Self {
        Self { tenant, last: 0 }
    }

    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The receipt with a number.
    pub fn receipt(&self, number: u64) -> Receipt {
        Receipt {
            tenant: self.tenant.clone(),
            number,
        }
    }
}

/// What a name is answered that was never seen, or may not be: one code for both.
pub(super) fn unknown_code(env: &Env<'_>) -> ErrorCode {
    // What other nodes hold is in the store: a name that it has not is unknown at once.
    let in_grace = !env.nodes.shared && env.now_ms < env.settings.grace_until_ms;
    match in_grace {
        true => ErrorCode::BotOffline,
        false => ErrorCode::BotNotFound,
    }
}
