//! The keys of nodes, under `<prefix>:`.
//!
//! | key | kind | holds |
//! | --- | --- | --- |
//! | `nodes` | hash | boot id → beat, and `generation`; never expires: a node removes its own entry, or others evict it |
//! | `{<prefix>:nodes}:flushed` | hash | boot id → the first hour of which the node may have usage that is not booked; an entry goes with that of `nodes` |
//! | `node:<boot>` | hash | what a node says of itself; for a day |

use protocol::BootId;

use crate::keys::KeyNames;

/// The beats.
pub(super) fn beats(names: &KeyNames) -> String {
    names.shared_key("nodes")
}

/// Up to which hour nodes have booked their usage. The tag puts it into the slot of the beats, so that one
/// script may write both.
pub(super) fn flushed(names: &KeyNames) -> String {
    names.shared_key(&format!("{{{}}}:flushed", beats(names)))
}

/// What a node says of itself.
pub(super) fn hello(names: &KeyNames, boot: BootId) -> String {
    names.shared_key(&format!("node:{boot}"))
}
