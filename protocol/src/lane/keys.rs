//! The keys that packets between nodes are signed with.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use crate::secret::Secret;

/// Bytes of the MAC at the end of a packet.
pub(super) const MAC_BYTES: usize = 16;
const PURPOSE: &str = "t2b/lane/v1";

/// The keys of packets: the first signs, all verify.
#[derive(Clone)]
pub struct LaneKeys(Vec<Hmac<Sha256>>);

impl LaneKeys {
    /// The keys of the live secrets, derived from them for this purpose only.
    ///
    /// Panics without a secret; the configuration has at least one.
    pub fn new(secrets: &[Secret<String>]) -> Self {
        assert!(!secrets.is_empty(), "a cluster has at least one secret");
        let keyed = |secret: &Secret<String>| {
            Hmac::new_from_slice(secret.derive(PURPOSE).reveal())
                .expect("HMAC takes keys of any length")
        };
        Self(secrets.iter().map(keyed).collect())
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; MAC_BYTES] {
        head(&self.0[0], message)
    }

    /// The work is the same whichever key fits, and no comparison stops early.
    pub(super) fn verify(&self, message: &[u8], mac: &[u8; MAC_BYTES]) -> bool {
        let each = self.0.iter().map(|key| head(key, message).ct_eq(mac));
        each.fold(Choice::from(0), |found, fits| found | fits)
            .into()
    }
}

impl fmt::Debug for LaneKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LaneKeys({})", self.0.len())
    }
}

fn head(key: &Hmac<Sha256>, message: &[u8]) -> [u8; MAC_BYTES] {
    let tag = key.clone().chain_update(message).finalize().into_bytes();
    *tag.first_chunk().expect("SHA-256 has 32 bytes")
}
