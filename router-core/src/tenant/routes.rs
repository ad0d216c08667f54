//! Who is who in a tenant: connections, bots and clients, and what a name means.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use protocol::connect::Acks;
use protocol::envelope::Envelope;
use protocol::message::SendKind;
use protocol::{BootId, BotId, ClientId, ConnectionId, Kind};
use smallvec::{Array, SmallVec};
use smol_str::SmolStr;

use super::awaits::Awaits;
use super::flaps::Flaps;
use super::listing::Listed;
use super::subscriptions::Watch;
use crate::capabilities::{Capabilities, MessageReach};
use crate::env::Millis;
use crate::ids::ConnKey;
use crate::permit::Grant;
use crate::small::SmallMap;
use crate::store::{ConnRecord, Holder, Seen};

/// Connections of this node that a message goes to.
pub(super) type Targets = SmallVec<[ConnKey; 2]>;

/// Other nodes that a message goes to.
pub(super) type TargetNodes = SmallVec<[BootId; 1]>;

/// Where a bot is at home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Home {
    Here(ConnKey),
    There(Box<Holder>),
}

/// A connection of the tenant. What every message of its needs is in front, as in the tenant.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Connection {
    pub client: ClientId,
    pub capabilities: Capabilities,
    pub acks: Acks,
    /// Whether it named its client id itself: then it is a device even while it holds bots.
    pub named: bool,
    /// Whether a message of its was acknowledged.
    pub sent: bool,
    /// Whether the store was told of it, and so must be told when it is gone.
    pub told: bool,
    pub grant: Grant,
    pub bots: BTreeSet<BotId>,
    /// The reply that a wait is for, once it has sent its message.
    pub awaits: Option<Box<Awaits>>,
    pub id: ConnectionId,
    pub watch: Watch,
}

impl Connection {
    /// Begins to wait for the reply to what it sends, if it is there to wait.
    pub fn await_reply(&mut self, sent: &Envelope) {
        if self.capabilities.awaits_reply()
            && let Some(message_id) = sent.message.message_id
        {
            let to = sent.message.to.clone();
            self.awaits = Some(Box::new(Awaits::new(message_id, to)));
        }
    }

    /// Whether it wants a message that is addressed to it or its client id. For everybody else a
    /// call is not there: what it does not want may not pass as delivered.
    fn hears(&self, envelope: &Envelope) -> bool {
        match self.capabilities.messages {
            MessageReach::All => true,
            MessageReach::None => false,
            MessageReach::OneReply => {
                let is_message = envelope.message.kind == SendKind::Message;
                let awaits = self.awaits.as_ref().filter(|_| is_message);
                awaits.is_some_and(|awaits| awaits.is_met_by(envelope, &self.id))
            }
        }
    }
}

/// A listed bot. A message asks for its home alone, so that what else is known of it is apart.
#[derive(Debug)]
pub(super) struct Bot {
    pub home: Option<Home>,
    pub about: Box<About>,
}

/// What is known of a bot.
#[derive(Debug)]
pub(super) struct About {
    pub info: Listed,
    pub epoch: u64,
    pub instance: Option<SmolStr>,
    pub flaps: Flaps,
}

impl Bot {
    /// The connection of this node that holds it.
    pub fn here(&self) -> Option<ConnKey> {
        match self.home {
            Some(Home::Here(conn)) => Some(conn),
            Some(Home::There(_)) | None => None,
        }
    }
}

/// A client id that is connected, or was in the last 24 h.
#[derive(Debug, Default)]
pub(super) struct Client {
    conns: SmallVec<[ConnKey; 2]>,
    /// Its connections on other nodes.
    there: Vec<(ConnectionId, BootId)>,
    seen_ms: Millis,
    /// Whether it stays known when the last one is gone: not for calls that sent nothing.
    stays: bool,
    /// How many of `conns` are sockets; the others are calls.
    sockets: u32,
}

impl Client {
    fn is_absent(&self) -> bool {
        self.conns.is_empty() && self.there.is_empty()
    }
}

