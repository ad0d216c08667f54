//! Who belongs to a tenant: its connections on all nodes, its client ids, and what they may do a
//! second.

mod admission;
mod charging;
mod clients;
pub(super) mod connection;
pub(super) mod newcomers;
mod rates;
mod remote;
pub(super) mod survey;

use protocol::lane::KeyId;
use protocol::{BootId, BotId, ClientId, ConnectionId};

use crate::env::Millis;
use crate::ids::ConnKey;
use crate::request::JoinRequest;
use crate::small::SmallMap;
use crate::store::{ConnRecord, SeenClient, TenantPolicy};
use crate::tenant::meter::SocketCounts;
use clients::{ClientEntry, ClientList};
use connection::Connection;
use newcomers::NewcomerList;
use rates::TenantRates;
use remote::RemoteConnections;

/// The members of a tenant, in this order: what every message needs is in front.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Members {
    rates: TenantRates,
    connections: SmallMap<ConnKey, Box<Connection>, 2>,
    remote: RemoteConnections,
    /// How many connections wait for a reply.
    waits: u32,
    /// Sockets whose credential a secret other than the first verified.
    old_secrets: u32,
    /// Names the first secret.
    first_secret: KeyId,
    /// Whether the store has the tenant as suspended, whatever the configuration file says.
    stored_suspended: bool,
    /// Sockets that are open, for the meter.
    sockets: SocketCounts,
    by_id: SmallMap<ConnectionId, ConnKey, 1>,
    clients: ClientList,
    newcomers: NewcomerList,
    /// Joins that wait until the directory is loaded.
    waiting: Vec<JoinRequest>,
    policy: TenantPolicy,
}

impl Members {
    /// No members yet, under the policy of the configuration file.
    pub fn new(policy: TenantPolicy, first_secret: KeyId) -> Self {
        Self {
            rates: TenantRates::default(),
            connections: SmallMap::default(),
            remote: RemoteConnections::default(),
            waits: 0,
            old_secrets: 0,
            first_secret,
            stored_suspended: false,
            sockets: SocketCounts::default(),
            by_id: SmallMap::default(),
            clients: ClientList::default(),
            newcomers: NewcomerList::default(),
            waiting: Vec::new(),
            policy,
        }
    }
}

// === connections of this node ===

impl Members {
    pub fn connection(&self, key: ConnKey) -> Option<&Connection> {
        self.connections.get(&key).map(|conn| &**conn)
    }

    pub fn connection_mut(&mut self, key: ConnKey) -> Option<&mut Connection> {
        self.connections.get_mut(&key).map(|conn| &mut **conn)
    }

    pub fn connections(&self) -> impl Iterator<Item = (ConnKey, &Connection)> {
        self.connections.iter().map(|(key, conn)| (*key, &**conn))
    }

    /// The first connection from a key on, for work that goes on where it stopped.
    pub fn next_connection(&mut self, key: ConnKey) -> Option<ConnKey> {
        let mut connections = self.connections.iter_mut_from(key);
        connections.next().map(|(key, _)| *key)
    }

    /// The connections that the directory has.
    pub fn listed(&self) -> Vec<(ConnKey, ConnectionId)> {
        let listed = self.connections.iter();
        let listed = listed.filter(|(_, conn)| conn.capabilities.is_listed());
        listed.map(|(key, conn)| (*key, conn.id)).collect()
    }

    /// The connection with an id.
    pub fn key_of(&self, id: &ConnectionId) -> Option<ConnKey> {
        self.by_id.get(id).copied()
    }

    /// The connection with an id that is given as text.
    pub fn key_of_text(&self, id: &str) -> Option<ConnKey> {
        self.by_id.get(id).copied()
    }

    /// Whether this node has a connection, or is telling the directory of it.
    pub fn is_here(&self, id: &ConnectionId) -> bool {
        self.by_id.contains_key(id) || self.newcomers.has(id)
    }

    /// How many sockets the first secret verified, and how many another.
    pub fn sockets_by_secret(&self) -> [u32; 2] {
        let SocketCounts { bots, clients } = self.sockets;
        [bots + clients - self.old_secrets, self.old_secrets]
    }

    /// Another secret is the first from now on.
    pub fn set_first_secret(&mut self, first: KeyId) {
        if self.first_secret == first {
            return;
        }
        self.first_secret = first;
        let sockets = self.connections();
        let old = sockets.map(|(_, conn)| u32::from(self.has_old_secret(conn)));
        self.old_secrets = old.sum();
    }

    /// Notes what a connection has in its queue, if it waits for a reply.
    pub fn note_queued(&mut self, key: ConnKey, part: Option<(u64, u64)>) {
        if self.waits == 0 {
            return;
        }
        let conn = self.connections.get_mut(&key);
        if let Some(reply) = conn.and_then(|conn| conn.reply.as_mut()) {
            reply.note_queued(part);
        }
    }

    /// Adds a connection. Its client id becomes known.
    pub fn insert(&mut self, key: ConnKey, conn: Connection) {
        self.clients.join(key, &conn);
        self.by_id.insert(conn.id, key);
        self.waits += u32::from(conn.capabilities.awaits_reply());
        self.old_secrets += u32::from(self.has_old_secret(&conn));
        if let Some(count) = self.count_by_kind(&conn) {
            *count += 1;
        }
        self.connections.insert(key, Box::new(conn));
    }

