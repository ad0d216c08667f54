//! Names that parse: every id on the wire is a type of its own, checked when it is made.
//!
//! | type | shape |
//! | --- | --- |
//! | [`TenantId`] | `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`, the owner |
//! | [`BotId`] | `[A-Za-z0-9][A-Za-z0-9._:-]{0,79}`, not `conn_…` |
//! | [`ClientId`] | `[A-Za-z0-9][A-Za-z0-9._-]{0,79}`, not `conn_…` |
//! | [`ConnectionId`] | `conn_<ULID>`, only the gateway makes them |
//! | [`Name`] | any of the last three, before it is known which |
//! | [`MessageId`], [`StreamId`] | 1-64 of `[A-Za-z0-9._:-]` |
//! | [`BootId`] | a ULID, one start of a node |
//! | [`FrameId`] | 1-64 bytes of text without U+0000; correlates, never dedupes |
//!
//! Tenant and connection ids, of which there are many copies, are shared: a clone never allocates. The
//! others are plain words of up to 24 bytes, which are cheap to move; a longer one allocates.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use ulid::{ULID_LEN, Ulid};

/// Why a text is no id. The text itself is left out: it may be hostile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}: expected {shape}")]
pub struct InvalidId {
    kind: &'static str,
    shape: &'static str,
}

/// Prefix of connection ids; nobody else's name may begin with it.
pub const CONNECTION_PREFIX: &str = "conn_";

fn is_name(text: &str, len_max: usize, extra: &[u8]) -> bool {
    let bytes = text.as_bytes();
    let Some(first) = bytes.first() else {
        return false;
    };
    bytes.len() <= len_max
        && first.is_ascii_alphanumeric()
        && bytes.iter().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-') || extra.contains(b)
        })
}

fn is_token(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-'))
}

fn is_connection(text: &str) -> bool {
    text.strip_prefix(CONNECTION_PREFIX).is_some_and(|ulid| {
        ulid.len() == 26
            && ulid
                .bytes()
                .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
    })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($text:ty), $kind:literal, $shape:literal, $pattern:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($text);

        impl $name {
            /// Checks the text and copies it. Errors: [`InvalidId`] if it has not this id's shape.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidId { kind: $kind, shape: $shape })
                }
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern, "description": $shape })
            }
        }
    };
}

id! {
    /// The owner of bots and clients; the seeds' `userId`. Everything is isolated by it.
    TenantId(Arc<str>), "tenant id", "[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
    |text| is_name(text, 64, b"")
}
id! {
    /// A bot of a tenant.
    BotId(CompactString), "bot id", "[A-Za-z0-9][A-Za-z0-9._:-]{0,79}, not beginning with conn_", "^[A-Za-z0-9][A-Za-z0-9._:-]{0,79}$",
    |text| is_name(text, 80, b":") && !text.starts_with(CONNECTION_PREFIX)
}
id! {
    /// A client of a tenant: a person, on one or more devices.
    ClientId(CompactString), "client id", "[A-Za-z0-9][A-Za-z0-9._-]{0,79}, not beginning with conn_", "^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$",
    |text| is_name(text, 80, b"") && !text.starts_with(CONNECTION_PREFIX)
}
id! {
    /// One socket, for as long as it is open. Only the gateway makes them.
    ConnectionId(Arc<str>), "connection id", "conn_<ULID>", "^conn_[0-9A-Z]{26}$",
    is_connection
}
id! {
    /// What `to` and `from` hold before the tenant's directory says which kind of name it is.
    Name(CompactString), "name", "[A-Za-z0-9][A-Za-z0-9._:-]{0,79}", "^[A-Za-z0-9][A-Za-z0-9._:-]{0,79}$",
    |text| is_name(text, 80, b":")
}
id! {
    /// A message, chosen by its sender (then it is an idempotency key) or by the gateway (a ULID).
    MessageId(CompactString), "message id", "1-64 of [A-Za-z0-9._:-]", "^[A-Za-z0-9._:-]{1,64}$",
    is_token
}
id! {
    /// A stream of partial messages.
    StreamId(CompactString), "stream id", "1-64 of [A-Za-z0-9._:-]", "^[A-Za-z0-9._:-]{1,64}$",
    is_token
}
id! {
    /// A frame's `id`: carried back in the answer. It restarts with each connection, so it is
    /// never a dedupe key.
    FrameId(CompactString), "frame id", "1-64 bytes of text without U+0000", "^[^\\u0000]{1,64}$",
    |text| (1..=64).contains(&text.len()) && !text.contains('\0')
}

