//! Who is who in a tenant: connections, bots and clients, and what a name means.

use std::collections::{BTreeMap, BTreeSet};

use protocol::connect::Acks;
use protocol::envelope::Envelope;
use protocol::frame::SendKind;
use protocol::limits::CLIENTS_REMEMBERED_MAX;
use protocol::presence::{BotInfo, BotState};
use protocol::{BotId, ClientId, ConnectionId, Kind};
use smallvec::SmallVec;
use smol_str::SmolStr;

use super::awaits::Awaits;
use super::flaps::Flaps;
use super::presence::Watch;
use crate::env::Millis;
use crate::ids::ConnKey;
use crate::permit::Grant;
use crate::request::Purpose;
use crate::store::Snapshot;

/// Connections that a message goes to.
pub(super) type Targets = SmallVec<[ConnKey; 4]>;

/// A connection of the tenant.
#[derive(Debug)]
pub(super) struct Connection {
    pub id: ConnectionId,
    pub grant: Grant,
    pub client: ClientId,
    /// Whether it named its client id itself: then it is a device even while it holds bots.
    pub named: bool,
    pub acks: Acks,
    pub bots: BTreeSet<BotId>,
    pub watch: Watch,
    pub purpose: Purpose,
    /// The reply that a wait is for, once it has sent its message.
    pub awaits: Option<Awaits>,
    /// Whether a message of its was acknowledged.
    pub sent: bool,
}

impl Connection {
    /// Begins to wait for the reply to what it sends, if it is there to wait.
    pub fn await_reply(&mut self, sent: &Envelope) {
        if self.purpose == Purpose::Wait
            && let Some(message_id) = sent.message_id.clone()
        {
            let to = sent.to.clone();
            self.awaits = Some(Awaits::new(message_id, to));
        }
    }

    /// Whether it wants a message that is addressed to it or its client id. For everybody else a
    /// call is not there: what it does not want may not pass as delivered.
    fn hears(&self, envelope: &Envelope) -> bool {
        match self.purpose {
            Purpose::Socket => true,
            Purpose::Call => false,
            Purpose::Wait => {
                let is_message = envelope.kind == SendKind::Message;
                let awaits = self.awaits.as_ref().filter(|_| is_message);
                awaits.is_some_and(|awaits| awaits.is_met_by(envelope, &self.id))
            }
        }
    }
}

/// A listed bot.
#[derive(Debug)]
pub(super) struct Bot {
    pub info: BotInfo,
    pub home: Option<ConnKey>,
    pub epoch: u64,
    pub instance: Option<SmolStr>,
    pub flaps: Flaps,
}

/// A client id that is connected, or was in the last 24 h.
#[derive(Debug, Default)]
pub(super) struct Client {
    conns: SmallVec<[ConnKey; 2]>,
    seen_ms: Millis,
    /// Whether it stays known when the last one is gone: not for calls that sent nothing.
    stays: bool,
}

/// What a name means to the tenant, before anybody asks whether the sender may know it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    pub kind: Kind,
    pub targets: Targets,
}

/// The tenant's names.
#[derive(Debug, Default)]
pub(super) struct Routes {
    connections: BTreeMap<ConnKey, Connection>,
    by_id: BTreeMap<ConnectionId, ConnKey>,
    bots: BTreeMap<BotId, Bot>,
    clients: BTreeMap<ClientId, Client>,
    /// Those of `clients` that are not connected, the longest absent first.
    absent: BTreeSet<(Millis, ClientId)>,
    waits: usize,
}

impl Routes {
    /// Takes over what the store remembers. No home is taken over: a holder that the store names
    /// and that is not connected here is gone. Returns those holders, for the store to let go.
    pub fn load(&mut self, snapshot: Snapshot, now_ms: Millis) -> Vec<(ConnectionId, BotId, u64)> {
        let mut gone = Vec::new();
        for record in snapshot.bots {
            let mut info = BotInfo {
                status: BotState::Offline,
                ..record.info
            };
            if let Some(holder) = record.holder {
                info.since = now_ms;
                gone.push((holder, info.id.clone(), record.epoch));
            }
            let bot = Bot {
                home: None,
                epoch: record.epoch,
                instance: record.instance,
                flaps: Flaps::default(),
                info,
            };
            self.bots.insert(bot.info.id.clone(), bot);
        }
        for (id, seen_ms) in snapshot.clients {
            let client = Client {
                seen_ms,
                stays: true,
                ..Client::default()
            };
            self.absent.insert((seen_ms, id.clone()));
            self.clients.insert(id, client);
        }
        gone
    }

    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    pub fn connection(&self, key: ConnKey) -> Option<&Connection> {
        self.connections.get(&key)
    }

