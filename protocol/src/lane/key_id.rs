//! The ids of the secrets that nodes share.

use std::fmt;
use std::str::FromStr;

use crate::ids::InvalidId;

/// Bytes of a key id.
pub(super) const KEY_ID_BYTES: usize = 4;

/// Names a secret without telling it: the first 4 bytes of HMAC-SHA256(lane key, `t2b/key-id/v1`).
///
/// Nodes publish the ids of their secrets, so that a sender knows which of its own another node can
/// verify. Wire form: 8 hexadecimal digits, lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(super) [u8; KEY_ID_BYTES]);

impl KeyId {
    /// The id with these bits.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits.to_be_bytes())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = InvalidId;

    /// Errors: [`InvalidId`] if it is not 8 hexadecimal digits, lower case.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let spelled = text.len() == 2 * KEY_ID_BYTES && text.bytes().all(is_digit);
        let bits = spelled.then(|| u32::from_str_radix(text, 16).ok());
        bits.flatten().map(Self::from_bits).ok_or(InvalidId {
            kind: "key id",
            shape: "8 hexadecimal digits, lower case",
        })
    }
}
