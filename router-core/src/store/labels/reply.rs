//! What the store answers about labels.

use protocol::TenantLabels;

/// The answer to a [`LabelsQuery`](super::LabelsQuery).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelsReply {
    /// The tenant has these labels now; none, if nobody gave it any.
    Labels(TenantLabels),
}
