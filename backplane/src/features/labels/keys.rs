//! The key of a tenant's labels, under `<prefix>:{<tenant>}:`.
//!
//! | key | kind | holds |
//! | --- | --- | --- |
//! | `labels` | string | a MessagePack map of names to values |
//!
//! It never expires while there are labels: an operator set them, and no node could set them again.

/// The labels.
pub(super) const LABELS: &str = "labels";
