//! The keys of nodes, under `<prefix>:`.
//!
//! | key | kind | holds |
//! | --- | --- | --- |
//! | `nodes` | hash | boot id → beat, and `generation`; never expires: a node removes its own entry, or others evict it |
//! | `node:<boot>` | hash | what a node says of itself; for a day |

use protocol::BootId;

use crate::keys::KeyNames;

/// The beats.
pub(super) fn beats(names: &KeyNames) -> String {
    names.shared_key("nodes")
}

/// What a node says of itself.
pub(super) fn hello(names: &KeyNames, boot: BootId) -> String {
    names.shared_key(&format!("node:{boot}"))
}
