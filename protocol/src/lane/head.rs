//! The head of a packet: how a reader knows the version and the key before it reads anything else.
//!
//! ```text
//!  version 1            MessagePack map ... │ MAC
//!  versions from 2 on   c1 │ version, 2 │ key id, 4 │ MessagePack map ... │ MAC
//! ```
//!
//! No MessagePack value begins with `c1`. The head and the first member of the map, `src`, keep
//! their places in every version to come, so that a node can name the sender of a packet that it
//! does not understand.

use bytes::Bytes;

use super::error::PacketError;
use super::key_id::{KEY_ID_BYTES, KeyId};
use super::keys::{LaneKeys, MAC_BYTES};
use crate::envelope::WIRE;
use crate::ids::BootId;

/// The first byte of a packet that has a head.
const MARK: u8 = 0xc1;
/// The first version that has a head.
const FIRST: u16 = 2;
/// Bytes of a head.
const HEAD_BYTES: usize = 1 + 2 + KEY_ID_BYTES;
/// What stands before the boot id of `src` in the map: its name, and the head of a text of 26 bytes.
const SRC: &[u8] = b"\xa3src\xba";
const BOOT_ID_BYTES: usize = 26;

/// Writes the head of a version; version 1 has none.
pub(super) fn write(version: u16, key: KeyId, out: &mut Vec<u8>) {
    if version >= FIRST {
        out.push(MARK);
        out.extend_from_slice(&version.to_be_bytes());
        out.extend_from_slice(&key.0);
    }
}

fn read(bytes: &[u8]) -> Option<(u16, KeyId)> {
    let (&MARK, rest) = bytes.split_first()? else {
        return None;
    };
    let (version, rest) = rest.split_first_chunk::<2>()?;
    let key = rest.first_chunk::<KEY_ID_BYTES>()?;
    Some((u16::from_be_bytes(*version), KeyId(*key)))
}

/// The MessagePack of a packet whose version this build reads and whose MAC is right.
pub(super) fn verified<'a>(bytes: &'a Bytes, keys: &LaneKeys) -> Result<&'a [u8], PacketError> {
    let parts = bytes.split_last_chunk::<MAC_BYTES>();
    let (message, mac) = parts.ok_or(PacketError::Size(bytes.len()))?;
    let Some((version, key)) = read(message) else {
        keys.verify(message, mac)?;
        return Ok(message);
    };
    if !(FIRST..=WIRE[1]).contains(&version) {
        return Err(PacketError::Version(version));
    }
    keys.verify_by(key, message, mac)?;
    Ok(&message[HEAD_BYTES..])
}

/// The node that a packet says it is from, of whatever version. Nobody has verified it: it is for
/// the log only.
pub(super) fn claimed_src(bytes: &[u8]) -> Option<BootId> {
    let head = read(bytes).map_or(0, |_| HEAD_BYTES);
    // Behind the head: one byte that says how many members the map has.
    let rest = bytes.get(head + 1..)?.strip_prefix(SRC)?;
    let text = std::str::from_utf8(rest.get(..BOOT_ID_BYTES)?).ok()?;
    text.parse().ok()
}
