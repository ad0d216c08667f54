//! What is kept of a tenant's policy.

/// Who may connect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TenantPolicy {
    /// Credentials of lower generations are refused.
    pub generation: u64,
    /// Whether all are.
    pub suspended: bool,
}
