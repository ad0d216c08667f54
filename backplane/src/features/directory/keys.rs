//! The keys of a tenant's directory, under `<prefix>:{<tenant>}:`. Each lives for a week after the
//! last step.
//!
//! | key | kind | holds |
//! | --- | --- | --- |
//! | `dir` | hash | the directory, see [`codec`](super::codec) |
//! | `ver` | text | the tenant's counter |
//! | `seen` | sorted set | client ids by when they were last seen, Unix ms |

/// The directory.
pub(crate) const DIR: &str = "dir";
/// The counter.
pub(crate) const VER: &str = "ver";
/// The client ids.
pub(crate) const SEEN: &str = "seen";
