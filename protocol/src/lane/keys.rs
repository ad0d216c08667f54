//! The keys that packets between nodes are signed with, and the ids that name them.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use super::error::PacketError;
use super::key_id::KeyId;
use crate::secret::Secret;

/// Bytes of the MAC at the end of a packet.
pub(super) const MAC_BYTES: usize = 16;
const PURPOSE: &str = "t2b/lane/v1";
const ID_PURPOSE: &str = "t2b/key-id/v1";

#[derive(Clone)]
struct LaneKey {
    id: KeyId,
    mac: Hmac<Sha256>,
}

/// The keys of packets, one a live secret: the first signs unless a peer lacks it, all verify.
#[derive(Clone)]
pub struct LaneKeys(Vec<LaneKey>);

impl LaneKeys {
    /// The keys of the live secrets, derived from them for this purpose only.
    ///
    /// Panics without a secret; the configuration has at least one.
    pub fn new(secrets: &[Secret<String>]) -> Self {
        assert!(!secrets.is_empty(), "a cluster has at least one secret");
        let keyed = |secret: &Secret<String>| {
            let mac = Hmac::new_from_slice(secret.derive(PURPOSE).reveal())
                .expect("HMAC takes keys of any length");
            let id = head(&mac, ID_PURPOSE.as_bytes());
            LaneKey { id: KeyId(id), mac }
        };
        Self(secrets.iter().map(keyed).collect())
    }

    /// The ids of all keys, in the order of the secrets.
    pub fn ids(&self) -> Vec<KeyId> {
        self.0.iter().map(|key| key.id).collect()
    }

    /// The key that signs: the one with this id, else the first.
    fn signer(&self, id: Option<KeyId>) -> &LaneKey {
        let found = id.and_then(|id| self.0.iter().find(|key| key.id == id));
        found.unwrap_or(&self.0[0])
    }

    pub(super) fn signer_id(&self, id: Option<KeyId>) -> KeyId {
        self.signer(id).id
    }

    pub(super) fn sign(&self, id: Option<KeyId>, message: &[u8]) -> [u8; MAC_BYTES] {
        head(&self.signer(id).mac, message)
    }

    /// Whether any key made the MAC. The work is the same whichever fits, and no comparison stops
    /// early.
    pub(super) fn verify(&self, message: &[u8], mac: &[u8; MAC_BYTES]) -> Result<(), PacketError> {
        verify(self.0.iter(), message, mac)
    }

    /// Whether the key of this id made the MAC.
    pub(super) fn verify_by(
        &self,
        id: KeyId,
        message: &[u8],
        mac: &[u8; MAC_BYTES],
    ) -> Result<(), PacketError> {
        let named = self.0.iter().filter(|key| key.id == id);
        if named.clone().next().is_none() {
            return Err(PacketError::Key(id));
        }
        verify(named, message, mac)
    }
}

impl fmt::Debug for LaneKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LaneKeys({})", self.0.len())
    }
}

fn verify<'a>(
    keys: impl Iterator<Item = &'a LaneKey>,
    message: &[u8],
    mac: &[u8; MAC_BYTES],
) -> Result<(), PacketError> {
    let each = keys.map(|key| head::<MAC_BYTES>(&key.mac, message).ct_eq(mac));
    match each
        .fold(Choice::from(0), |found, fits| found | fits)
        .into()
    {
        true => Ok(()),
        false => Err(PacketError::Mac),
    }
}

fn head<const BYTES: usize>(key: &Hmac<Sha256>, message: &[u8]) -> [u8; BYTES] {
    let tag = key.clone().chain_update(message).finalize().into_bytes();
    *tag.first_chunk().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_head_of_the_hmac_of_its_purpose() {
        // K=1ce0b428c8bf56187e547803cc3d55f44e70fd337586e6ebc729c44b58caa591
        // printf t2b/key-id/v1 | openssl dgst -sha256 -mac HMAC -macopt hexkey:$K
        let secret = Secret::new("0123456789abcdefghijklmnopqrstuvwxyz".to_owned());
        let ids = LaneKeys::new(&[secret]).ids();
        assert_eq!(ids.len(), 1);
        assert_eq!(ids[0].to_string(), "4d2ad8ce");
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = KeyId::from_bits(0x00ab_cdef);
        assert_eq!(id.to_string(), "00abcdef");
        assert_eq!("00abcdef".parse(), Ok(id));
        for bad in ["", "abcdef", "00ABCDEF", "+0abcdef", "00abcdef0"] {
            assert!(bad.parse::<KeyId>().is_err(), "{bad}");
        }
    }
}
