//! Where Redis is, and how a node uses it.

use std::sync::Arc;

use super::address::ServerAddress;
use super::url::{self, RedisKind};
use crate::redis::config::{RedisConfig, StoreClock};
use crate::redis::error::ConnectError;
use crate::redis::pool::dialer::RedisDialer;
use crate::redis::pool::tls::{self, RedisTls};
use crate::script::LuaScript;

/// Where Redis is, and how a node uses it: it never changes.
pub(crate) struct RedisPlace {
    pub(in crate::redis) kind: RedisKind,
    pub(in crate::redis) addresses: Vec<ServerAddress>,
    pub(in crate::redis) dialer: RedisDialer,
    /// For sentinels, which have no databases: without a login, since most have no password and then
    /// refuse any; and with the login.
    pub(in crate::redis) sentinels: [RedisDialer; 2],
    pub(crate) clock: StoreClock,
    /// How long the usage ledger keeps an hour, hours.
    pub(crate) usage_keep_hours: u32,
    /// Every script of the features.
    pub(in crate::redis) scripts: Vec<&'static LuaScript>,
}

impl RedisPlace {
    /// How messages are published.
    pub(in crate::redis) fn publish(&self) -> &'static str {
        match self.kind {
            RedisKind::Single | RedisKind::Sentinel { .. } => "PUBLISH",
            RedisKind::Cluster => "SPUBLISH",
        }
    }

    /// Errors: the URL is not valid, or TLS cannot be used.
    pub(in crate::redis) fn read(
        config: &RedisConfig,
        scripts: Vec<&'static LuaScript>,
    ) -> Result<Self, ConnectError> {
        let target = url::parse(config.url.reveal())?;
        let tls = match target.tls {
            true => {
                tls::install_provider();
                Some(RedisTls::new(config.insecure, config.client.clone())?)
            }
            false => None,
        };
        let dialer = RedisDialer {
            login: target.login,
            database: target.database,
            tls,
            local_ip: Arc::default(),
        };
        let sentinels = [url::NOBODY, dialer.login.clone()].map(|login| RedisDialer {
            login,
            database: 0,
            tls: dialer.tls.clone(),
            local_ip: Arc::clone(&dialer.local_ip),
        });
        Ok(Self {
            kind: target.kind,
            addresses: target.addresses,
            dialer,
            sentinels,
            clock: config.clock,
            usage_keep_hours: config.usage_keep_hours,
            scripts,
        })
    }
}
