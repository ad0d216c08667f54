//! The ids that are names or words.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrayvec::ArrayString;
use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::{ULID_LEN, Ulid};

use super::alphabet::{
    CONNECTION_BYTES, CONNECTION_PREFIX, TOKEN_BYTES_MAX, WORD, WORD_OR_COLON, is_connection,
    is_name, is_token,
};
use super::invalid::InvalidId;

/// What keeps the text of an id.
trait Copied: Sized {
    /// A copy of the text; `None` if it has no room for it.
    fn copied(text: &str) -> Option<Self>;
}

impl Copied for Arc<str> {
    fn copied(text: &str) -> Option<Self> {
        Some(text.into())
    }
}

impl Copied for CompactString {
    fn copied(text: &str) -> Option<Self> {
        Some(text.into())
    }
}

impl<const BYTES: usize> Copied for ArrayString<BYTES> {
    fn copied(text: &str) -> Option<Self> {
        Self::from(text).ok()
    }
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
                let copied = valid(text).then(|| <$text>::copied(text)).flatten();
                copied.map(Self).ok_or(InvalidId { kind: $kind, shape: $shape })
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
    |text| is_name(text, 64, WORD)
}
id! {
    /// A plan of the configuration: limits and allowances that tenants have in common.
    PlanName(Arc<str>), "plan name", "[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
    |text| is_name(text, 64, WORD)
}
id! {
    /// A bot of a tenant.
    BotId(CompactString), "bot id", "[A-Za-z0-9][A-Za-z0-9._:-]{0,79}, not beginning with conn_", "^[A-Za-z0-9][A-Za-z0-9._:-]{0,79}$",
    |text| is_name(text, 80, WORD_OR_COLON) && !text.starts_with(CONNECTION_PREFIX)
}
id! {
    /// A client of a tenant: a person, on one or more devices.
    ClientId(CompactString), "client id", "[A-Za-z0-9][A-Za-z0-9._-]{0,79}, not beginning with conn_", "^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$",
    |text| is_name(text, 80, WORD) && !text.starts_with(CONNECTION_PREFIX)
}
id! {
    /// One socket, for as long as it is open. Only the gateway makes them.
    ConnectionId(ArrayString<CONNECTION_BYTES>), "connection id", "conn_<ULID>", "^conn_[0-9A-Z]{26}$",
    is_connection
}
id! {
    /// What `to` and `from` hold before the tenant's directory says which kind of name it is.
    Name(CompactString), "name", "[A-Za-z0-9][A-Za-z0-9._:-]{0,79}", "^[A-Za-z0-9][A-Za-z0-9._:-]{0,79}$",
    |text| is_name(text, 80, WORD_OR_COLON)
}
id! {
    /// A message, chosen by its sender (then it is an idempotency key) or by the gateway (a ULID).
    MessageId(ArrayString<TOKEN_BYTES_MAX>), "message id", "1-64 of [A-Za-z0-9._:-]", "^[A-Za-z0-9._:-]{1,64}$",
    is_token
}
id! {
    /// A stream of partial messages.
    StreamId(CompactString), "stream id", "1-64 of [A-Za-z0-9._:-]", "^[A-Za-z0-9._:-]{1,64}$",
    is_token
}

impl Copy for ConnectionId {}
impl Copy for MessageId {}

impl ConnectionId {
    /// The connection id for a ULID made elsewhere (26 characters of Crockford's base 32).
    ///
    /// Errors: [`InvalidId`] if it is not one.
    pub fn from_ulid(ulid: &str) -> Result<Self, InvalidId> {
        Self::parse(&format!("{CONNECTION_PREFIX}{ulid}"))
    }

    /// When it was made, Unix milliseconds: a ULID begins with that.
    pub fn made_ms(&self) -> u64 {
        let ulid = self.0.get(CONNECTION_PREFIX.len()..).unwrap_or_default();
        Ulid::from_string(ulid).map_or(0, |ulid| ulid.timestamp_ms())
    }
}

impl MessageId {
    /// The message id for a ULID made elsewhere.
    pub fn from_ulid(ulid: u128) -> Self {
        let mut text = [0; ULID_LEN];
        let text = Ulid(ulid).array_to_str(&mut text);
        Self(ArrayString::from(text).expect("there is room for a ULID"))
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
        let made = ConnectionId::from_ulid(&Ulid::from_parts(1_763_695_000_042, 7).to_string());
        assert_eq!(made.unwrap().made_ms(), 1_763_695_000_042);
        assert!(ConnectionId::parse("conn_short").is_err());
        assert!(ConnectionId::parse("conn_01jd3zk6m8qw4v5n7r9t2y0abc").is_err());
    }

    #[test]
    fn message_ids_take_1_to_64() {
        assert!(MessageId::parse(&"m".repeat(64)).is_ok());
        assert!(MessageId::parse(&"m".repeat(65)).is_err());
        assert!(MessageId::parse("").is_err());
        assert!(MessageId::parse("a b").is_err());
    }

    #[test]
    fn the_default_client_id_of_the_longest_tenant_is_valid() {
        let tenant = TenantId::parse(&"t".repeat(64)).unwrap();
        assert!(ClientId::parse(ClientId::default_of(&tenant).as_str()).is_ok());
    }
}
