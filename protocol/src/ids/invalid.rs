//! Why a text is no id.

/// Why a text is no id. The text itself is left out: it may be hostile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}: expected {shape}")]
pub struct InvalidId {
    pub(crate) kind: &'static str,
    pub(crate) shape: &'static str,
}
