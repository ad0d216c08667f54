//! A node's life: what directories, lanes and channels name a node by.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::{ULID_LEN, Ulid};

/// One start of a node, or one life of it after others buried it. Never used twice.
///
/// Shape: a ULID; as text, in JSON and in MessagePack its 26 upper-case letters and digits.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootId(u128);

/// Why a text is no [`BootId`]. The text itself is left out: it may be hostile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid boot id: expected a ULID in upper case")]
pub struct InvalidBootId;

impl BootId {
    /// The id of these 128 bits: a ULID made elsewhere.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Ulid(self.0).array_to_str(&mut [0; ULID_LEN]))
    }
}

impl fmt::Debug for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BootId {
    type Err = InvalidBootId;

    /// Takes only what `Display` writes, so that one node has one text.
    fn from_str(text: &str) -> Result<Self, InvalidBootId> {
        let ulid = Ulid::from_string(text).map_err(|_| InvalidBootId)?;
        if ulid.array_to_str(&mut [0; ULID_LEN]) == text {
            Ok(Self(ulid.0))
        } else {
            Err(InvalidBootId)
        }
    }
}

impl Serialize for BootId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BootId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "01JD3ZK6M8QW4V5N7R9T2Y0ABC";

    #[test]
    fn every_id_has_one_text() {
        let boot: BootId = TEXT.parse().unwrap();
        assert_eq!(boot.to_string(), TEXT);
        assert_eq!(serde_json::to_value(boot).unwrap(), TEXT);
        assert_eq!(
            serde_json::from_str::<BootId>(&format!("{TEXT:?}")).unwrap(),
            boot
        );
        for bits in [0, 1, u128::MAX] {
            let boot = BootId::from_bits(bits);
            assert_eq!(boot.to_string().parse(), Ok(boot));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let lower = TEXT.to_lowercase();
        let beyond_128_bits = "8ZZZZZZZZZZZZZZZZZZZZZZZZZ";
        for bad in [
            "",
            "01JD",
            &lower,
            "01JD3ZK6M8QW4V5N7R9T2Y0ABU",
            beyond_128_bits,
        ] {
            assert_eq!(bad.parse::<BootId>(), Err(InvalidBootId), "{bad:?}");
        }
    }
}
