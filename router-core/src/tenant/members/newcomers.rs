//! Connections that the directory is being told of: they are greeted when it has them.

use std::collections::BTreeSet;

use protocol::{ClientId, ConnectionId};

use crate::ids::ConnKey;
use crate::request::JoinRequest;
use crate::small::SmallMap;

/// A connection that was let in, and under which client id.
#[derive(Debug)]
pub(in crate::tenant) struct NewConnection {
    pub join: JoinRequest,
    pub client: ClientId,
    /// Whether it named its client id itself.
    pub named: bool,
}

impl NewConnection {
    /// Under the client id that it gets if it is let in.
    pub fn new(join: JoinRequest) -> Self {
        Self {
            client: join.client_id(),
            named: join.grant.client().or(join.client.as_ref()).is_some(),
            join,
        }
    }
}

/// All that the directory is being told of.
#[derive(Debug, Default)]
pub(super) struct NewcomerList {
    by_key: SmallMap<ConnKey, Box<NewConnection>, 0>,
    ids: BTreeSet<ConnectionId>,
    /// How many of each client id are sockets.
    sockets: SmallMap<ClientId, usize, 0>,
}

impl NewcomerList {
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether it is one.
    pub fn has(&self, id: &ConnectionId) -> bool {
        self.ids.contains(id)
    }

    /// How many sockets have a client id.
    pub fn sockets_of(&self, client: &ClientId) -> usize {
        self.sockets.get(client).copied().unwrap_or_default()
    }

    pub fn insert(&mut self, newcomer: NewConnection) {
        self.ids.insert(newcomer.join.id);
        if newcomer.join.capabilities.lasts {
            *self.sockets.or_default(&newcomer.client) += 1;
        }
        self.by_key.insert(newcomer.join.conn, Box::new(newcomer));
    }

    pub fn remove(&mut self, key: ConnKey) -> Option<NewConnection> {
        let newcomer = self.by_key.remove(&key)?;
        self.ids.remove(&newcomer.join.id);
        if self.ids.is_empty() {
            // An emptied set keeps memory.
            self.ids = BTreeSet::new();
        }
        if newcomer.join.capabilities.lasts
            && let Some(sockets) = self.sockets.get_mut(&newcomer.client)
        {
            *sockets -= 1;
            if *sockets == 0 {
                self.sockets.remove(&newcomer.client);
            }
        }
        Some(*newcomer)
    }
}
