//! What is asked of the store.

use protocol::TenantId;

use super::directory::{DirectoryQuery, DirectoryRequest};
use super::feature::StoreFeature;
use super::labels::LabelsQuery;
use super::policy::{PolicyQuery, PolicyRequest};
use super::usage::UsageQuery;
use crate::env::Millis;

/// A request to the store, for one tenant. Each query is one atomic step of its feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreRequest {
    /// Whose.
    pub tenant: TenantId,
    /// The asker's time, Unix milliseconds. A store with a clock of its own may use that.
    pub now_ms: Millis,
    /// What is asked.
    pub query: StoreQuery,
}

/// What is asked, by feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreQuery {
    /// Of the tenant's directory.
    Directory(DirectoryRequest),
    /// Of the tenant's policy.
    Policy(PolicyRequest),
    /// Of the tenant's labels.
    Labels(LabelsQuery),
    /// Of the tenant's usage.
    Usage(UsageQuery),
}

impl StoreQuery {
    /// The feature that answers.
    pub fn feature(&self) -> StoreFeature {
        match self {
            Self::Directory(_) => StoreFeature::Directory,
            Self::Policy(_) => StoreFeature::Policy,
            Self::Labels(_) => StoreFeature::Labels,
            Self::Usage(_) => StoreFeature::Usage,
        }
    }

    /// The query's name, for traces.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Directory(request) => request.query.name(),
            Self::Policy(request) => request.query.name(),
            Self::Labels(query) => query.name(),
            Self::Usage(query) => query.name(),
        }
    }
}

impl From<DirectoryQuery> for StoreQuery {
    fn from(query: DirectoryQuery) -> Self {
        Self::Directory(query.into())
    }
}

impl From<PolicyQuery> for StoreQuery {
    fn from(query: PolicyQuery) -> Self {
        Self::Policy(query.into())
    }
}

impl From<LabelsQuery> for StoreQuery {
    fn from(query: LabelsQuery) -> Self {
        Self::Labels(query)
    }
}

impl From<UsageQuery> for StoreQuery {
    fn from(query: UsageQuery) -> Self {
        Self::Usage(query)
    }
}
