//! The names of keys and channels. Which keys a feature has is in its `keys.rs`
//! (`features/*/keys.rs`); channels are only here.
//!
//! | name | kind | holds |
//! | --- | --- | --- |
//! | `<prefix>:{<tenant>}:<name>` | key | what a feature keeps of a tenant |
//! | `<prefix>:<name>` | key | what belongs to no tenant |
//! | `<prefix>:{<tenant>}:events` | channel | steps of the directory |
//! | `<prefix>:inbox:<boot>` | channel | packets for a node, and its probes |
//! | `<prefix>:probe:<boot>:<number>` | channel | probes of connections without the inbox |
//! | `<prefix>:check:<number>` | key and channel | nothing, see `redis/session/check.lua` |
//!
//! The tenant stands in braces, which in a Cluster puts all of it into one slot. No id contains a
//! brace, and only bot ids contain a colon, which are in no name.
//!
//! Pub/sub does not know database numbers: with a database other than 0, channels begin with
//! `<prefix>:db<number>`. Else a node would hear the steps of another database's directories.

use protocol::{BootId, TenantId};

/// Longest prefix, bytes.
const PREFIX_MAX: usize = 64;

/// What a channel of ours is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChannelName {
    /// Steps of a tenant's directory.
    Events(TenantId),
    /// Packets for a node.
    Inbox(BootId),
    /// Probes of a node.
    Probe(BootId),
}

/// Builds names under one prefix.
#[derive(Debug, Clone)]
pub(crate) struct KeyNames {
    prefix: String,
    /// What channels begin with.
    channels: String,
}

impl KeyNames {
    /// `None`: the prefix is not 1-64 of `[A-Za-z0-9._:-]`.
    pub(crate) fn new(prefix: &str, database: i64) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        let valid = (1..=PREFIX_MAX).contains(&prefix.len()) && prefix.bytes().all(plain);
        valid.then(|| Self {
            prefix: prefix.to_owned(),
            channels: match database {
                0 => prefix.to_owned(),
                number => format!("{prefix}:db{number}"),
            },
        })
    }

    /// A key of a tenant; `name` says which.
    pub(crate) fn tenant_key(&self, tenant: &TenantId, name: &str) -> String {
        format!("{}:{{{tenant}}}:{name}", self.prefix)
    }

    /// A key of no tenant.
    pub(crate) fn shared_key(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    /// The channel of a tenant's steps.
    pub(crate) fn events(&self, tenant: &TenantId) -> String {
        format!("{}:{{{tenant}}}:events", self.channels)
    }

    /// The channel of packets for a node.
    pub(crate) fn inbox(&self, boot: BootId) -> String {
        format!("{}:inbox:{boot}", self.channels)
    }

    /// A channel for probes; the number is chosen so that its slot is where the probe has to go.
    pub(crate) fn probe(&self, boot: BootId, number: u32) -> String {
        format!("{}:probe:{boot}:{number}", self.channels)
    }

    /// A key, and a channel, by which the rights of the user are tried; the number is chosen as that
    /// of a probe.
    pub(crate) fn check(&self, number: u32) -> String {
        format!("{}:check:{number}", self.prefix)
    }

    /// What a channel is for. `None`: it is none of ours.
    pub(crate) fn channel(&self, name: &str) -> Option<ChannelName> {
        let rest = name.strip_prefix(&self.channels)?.strip_prefix(':')?;
        if let Some(tenant) = rest.strip_prefix('{') {
            let tenant = tenant.strip_suffix("}:events")?;
            return TenantId::parse(tenant).ok().map(ChannelName::Events);
        }
        match rest.split_once(':')? {
            ("inbox", boot) => boot.parse().ok().map(ChannelName::Inbox),
            ("probe", probe) => {
                let (boot, _) = probe.split_once(':')?;
                boot.parse().ok().map(ChannelName::Probe)
            }
            _ => None,
        }
    }
}

/// The slot of a key or a sharded channel in a Cluster: CRC16/XMODEM of its hash tag, or of all of
/// it. Source: the Redis Cluster specification, "Key distribution model".
pub(crate) fn slot(name: &str) -> u16 {
    let tag = name.split_once('{').and_then(|(_, rest)| {
        let (tag, _) = rest.split_once('}')?;
        (!tag.is_empty()).then_some(tag)
    });
    crc16(tag.unwrap_or(name).as_bytes()) % 16384
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let bit = |crc: u16, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => (crc << 1) ^ 0x1021,
        };
        (0..8).fold(crc ^ (u16::from(*byte) << 8), bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_says_what_it_is_for() {
        let keys = KeyNames::new("t2b", 0).unwrap();
        let tenant = TenantId::parse("a.b-c_d").unwrap();
        let boot = BootId::from_bits(7);
        let read = |name: String| keys.channel(&name);
        assert_eq!(keys.events(&tenant), "t2b:{a.b-c_d}:events");
        assert_eq!(keys.tenant_key(&tenant, "dir"), "t2b:{a.b-c_d}:dir");
        assert_eq!(
            read(keys.events(&tenant)),
            Some(ChannelName::Events(tenant))
        );
        assert_eq!(read(keys.inbox(boot)), Some(ChannelName::Inbox(boot)));
        assert_eq!(read(keys.probe(boot, 3)), Some(ChannelName::Probe(boot)));
        for other in [
            "t2b:{a}:dir",
            "t2b:{}:events",
            "u:{a}:events",
            "t2b:inbox:x",
            "",
        ] {
            assert_eq!(keys.channel(other), None, "{other}");
        }
    }

    #[test]
    fn a_prefix_is_a_plain_word() {
        for (prefix, valid) in [
            ("t2b", true),
            ("a:b.c-d_e", true),
            ("", false),
            ("{a}", false),
        ] {
            assert_eq!(KeyNames::new(prefix, 0).is_some(), valid, "{prefix}");
        }
        assert!(KeyNames::new(&"a".repeat(PREFIX_MAX), 0).is_some());
        assert!(KeyNames::new(&"a".repeat(PREFIX_MAX + 1), 0).is_none());
    }

    #[test]
    fn databases_share_keys_and_no_channel() {
        let [zero, one] = [0, 1].map(|database| KeyNames::new("t2b", database).unwrap());
        let (tenant, boot) = (TenantId::parse("alice").unwrap(), BootId::from_bits(7));
        assert_eq!(
            zero.tenant_key(&tenant, "dir"),
            one.tenant_key(&tenant, "dir")
        );
        assert_eq!(one.events(&tenant), "t2b:db1:{alice}:events");
        let names = |keys: &KeyNames| [keys.events(&tenant), keys.inbox(boot), keys.probe(boot, 3)];
        for (own, other) in [(&zero, &one), (&one, &zero)] {
            for name in names(own) {
                assert!(own.channel(&name).is_some(), "{name}");
                assert_eq!(other.channel(&name), None, "{name}");
            }
        }
    }

    #[test]
    fn a_slot_is_that_of_the_tag() {
        // The check value of the specification.
        assert_eq!(slot("123456789"), 0x31c3);
        assert_eq!(slot("t2b:{alice}:dir"), slot("alice"));
        assert_eq!(slot("a{}b"), crc16(b"a{}b") % 16384);
    }
}