/// What a name means to the tenant, before anybody asks whether the sender may know it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    pub kind: Kind,
    pub targets: Targets,
    pub nodes: TargetNodes,
}

/// The tenant's names, in this order: what every message needs is in front.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Routes {
    connections: SmallMap<ConnKey, Box<Connection>, 2>,
    /// How many connections each other node has; absent while there never was one.
    #[expect(
        clippy::box_collection,
        reason = "most have none, and all pay for its place"
    )]
    nodes: Option<Box<BTreeMap<BootId, usize>>>,
    bots: SmallMap<BotId, Bot, 1>,
    waits: usize,
    /// Sockets by the secret that verified their credential: the first, or another.
    sockets_by_secret: [u32; 2],
    by_id: SmallMap<ConnectionId, ConnKey, 1>,
    clients: SmallMap<ClientId, Client, 1>,
    /// Those of `clients` that are not connected, the longest absent first.
    absent: BTreeSet<(Millis, ClientId)>,
    /// Connections on other nodes.
    there: BTreeMap<ConnectionId, ConnRecord>,
}

impl Routes {
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Connections on all nodes.
    pub fn connection_count(&self) -> usize {
        self.connections.len() + self.there.len()
    }

    /// Nodes that have connections of the tenant, this one included.
    pub fn node_count(&self) -> usize {
        self.nodes.as_ref().map_or(0, |nodes| nodes.len()) + 1
    }

    pub fn connection(&self, key: ConnKey) -> Option<&Connection> {
        self.connections.get(&key).map(|conn| &**conn)
    }

    pub fn connection_mut(&mut self, key: ConnKey) -> Option<&mut Connection> {
        self.connections.get_mut(&key).map(|conn| &mut **conn)
    }

    pub fn connections(&self) -> impl Iterator<Item = (ConnKey, &Connection)> {
        self.connections.iter().map(|(key, conn)| (*key, &**conn))
    }

    /// How many connections wait for a reply over HTTP.
    pub fn waits(&self) -> usize {
        self.waits
    }

    /// How many sockets of this node the first secret verified, and how many another.
    pub fn sockets_by_secret(&self) -> [u32; 2] {
        self.sockets_by_secret
    }

    fn count_by_secret(&mut self, conn: &Connection) -> Option<&mut u32> {
        let is_socket = conn.capabilities.lasts;
        is_socket.then(|| &mut self.sockets_by_secret[usize::from(conn.grant.old_secret)])
    }

    /// Notes what a connection has in its queue, if it is a wait.
    pub fn hear(&mut self, key: ConnKey, part: Option<(u64, u64)>) {
        if self.waits == 0 {
            return;
        }
        let conn = self.connections.get_mut(&key);
        if let Some(awaits) = conn.and_then(|conn| conn.awaits.as_mut()) {
            awaits.hear(part);
        }
    }

    /// Connections from a key on, for work that goes on where it stopped.
    pub fn connections_from(
        &mut self,
        key: ConnKey,
    ) -> impl Iterator<Item = (ConnKey, &mut Connection)> {
        let connections = self.connections.iter_mut_from(key);
        connections.map(|(key, conn)| (*key, &mut **conn))
    }

    /// Adds a connection. Its client id becomes known.
    pub fn insert(&mut self, key: ConnKey, conn: Connection) {
        let client = self.clients.or_default(&conn.client);
        if client.is_absent() {
            self.absent.remove(&(client.seen_ms, conn.client.clone()));
        }
        client.conns.push(key);
        client.sockets += u32::from(conn.capabilities.lasts);
        self.by_id.insert(conn.id, key);
        self.waits += usize::from(conn.capabilities.awaits_reply());
        if let Some(count) = self.count_by_secret(&conn) {
            *count += 1;
        }
        self.connections.insert(key, Box::new(conn));
    }

