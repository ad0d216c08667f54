//! The key of a tenant's policy, under `<prefix>:{<tenant>}:`.
//!
//! | key | kind | holds |
//! | --- | --- | --- |
//! | `policy` | hash | `generation`, `suspended`, `assigned`: the plan and the limits, as JSON |
//!
//! It never expires: a revoked key must not become valid again.

/// The policy.
pub(crate) const POLICY: &str = "policy";
