//! The client ids of a tenant, by id and by age.

use std::collections::{BTreeMap, BTreeSet};

use protocol::ClientId;

use super::weights::client_bytes;
use crate::env::Millis;

/// When client ids were last seen.
#[derive(Debug, Clone, Default)]
pub(super) struct SeenClients {
    seen: BTreeMap<ClientId, Millis>,
    /// The same, the least recently seen first.
    by_age: BTreeSet<(Millis, ClientId)>,
}

impl SeenClients {
    /// Every client id and when it was last seen, in id order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&ClientId, &Millis)> {
        self.seen.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }

    pub(super) fn has(&self, client: &ClientId) -> bool {
        self.seen.contains_key(client)
    }

    pub(super) fn see(&mut self, client: ClientId, now_ms: Millis) {
        if let Some(was_ms) = self.seen.insert(client.clone(), now_ms) {
            self.by_age.remove(&(was_ms, client.clone()));
        }
        self.by_age.insert((now_ms, client));
    }

    /// Forgets the least recently seen.
    pub(super) fn forget_oldest(&mut self) -> Option<ClientId> {
        let (_, oldest) = self.by_age.pop_first()?;
        self.seen.remove(&oldest);
        Some(oldest)
    }

    /// Forgets those seen at a time or before; returns the bytes they took.
    pub(super) fn forget_until(&mut self, then_ms: Millis) -> u64 {
        let mut freed = 0;
        while self.by_age.first().is_some_and(|(at, _)| *at <= then_ms) {
            freed += self.forget_oldest().map_or(0, |id| client_bytes(&id));
        }
        freed
    }

    /// Forgets those seen later than this, which is no time; the bytes that become free.
    pub(super) fn forget_after(&mut self, then_ms: Millis) -> u64 {
        let mut freed = 0;
        while let Some((at_ms, client)) = self.by_age.last().cloned()
            && at_ms > then_ms
        {
            self.by_age.pop_last();
            self.seen.remove(&client);
            freed += client_bytes(&client);
        }
        freed
    }
}