    /// Removes a connection; says whether it was its client's last. A client that only ever called,
    /// and sent nothing, is not known any more.
    pub fn remove(&mut self, key: ConnKey, now_ms: Millis) -> Option<(Connection, bool)> {
        let conn = *self.connections.remove(&key)?;
        self.by_id.remove(&conn.id);
        self.waits -= usize::from(conn.capabilities.awaits_reply());
        if let Some(count) = self.count_by_secret(&conn) {
            *count -= 1;
        }
        let client = self.clients.or_default(&conn.client);
        client.conns.retain(|other| *other != key);
        client.sockets -= u32::from(conn.capabilities.lasts);
        client.seen_ms = now_ms;
        client.stays |= conn.sent || conn.capabilities.lasts;
        let was_last = client.conns.is_empty();
        match (client.is_absent(), client.stays) {
            (true, true) => drop(self.absent.insert((now_ms, conn.client.clone()))),
            (true, false) => drop(self.clients.remove(&conn.client)),
            (false, _) => {}
        }
        Some((conn, was_last))
    }

    /// How many sockets, and how many calls, have a client id. Those of other nodes are all counted as
    /// sockets: the directory does not say which are waits.
    pub fn shared_by(&self, client: &ClientId) -> (usize, usize) {
        let Some(client) = self.clients.get(client) else {
            return (0, 0);
        };
        let sockets = client.sockets as usize;
        (sockets + client.there.len(), client.conns.len() - sockets)
    }

    /// Forgets the least recently seen clients that are not connected, until there are at most
    /// this many clients.
    pub fn bound_clients(&mut self, most: usize) {
        while self.clients.len() > most
            && let Some((_, longest)) = self.absent.pop_first()
        {
            self.clients.remove(&longest);
        }
    }

    /// Adds a connection of another node, or moves it there.
    pub fn insert_there(&mut self, id: ConnectionId, record: ConnRecord) {
        if self.there.get(&id) == Some(&record) {
            return;
        }
        self.remove_there(&id);
        let client = self.clients.or_default(&record.client);
        if client.is_absent() {
            self.absent.remove(&(client.seen_ms, record.client.clone()));
        }
        client.stays = true;
        client.there.push((id, record.boot));
        let nodes = self.nodes.get_or_insert_default();
        *nodes.entry(record.boot).or_default() += 1;
        self.there.insert(id, record);
    }

    /// Removes a connection of another node. When its client was seen last is for others to say.
    pub fn remove_there(&mut self, id: &ConnectionId) {
        let Some(record) = self.there.remove(id) else {
            return;
        };
        if let Some(nodes) = &mut self.nodes
            && let Some(count) = nodes.get_mut(&record.boot)
        {
            *count -= 1;
            if *count == 0 {
                nodes.remove(&record.boot);
            }
        }
        let Some(client) = self.clients.get_mut(&record.client) else {
            return;
        };
        client.there.retain(|(other, _)| other != id);
        if client.is_absent() {
            self.absent.insert((client.seen_ms, record.client));
        }
    }

    /// Notes when a client id was last seen.
    pub fn see(&mut self, (id, seen_ms): Seen) {
        let client = self.clients.or_default(&id);
        let was_ms = client.seen_ms;
        client.seen_ms = seen_ms.max(was_ms);
        client.stays = true;
        if client.is_absent() {
            self.absent.remove(&(was_ms, id.clone()));
            self.absent.insert((client.seen_ms, id));
        }
    }

    /// The connections of this node that the directory has.
    pub fn entered(&self) -> Vec<(ConnKey, ConnectionId)> {
        let entered = self.connections.iter();
        let entered = entered.filter(|(_, conn)| conn.capabilities.is_listed());
        entered.map(|(key, conn)| (*key, conn.id)).collect()
    }

    /// The connections of other nodes.
    pub fn there(&self) -> &BTreeMap<ConnectionId, ConnRecord> {
        &self.there
    }

    /// The connections of this node behind an id, in id order; absent: all.
    pub fn ids_after(&self, id: Option<&ConnectionId>) -> impl Iterator<Item = ConnKey> {
        self.by_id.iter_after(id).map(|(_, key)| *key)
    }

    /// The connections of other nodes behind an id, in id order; absent: all.
    pub fn there_after(
        &self,
        id: Option<&ConnectionId>,
    ) -> impl Iterator<Item = (&ConnectionId, &ConnRecord)> {
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.there
            .range::<ConnectionId, _>((from, Bound::Unbounded))
    }

