//! The parts of a long answer.

use client::members_of;
use protocol::t2b::frames::Delivered;

/// Whether a message is whole, or the last part of one.
pub(super) fn is_last_part(message: &Delivered) -> bool {
    let members = members_of(message);
    match (members.part, members.parts) {
        (Some(part), Some(parts)) => part >= parts,
        (Some(_), None) | (None, Some(_)) | (None, None) => true,
    }
}