    /// Removes a connection; says whether it was its client's last on this node.
    pub fn remove(&mut self, key: ConnKey, now_ms: Millis) -> Option<(Connection, bool)> {
        let conn = *self.connections.remove(&key)?;
        self.by_id.remove(&conn.id);
        self.waits -= u32::from(conn.capabilities.awaits_reply());
        self.old_secrets -= u32::from(self.has_old_secret(&conn));
        if let Some(count) = self.count_by_kind(&conn) {
            *count -= 1;
        }
        let was_last = self.clients.leave(key, &conn, now_ms);
        Some((conn, was_last))
    }

    /// Whether it is a socket whose credential a secret other than the first verified.
    fn has_old_secret(&self, conn: &Connection) -> bool {
        conn.capabilities.lasts && conn.grant.secret != self.first_secret
    }
}

// === bots that connections hold ===

impl Members {
    /// How many sockets are open, with and without bots.
    pub fn sockets(&self) -> SocketCounts {
        self.sockets
    }

    /// A connection holds a bot from now on.
    pub fn hold(&mut self, key: ConnKey, bot: BotId) {
        let Some(conn) = self.connections.get_mut(&key) else {
            return;
        };
        let was_client = conn.bots.is_empty();
        conn.bots.insert(bot);
        conn.watch.unwatch_all();
        if was_client && conn.capabilities.lasts {
            self.sockets.clients -= 1;
            self.sockets.bots += 1;
        }
    }

    /// A connection does not hold a bot any more. Says whether it holds no other; `None`: it is not here.
    pub fn release(&mut self, key: ConnKey, bot: &BotId) -> Option<bool> {
        let conn = self.connections.get_mut(&key)?;
        let was_held = conn.bots.remove(bot);
        let holds_none = conn.bots.is_empty();
        if was_held && holds_none && conn.capabilities.lasts {
            self.sockets.bots -= 1;
            self.sockets.clients += 1;
        }
        Some(holds_none)
    }

    fn count_by_kind(&mut self, conn: &Connection) -> Option<&mut u32> {
        let SocketCounts { bots, clients } = &mut self.sockets;
        let kind = match conn.bots.is_empty() {
            true => clients,
            false => bots,
        };
        conn.capabilities.lasts.then_some(kind)
    }
}

// === connections of other nodes ===

impl Members {
    /// The node of a connection, if that is another node.
    pub fn node_of(&self, id: &str) -> Option<BootId> {
        self.remote.node_of(id)
    }

    /// All of them, in id order.
    pub fn remote(&self) -> impl Iterator<Item = (&ConnectionId, &ConnRecord)> {
        self.remote.iter()
    }

    /// Adds a connection, or moves it to another node.
    pub fn insert_remote(&mut self, id: ConnectionId, record: ConnRecord) {
        if self.remote.has(&id, &record) {
            return;
        }
        self.remove_remote(&id);
        self.clients.join_there(&record.client, id, record.boot);
        self.remote.insert(id, record);
    }

    pub fn remove_remote(&mut self, id: &ConnectionId) {
        if let Some(record) = self.remote.remove(id) {
            self.clients.leave_there(record.client, id);
        }
    }

    /// Removes those of a node, whose clients were seen until now. Says whether there were any.
    pub fn remove_node(&mut self, boot: BootId, unix_ms: Millis) -> bool {
        let conns = self.remote.iter();
        let conns = conns.filter(|(_, record)| record.boot == boot);
        let conns: Vec<(ConnectionId, ClientId)> = conns
            .map(|(id, record)| (*id, record.client.clone()))
            .collect();
        for (conn, client) in &conns {
            self.remove_remote(conn);
            self.clients.see((client.clone(), unix_ms));
        }
        !conns.is_empty()
    }
}

// === of all nodes ===

impl Members {
    /// How many connections there are.
    pub fn connection_count(&self) -> usize {
        self.connections.len() + self.remote.len()
    }

    /// How many connections count for the limit of sockets, those included that are about to join.
    pub fn socket_count(&self) -> usize {
        self.connection_count() + self.newcomers.len()
    }

    /// How many connections wait for a reply.
    pub fn wait_count(&self) -> usize {
        self.waits as usize
    }

    /// Nodes that have connections of the tenant, this one included.
    pub fn node_count(&self) -> usize {
        self.remote.node_count() + 1
    }

    /// A client id that is known.
    pub fn client(&self, name: &str) -> Option<&ClientEntry> {
        self.clients.get(name)
    }

    pub fn names_client(&self, name: &str) -> bool {
        self.clients.contains(name)
    }

    /// Notes when a client id was last seen.
    pub fn see(&mut self, seen: SeenClient) {
        self.clients.see(seen);
    }

    /// Forgets the least recently seen clients that are not connected, until there are at most
    /// this many clients.
    pub fn bound_clients(&mut self, most: usize) {
        self.clients.bound(most);
    }

    /// Forgets clients that left before a time.
    pub fn forget_before(&mut self, then_ms: Millis) {
        self.clients.forget_before(then_ms);
    }
}