impl ConnectionId {
    /// The connection id for a ULID made elsewhere (26 characters of Crockford's base 32).
    ///
    /// Errors: [`InvalidId`] if it is not one.
    pub fn from_ulid(ulid: &str) -> Result<Self, InvalidId> {
        Self::parse(&format!("{CONNECTION_PREFIX}{ulid}"))
    }
}

impl MessageId {
    /// The message id for a ULID made elsewhere.
    pub fn from_ulid(ulid: u128) -> Self {
        Self(CompactString::new(
            Ulid(ulid).array_to_str(&mut [0; ULID_LEN]),
        ))
    }
}

impl ClientId {
    /// The client id of a socket that names none: `client_<tenant>`, cut to 80 bytes.
    pub fn default_of(tenant: &TenantId) -> Self {
        Self(format_compact!("client_{tenant}"))
    }
}

impl From<BotId> for Name {
    fn from(id: BotId) -> Name {
        Name(id.0)
    }
}

impl From<ClientId> for Name {
    fn from(id: ClientId) -> Name {
        Name(id.0)
    }
}

impl From<ConnectionId> for Name {
    fn from(id: ConnectionId) -> Name {
        Name(CompactString::new(id.as_str()))
    }
}

impl Name {
    /// Whether this names one connection (`conn_…`) rather than a bot or a client.
    pub fn is_connection(&self) -> bool {
        self.0.starts_with(CONNECTION_PREFIX)
    }
}

/// A node's life: new at every start, and again after a burial. It never returns.
///
/// Wire form: its ULID as 26 letters and digits, upper case.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootId(u128);

impl BootId {
    /// The boot id of a ULID made elsewhere.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
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

/// Which kind of party an [`Address`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A registered bot.
    Bot,
    /// A client id: every socket that shares it.
    Client,
    /// One connection.
    Connection,
}

/// The only way a party is named outside its own tenant's map.
///
/// Shape: `{tenant, kind, name}`. Two tenants may use the same names; an address keeps them apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// Whose it is.
    pub tenant: TenantId,
    /// What it is.
    pub kind: Kind,
    /// Its name within the tenant.
    pub name: Name,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_an_exact_length_and_alphabet() {
        let long = "a".repeat(80);
        assert!(BotId::parse(&long).is_ok() && ClientId::parse(&long).is_ok());
        assert!(BotId::parse(&format!("{long}a")).is_err());
        assert!(TenantId::parse(&"a".repeat(64)).is_ok());
        assert!(TenantId::parse(&"a".repeat(65)).is_err());
        for bad in ["", "_a", "-a", ".a", "a b", "a/b", "a\u{0}", "ä", "conn_x"] {
            assert!(BotId::parse(bad).is_err(), "{bad:?} is no bot id");
            assert!(ClientId::parse(bad).is_err(), "{bad:?} is no client id");
        }
        assert!(BotId::parse("a:b").is_ok());
        assert!(ClientId::parse("a:b").is_err());
    }

    #[test]
    fn connection_ids_are_prefix_and_ulid() {
        assert!(ConnectionId::from_ulid("01JD3ZK6M8QW4V5N7R9T2Y0ABC").is_ok());
        assert!(ConnectionId::parse("conn_short").is_err());
        assert!(ConnectionId::parse("conn_01jd3zk6m8qw4v5n7r9t2y0abc").is_err());
    }

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

    #[test]
    fn message_and_frame_ids_take_1_to_64() {
        assert!(MessageId::parse(&"m".repeat(64)).is_ok());
        assert!(MessageId::parse(&"m".repeat(65)).is_err());
        assert!(MessageId::parse("").is_err());
        assert!(MessageId::parse("a b").is_err());
        assert!(FrameId::parse("ä b\n").is_ok());
        assert!(FrameId::parse("a\u{0}").is_err());
        assert!(FrameId::parse(&"ä".repeat(33)).is_err());
    }

    #[test]
    fn the_default_client_id_of_the_longest_tenant_is_valid() {
        let tenant = TenantId::parse(&"t".repeat(64)).unwrap();
        assert!(ClientId::parse(ClientId::default_of(&tenant).as_str()).is_ok());
    }
}