    /// The connection of this node with an id.
    pub fn key_of(&self, id: &ConnectionId) -> Option<ConnKey> {
        self.by_id.get(id).copied()
    }

    pub fn bot(&self, id: &BotId) -> Option<&Bot> {
        self.bots.get(id)
    }

    pub fn bot_mut(&mut self, id: &BotId) -> Option<&mut Bot> {
        self.bots.get_mut(id)
    }

    pub fn bot_count(&self) -> usize {
        self.bots.len()
    }

    /// Every listed bot, in id order.
    pub fn bots(&self) -> impl Iterator<Item = &Bot> {
        self.bots.iter().map(|(_, bot)| bot)
    }

    /// Those behind a bot; absent: all.
    pub fn bots_after(&self, bot: Option<&BotId>) -> impl Iterator<Item = &Bot> {
        self.bots.iter_after(bot).map(|(_, bot)| bot)
    }

    pub fn insert_bot(&mut self, bot: Bot) {
        self.bots.insert(bot.about.info.id.clone(), bot);
    }

    pub fn remove_bot(&mut self, id: &BotId) -> Option<Bot> {
        self.bots.remove(id)
    }

    pub fn names_bot(&self, name: &str) -> bool {
        self.bots.contains_key(name)
    }

    pub fn names_client(&self, name: &str) -> bool {
        self.clients.contains_key(name)
    }

    /// What `to` means, for a message from `sender` (absent: it comes from another node): a
    /// connection, else a known bot, else a known client id. No targets = known, but nobody is there
    /// who hears it. Absent = never seen, or forgotten.
    pub fn resolve(&self, envelope: &Envelope, sender: Option<ConnKey>) -> Option<Resolved> {
        let to = &envelope.message.to;
        let hears = |key: &&ConnKey| {
            let conn = self.connections.get(key);
            conn.is_some_and(|conn| conn.hears(envelope))
        };
        if to.is_connection() {
            let here = self.by_id.get(to.as_str());
            let there = self.there.get(to.as_str()).map(|record| record.boot);
            (here.is_some() || there.is_some()).then_some(())?;
            return Some(Resolved {
                kind: Kind::Connection,
                targets: only(here.filter(hears).copied()),
                nodes: only(there),
            });
        }
        if let Some(bot) = self.bots.get(to.as_str()) {
            let there = match &bot.home {
                Some(Home::There(holder)) => Some(holder.boot),
                Some(Home::Here(_)) | None => None,
            };
            return Some(Resolved {
                kind: Kind::Bot,
                targets: only(bot.here()),
                nodes: only(there),
            });
        }
        let client = self.clients.get(to.as_str())?;
        let is_device = |key: &ConnKey| {
            let conn = self.connections.get(key).filter(|_| Some(*key) != sender);
            conn.is_some_and(|conn| (conn.named || conn.bots.is_empty()) && conn.hears(envelope))
        };
        let mut targets = Targets::from_slice(&client.conns);
        targets.retain(|key| is_device(key));
        let mut nodes: TargetNodes = client.there.iter().map(|(_, boot)| *boot).collect();
        nodes.sort_unstable();
        nodes.dedup();
        Some(Resolved {
            kind: Kind::Client,
            targets,
            nodes,
        })
    }

    /// Forgets bots that went offline, and clients that left, before a time.
    pub fn forget_before(&mut self, then_ms: Millis) {
        self.bots
            .retain(|_, bot| bot.home.is_some() || bot.about.info.since >= then_ms);
        while let Some((seen_ms, id)) = self.absent.pop_first() {
            if seen_ms >= then_ms {
                self.absent.insert((seen_ms, id));
                return;
            }
            self.clients.remove(&id);
        }
    }
}

/// A list of what there is.
fn only<A: Array>(item: Option<A::Item>) -> SmallVec<A> {
    let mut list = SmallVec::new();
    if let Some(item) = item {
        list.push(item);
    }
    list
}
