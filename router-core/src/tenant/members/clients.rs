//! The client ids of a tenant: those that are connected, and those that were in the last 24 h.

use std::collections::BTreeSet;

use protocol::{BootId, ClientId, ConnectionId};
use smallvec::SmallVec;

use super::connection::Connection;
use crate::env::Millis;
use crate::ids::ConnKey;
use crate::small::SmallMap;
use crate::store::SeenClient;

/// A client id that is connected, or was in the last 24 h.
#[derive(Debug, Default)]
pub(in crate::tenant) struct ClientEntry {
    /// Its connections on this node.
    pub here: SmallVec<[ConnKey; 2]>,
    /// Its connections on other nodes.
    pub there: Vec<(ConnectionId, BootId)>,
    seen_ms: Millis,
    /// Whether it stays known when the last one is gone: not for calls that sent nothing.
    stays: bool,
    /// How many of `here` are sockets; the others are calls.
    sockets: u32,
}

impl ClientEntry {
    fn is_absent(&self) -> bool {
        self.here.is_empty() && self.there.is_empty()
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct ClientList {
    by_id: SmallMap<ClientId, ClientEntry, 1>,
    /// Those that are not connected, the longest absent first.
    absent: BTreeSet<(Millis, ClientId)>,
}

impl ClientList {
    pub fn get(&self, name: &str) -> Option<&ClientEntry> {
        self.by_id.get(name)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.by_id.contains_key(name)
    }

    /// How many sockets, and how many calls, have a client id. Those of other nodes are all counted as
    /// sockets: the directory does not say which are calls that wait.
    pub fn shared_by(&self, client: &ClientId) -> (usize, usize) {
        let Some(client) = self.by_id.get(client) else {
            return (0, 0);
        };
        let sockets = client.sockets as usize;
        (sockets + client.there.len(), client.here.len() - sockets)
    }

    /// Its client has this connection of this node.
    pub fn join(&mut self, key: ConnKey, conn: &Connection) {
        let client = self.present(&conn.client);
        client.here.push(key);
        client.sockets += u32::from(conn.capabilities.lasts);
    }

    /// Its client has this connection no more; says whether it was the last of this node. A client
    /// that only ever called, and sent nothing, is not known any more.
    pub fn leave(&mut self, key: ConnKey, conn: &Connection, now_ms: Millis) -> bool {
        let client = self.by_id.or_default(&conn.client);
        client.here.retain(|other| *other != key);
        client.sockets -= u32::from(conn.capabilities.lasts);
        client.seen_ms = now_ms;
        client.stays |= conn.sent || conn.capabilities.lasts;
        let was_last = client.here.is_empty();
        match (client.is_absent(), client.stays) {
            (true, true) => drop(self.absent.insert((now_ms, conn.client.clone()))),
            (true, false) => drop(self.by_id.remove(&conn.client)),
            (false, _) => {}
        }
        was_last
    }

    /// A client has this connection of another node.
    pub fn join_there(&mut self, client: &ClientId, id: ConnectionId, boot: BootId) {
        let client = self.present(client);
        client.stays = true;
        client.there.push((id, boot));
    }

    /// A client has that connection no more. When it was seen last is for others to say.
    pub fn leave_there(&mut self, client: ClientId, id: &ConnectionId) {
        let Some(entry) = self.by_id.get_mut(&client) else {
            return;
        };
        entry.there.retain(|(other, _)| other != id);
        if entry.is_absent() {
            self.absent.insert((entry.seen_ms, client));
        }
    }

    /// Notes when a client id was last seen.
    pub fn see(&mut self, (id, seen_ms): SeenClient) {
        let client = self.by_id.or_default(&id);
        let was_ms = client.seen_ms;
        client.seen_ms = seen_ms.max(was_ms);
        client.stays = true;
        if client.is_absent() {
            self.absent.remove(&(was_ms, id.clone()));
            self.absent.insert((client.seen_ms, id));
        }
    }

    /// Forgets the least recently seen clients that are not connected, until there are at most
    /// this many clients.
    pub fn bound(&mut self, most: usize) {
        while self.by_id.len() > most
            && let Some((_, longest)) = self.absent.pop_first()
        {
            self.by_id.remove(&longest);
        }
    }

    /// Forgets those that left before a time.
    pub fn forget_before(&mut self, then_ms: Millis) {
        while let Some((seen_ms, id)) = self.absent.pop_first() {
            if seen_ms >= then_ms {
                self.absent.insert((seen_ms, id));
                return;
            }
            self.by_id.remove(&id);
        }
    }

    /// The entry of a client that is about to get a connection.
    fn present(&mut self, client: &ClientId) -> &mut ClientEntry {
        let entry = self.by_id.or_default(client);
        if entry.is_absent() {
            self.absent.remove(&(entry.seen_ms, client.clone()));
        }
        entry
    }
}
