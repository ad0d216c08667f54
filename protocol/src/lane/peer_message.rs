//! A question between two nodes that does not go through Redis: does yours answer?
//!
//! ```text
//!  74 32 62 70 │ version, 1 │ kind, 1 │ key id, 4 │ boot id, 16 │ nonce, 8 │ MAC, 16
//! ```
//!
//! A datagram of 50 bytes each way. The first byte is none of a packet, so the MAC of one is none of the other.

use super::key_id::{KEY_ID_BYTES, KeyId};
use super::keys::{LaneKeys, MAC_BYTES};
use crate::ids::BootId;

/// The first bytes of a message: `t2bp`.
const MARK: [u8; 4] = *b"t2bp";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = MARK.len() + 2;
const BOOT_BYTES: usize = 16;
const NONCE_BYTES: usize = 8;

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerWord {
    /// Does your Redis answer?
    Question,
    /// It does.
    Well,
    /// It does not, or this node goes away.
    Unwell,
}

impl PeerWord {
    const fn number(self) -> u8 {
        match self {
            Self::Question => 0,
            Self::Well => 1,
            Self::Unwell => 2,
        }
    }

    const fn of(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Question),
            1 => Some(Self::Well),
            2 => Some(Self::Unwell),
            _ => None,
        }
    }
}

/// A message of one node to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerMessage {
    /// What it says.
    pub word: PeerWord,
    /// Who says it.
    pub boot: BootId,
    /// Random; an answer has that of its question.
    pub nonce: u64,
}

impl PeerMessage {
    /// Bytes of every message.
    pub const BYTES: usize = HEAD_BYTES + KEY_ID_BYTES + BOOT_BYTES + NONCE_BYTES + MAC_BYTES;

    /// Writes it, signed by the key of this id, or by the first.
    pub fn to_bytes(self, keys: &LaneKeys, signer: Option<KeyId>) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::BYTES);
        out.extend_from_slice(&MARK);
        out.extend_from_slice(&[VERSION, self.word.number()]);
        out.extend_from_slice(&keys.signer_id(signer).0);
        out.extend_from_slice(&self.boot.bits().to_be_bytes());
        out.extend_from_slice(&self.nonce.to_be_bytes());
        let mac = keys.sign(signer, &out);
        out.extend_from_slice(&mac);
        out
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote, and who signed it. `None`: it is no such message, or none of
    /// these keys signed it.
    pub fn from_bytes(bytes: &[u8], keys: &LaneKeys) -> Option<(Self, KeyId)> {
        let (message, mac) = bytes.split_last_chunk::<MAC_BYTES>()?;
        if bytes.len() != Self::BYTES {
            return None;
        }
        let rest = message.strip_prefix(&MARK)?.strip_prefix(&[VERSION])?;
        let (word, rest) = rest.split_first()?;
        let (key, rest) = rest.split_first_chunk::<KEY_ID_BYTES>()?;
        let (boot, rest) = rest.split_first_chunk::<BOOT_BYTES>()?;
        let nonce = rest.first_chunk::<NONCE_BYTES>()?;
        let key = KeyId(*key);
        keys.verify_by(key, message, mac).ok()?;
        let message = Self {
            word: PeerWord::of(*word)?,
            boot: BootId::from_bits(u128::from_be_bytes(*boot)),
            nonce: u64::from_be_bytes(*nonce),
        };
        Some((message, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn keys(secrets: &[&str]) -> LaneKeys {
        let secrets = secrets
            .iter()
            .map(|secret| Secret::new(format!("{secret:0>40}")));
        LaneKeys::new(&secrets.collect::<Vec<_>>())
    }

    fn message(word: PeerWord) -> PeerMessage {
        PeerMessage {
            word,
            boot: BootId::from_bits(7 << 90),
            nonce: u64::MAX - 2,
        }
    }

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let (ours, theirs) = (keys(&["new", "old"]), keys(&["old"]));
        for word in [PeerWord::Question, PeerWord::Well, PeerWord::Unwell] {
            let old = theirs.ids()[0];
            let bytes = message(word).to_bytes(&ours, Some(old));
            assert_eq!(bytes.len(), PeerMessage::BYTES);
            let read = PeerMessage::from_bytes(&bytes, &theirs);
            assert_eq!(read, Some((message(word), old)));
            let unknown = message(word).to_bytes(&ours, None);
            assert_eq!(PeerMessage::from_bytes(&unknown, &theirs), None);
        }
    }

    #[test]
    fn no_byte_can_be_changed_and_none_is_missing() {
        let keys = keys(&["a"]);
        let bytes = message(PeerWord::Well).to_bytes(&keys, None);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(PeerMessage::from_bytes(&changed, &keys), None, "{at}");
            assert_eq!(PeerMessage::from_bytes(&bytes[..at], &keys), None, "{at}");
        }
        let longer = [bytes, vec![0]].concat();
        assert_eq!(PeerMessage::from_bytes(&longer, &keys), None);
    }
}
