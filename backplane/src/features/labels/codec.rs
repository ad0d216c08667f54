//! A tenant's labels as bytes: a MessagePack map of names to values, in the order of the names.

use protocol::TenantLabels;

/// What is stored for labels.
pub(super) fn encode(labels: &TenantLabels) -> Vec<u8> {
    rmp_serde::to_vec(labels).expect("labels are texts")
}

/// The labels that are stored; nothing is none. `None`: these bytes are no labels.
pub(super) fn decode(bytes: &[u8]) -> Option<TenantLabels> {
    if bytes.is_empty() {
        return Some(TenantLabels::default());
    }
    rmp_serde::from_slice(bytes).ok()
}
