//! What is asked of the labels.

use protocol::TenantLabels;

/// What is asked of a tenant's labels. Reply: `Labels`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelsQuery {
    /// Which it has.
    Get,
    /// Gives it these in place of those that it has. Refused with `quota_exceeded` if the store is full.
    Put(TenantLabels),
}

impl LabelsQuery {
    /// The query's name, for traces.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Get => "get_labels",
            Self::Put(_) => "put_labels",
        }
    }
}