    pub fn connection_mut(&mut self, key: ConnKey) -> Option<&mut Connection> {
        self.connections.get_mut(&key)
    }

    pub fn connections(&self) -> impl Iterator<Item = (ConnKey, &Connection)> {
        self.connections.iter().map(|(key, conn)| (*key, conn))
    }

    /// How many connections wait for a reply over HTTP.
    pub fn waits(&self) -> usize {
        self.waits
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
        self.connections
            .range_mut(key..)
            .map(|(key, conn)| (*key, conn))
    }

    /// Adds a connection. Its client id becomes known; the longest absent one goes if they are too many.
    pub fn insert(&mut self, key: ConnKey, conn: Connection) {
        if !self.clients.contains_key(&conn.client)
            && self.clients.len() >= CLIENTS_REMEMBERED_MAX
            && let Some((_, longest)) = self.absent.pop_first()
        {
            self.clients.remove(&longest);
        }
        let client = self.clients.entry(conn.client.clone()).or_default();
        if client.conns.is_empty() {
            self.absent.remove(&(client.seen_ms, conn.client.clone()));
        }
        client.conns.push(key);
        self.by_id.insert(conn.id.clone(), key);
        self.waits += usize::from(conn.purpose == Purpose::Wait);
        self.connections.insert(key, conn);
    }

    /// Removes a connection; says whether it was its client's last. A client that only ever called,
    /// and sent nothing, is not known any more.
    pub fn remove(&mut self, key: ConnKey, now_ms: Millis) -> Option<(Connection, bool)> {
        let conn = self.connections.remove(&key)?;
        self.by_id.remove(&conn.id);
        self.waits -= usize::from(conn.purpose == Purpose::Wait);
        let client = self.clients.entry(conn.client.clone()).or_default();
        client.conns.retain(|other| *other != key);
        client.seen_ms = now_ms;
        client.stays |= conn.sent || conn.purpose == Purpose::Socket;
        let (was_last, stays) = (client.conns.is_empty(), client.stays);
        match (was_last, stays) {
            (true, true) => drop(self.absent.insert((now_ms, conn.client.clone()))),
            (true, false) => drop(self.clients.remove(&conn.client)),
            (false, _) => {}
        }
        Some((conn, was_last))
    }

    pub fn bot(&self, id: &BotId) -> Option<&Bot> {
        self.bots.get(id)
    }

    pub fn bot_mut(&mut self, id: &BotId) -> Option<&mut Bot> {
        self.bots.get_mut(id)
    }

    pub fn bots(&self) -> &BTreeMap<BotId, Bot> {
        &self.bots
    }

    pub fn insert_bot(&mut self, bot: Bot) {
        self.bots.insert(bot.info.id.clone(), bot);
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

    /// What `to` means, for a message from `sender`: a connection, else a known bot, else a known
    /// client id. No targets = known, but nobody is there who hears it. Absent = never seen, or
    /// forgotten.
    pub fn resolve(&self, envelope: &Envelope, sender: ConnKey) -> Option<Resolved> {
        let to = &envelope.to;
        let hears = |key: &&ConnKey| {
            let conn = self.connections.get(key);
            conn.is_some_and(|conn| conn.hears(envelope))
        };
        if to.is_connection() {
            let key = self.by_id.get(to.as_str())?;
            return Some(Resolved {
                kind: Kind::Connection,
                targets: [key].into_iter().filter(hears).copied().collect(),
            });
        }
        if let Some(bot) = self.bots.get(to.as_str()) {
            return Some(Resolved {
                kind: Kind::Bot,
                targets: bot.home.into_iter().collect(),
            });
        }
        let client = self.clients.get(to.as_str())?;
        let is_device = |key: &&ConnKey| {
            let conn = self.connections.get(key);
            **key != sender && conn.is_some_and(|conn| conn.named || conn.bots.is_empty())
        };
        let devices = client.conns.iter().filter(is_device);
        Some(Resolved {
            kind: Kind::Client,
            targets: devices.filter(hears).copied().collect(),
        })
    }

    /// Forgets bots that went offline, and clients that left, before a time.
    pub fn forget_before(&mut self, then_ms: Millis) {
        self.bots
            .retain(|_, bot| bot.home.is_some() || bot.info.since >= then_ms);
        while let Some((seen_ms, id)) = self.absent.pop_first() {
            if seen_ms >= then_ms {
                self.absent.insert((seen_ms, id));
                return;
            }
            self.clients.remove(&id);
        }
    }
}
