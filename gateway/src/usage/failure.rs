//! Why there is no page of usage.

use protocol::{TenantId, UsageHour};
use router_core::store::StoreFailure;

/// Why there is no page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PageFailure {
    /// The store answers that.
    Store(StoreFailure),
    /// It would have rows of an hour that is damaged: a bill with them may be wrong.
    DamagedHour(TenantId, UsageHour),
}

impl From<StoreFailure> for PageFailure {
    fn from(failure: StoreFailure) -> Self {
        Self::Store(failure)
    }
}

impl PageFailure {
    /// What is wrong, for a person; absent: the store is not available.
    pub(crate) fn detail(&self) -> Option<String> {
        match self {
            Self::Store(_) => None,
            Self::DamagedHour(tenant, hour) => Some(format!(
                "the usage of the tenant {tenant} in the hour {} cannot be read",
                hour.rfc3339()
            )),
        }
    }
}
