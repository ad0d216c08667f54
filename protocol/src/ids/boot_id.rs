//! The id of a node's life.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::{ULID_LEN, Ulid};

use super::invalid::InvalidId;

/// One life of a node: new at every start, and again after the other nodes have evicted it. It never returns.
///
/// Wire form: its ULID as 26 letters and digits, upper case.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootId(u128);

impl BootId {
    /// The boot id of a ULID made elsewhere.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// Its bits, as [`from_bits`](Self::from_bits) takes them.
    pub const fn bits(self) -> u128 {
        self.0
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; ULID_LEN];
        f.pad(Ulid(self.0).array_to_str(&mut text))
    }
}

impl fmt::Debug for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BootId {
    type Err = InvalidId;

    /// Errors: [`InvalidId`] if it is not the one spelling of a ULID.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let spelled = |ulid: &Ulid| ulid.array_to_str(&mut [0; ULID_LEN]) == text;
        let ulid = Ulid::from_string(text).ok().filter(spelled);
        ulid.map(|ulid| Self(ulid.0)).ok_or(InvalidId {
            kind: "boot id",
            shape: "a ULID of 26 letters and digits",
        })
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

    #[test]
    fn boot_ids_have_one_spelling() {
        for bits in [0, 1, 0x0191_b4c5_0000_1234_5678_9abc_def0_1234, u128::MAX] {
            let boot = BootId::from_bits(bits);
            let text = boot.to_string();
            assert_eq!((text.len(), text.parse()), (26, Ok(boot)));
            assert_eq!(serde_json::to_value(boot).unwrap(), text);
            assert_eq!(serde_json::from_value::<BootId>(text.into()).unwrap(), boot);
        }
        let good = "01JD3ZK6M8QW4V5N7R9T2Y0ABC";
        assert!(good.parse::<BootId>().is_ok());
        for bad in [
            "",
            &good[1..],
            &good.to_lowercase(),
            &format!("{good}0"),
            "81JD3ZK6M8QW4V5N7R9T2Y0ABC",
            "01JD3ZK6M8QW4V5N7R9T2Y0ABU",
            "01JD3ZK6M8QW4V5N7R9T2Y0ABé",
        ] {
            assert!(bad.parse::<BootId>().is_err(), "{bad:?} is no boot id");
        }
    }
}
