//! The directory of one tenant, as the model keeps it.

use std::collections::BTreeMap;

use protocol::limits::REMEMBER_MS;
use protocol::{BotId, ConnectionId};

use super::clients::SeenClients;
use super::weights::bot_bytes;
use crate::env::Millis;
use crate::small::SmallMap;
use crate::store::directory::counter::latest_time_ms;
use crate::store::directory::records::{BotRecord, ConnRecord, DirectorySnapshot};
use crate::store::policy::TenantPolicy;

/// One tenant's directory.
#[derive(Debug, Clone, Default)]
pub(super) struct TenantDirectory {
    pub(super) ver: u64,
    pub(super) born: u64,
    pub(super) bots: SmallMap<BotId, Box<BotRecord>, 1>,
    pub(super) conns: BTreeMap<ConnectionId, ConnRecord>,
    pub(super) clients: SeenClients,
    /// What it holds of the store.
    pub(super) bytes: u64,
}

impl TenantDirectory {
    pub(super) fn is_empty(&self) -> bool {
        self.bots.is_empty() && self.conns.is_empty() && self.clients.len() == 0
    }

    /// Whether nothing was ever written.
    pub(super) fn is_new(&self) -> bool {
        self.ver == 0 && self.is_empty()
    }

    pub(super) fn snapshot(&self, policy: TenantPolicy) -> DirectorySnapshot {
        let conns = self.conns.iter();
        let clients = self.clients.iter();
        DirectorySnapshot {
            ver: self.ver,
            born: self.born,
            policy,
            bots: self.bots.values().map(|bot| (**bot).clone()).collect(),
            conns: conns.map(|(id, it)| (*id, it.clone())).collect(),
            clients: clients.map(|(id, seen)| (id.clone(), *seen)).collect(),
        }
    }

    /// Forgets offline bots and client ids that are a day old, and those whose time is none.
    pub(super) fn sweep(&mut self, now_ms: Millis) {
        let keeps = |since_ms: Millis| {
            let is_young = now_ms.saturating_sub(since_ms) < REMEMBER_MS;
            is_young && since_ms <= latest_time_ms(now_ms)
        };
        let mut freed = 0;
        self.bots.retain(|_, bot| {
            let keep = bot.holder.is_some() || keeps(bot.info.since);
            freed += if keep { 0 } else { bot_bytes(&bot.info) };
            keep
        });
        if let Some(then_ms) = now_ms.checked_sub(REMEMBER_MS) {
            freed += self.clients.forget_until(then_ms);
        }
        freed += self.clients.forget_after(latest_time_ms(now_ms));
        self.bytes -= freed;
    }
}
