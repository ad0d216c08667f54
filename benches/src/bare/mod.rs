//! Nodes without a shell: the machines of router-core with the store's model, and nothing around
//! them. What is measured on them is decoding, routing and encoding, no socket, lock, task or clock.
//!
//! ```text
//!  say ─▶ Session ─▶ Shard ─▶ Deliver ─▶ counted, checked, dropped
//!                      └─▶ Publish ─▶ Sender ─────────▶ Receiver ─▶ the other node's Shard
//! ```
//!
//! | file | does |
//! | --- | --- |
//! | `perform.rs` | performs effects |
//! | `lanes.rs` | carries packets between two nodes |
//!
//! Everything runs on the caller's thread and is done when a call returns; what crosses to the
//! other node waits for [`BareCluster::cross`]. It is not the simulation: no time, no faults, no checks of
//! invariants.

mod lanes;
mod perform;

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use protocol::connect::Acks;
use protocol::t2b::decode;
use protocol::{BootId, Limits, Secret, TenantId};
use router_core::auth::{Credential, Keyring};
use router_core::effect::Ticket;
use router_core::ids::{HashKeys, TableKeys};
use router_core::lane::{Receiver, Sender};
use router_core::membership::{NodeView, PeerNode};
use router_core::session::{OpenedConnection, ReceivedMessage, SessionInput};
use router_core::store::{Model, StoreRequest};
use router_core::{ConnKey, Millis, Session, Settings, Shard};

/// As many as a gateway has.
const SHARDS: usize = 32;
/// 2025-11-21, so that times have as many digits as real ones.
const START_MS: Millis = 1_763_700_000_000;
const SECRET: &str = "for-measurements-only-0123456789";
/// The same in each run, so that runs can be compared.
pub(crate) const HASH_KEYS: HashKeys = HashKeys(1, 2);
static TABLE_KEYS: TableKeys = TableKeys::new(HASH_KEYS);
/// No limit of a measurement.
const UNLIMITED: u32 = 1_000_000_000;

/// One or two nodes and their store.
pub(crate) struct BareCluster {
    nodes: Vec<BareNode>,
    world: World,
}

/// What all nodes share.
struct World {
    model: Model,
    settings: Arc<Settings>,
    keyring: Keyring,
    now_ms: Millis,
    entropy: u128,
    /// What sessions and shards are owed once nothing is being handled.
    owed: VecDeque<Owed>,
    delivered: Delivered,
}

enum Owed {
    /// A session's input.
    Told(Socket, Box<SessionInput>),
    /// A question to the store, from a node.
    Asked(usize, Ticket, StoreRequest),
}

/// What came out.
#[derive(Debug, Default)]
pub struct Delivered {
    /// Frames.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The last one, and to whom.
    pub last: Option<(Socket, Bytes)>,
}

/// A node.
struct BareNode {
    view: Arc<NodeView>,
    shards: Vec<Shard>,
    /// By connection key.
    sessions: Vec<BareSession>,
    /// To the other node, and from it.
    sender: Sender,
    receiver: Receiver,
}

struct BareSession {
    session: Session,
    /// Of its tenant, once it has one.
    shard: usize,
}

/// A simulated socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Socket {
    node: usize,
    key: ConnKey,
}

impl BareCluster {
    /// Of one node.
    pub fn of_one() -> Result<Self> {
        Self::new(1)
    }

    /// Of two nodes that know each other.
    pub fn of_two() -> Result<Self> {
        Self::new(2)
    }

    fn new(count: usize) -> Result<Self> {
        let boots: Vec<BootId> = (1..=count)
            .map(|bits| BootId::from_bits(bits as u128))
            .collect();
        let node = |own: &BootId| {
            let mut view = NodeView::alone(*own);
            view.shared = count > 1;
            let others = boots.iter().filter(|boot| *boot != own);
            view.peers = others.map(|boot| (*boot, PeerNode::new(1))).collect();
            let other = boots.iter().find(|boot| *boot != own).unwrap_or(own);
            BareNode {
                shards: (0..SHARDS).map(|_| Shard::new(HASH_KEYS)).collect(),
                sessions: Vec::new(),
                sender: Sender::new(*own, *other, HASH_KEYS),
                receiver: Receiver::default(),
                view: Arc::new(view),
            }
        };
        let secrets = [Secret::new(SECRET.to_owned())];
        let limits = Limits {
            messages_per_second: UNLIMITED,
            messages_burst: UNLIMITED,
            bytes_per_second: UNLIMITED,
            bytes_burst: UNLIMITED,
            frames_per_second: UNLIMITED,
            frames_burst: UNLIMITED,
            ..Limits::default()
        };
        Ok(Self {
            nodes: boots.iter().map(node).collect(),
            world: World {
                model: Model::new(u64::MAX),
                settings: Arc::new(Settings {
                    limits: Arc::new(limits),
                    ..Settings::default()
                }),
                keyring: Keyring::new(&secrets)?,
                now_ms: START_MS,
                entropy: 1,
                owed: VecDeque::new(),
                delivered: Delivered::default(),
            },
        })
    }

    /// Opens a socket on a node, with an owner's key and a client id of its own.
    pub fn connect(
        &mut self,
        node: usize,
        owner: &TenantId,
        client: &str,
        acks: Acks,
    ) -> Result<Socket> {
        let credential = Credential::ApiKey(self.world.keyring.issue_key(owner, 0));
        let bare = self.nodes.get_mut(node).context("no such node")?;
        let key = ConnKey(bare.sessions.len() as u64);
        let env = self.world.env(&self.world.settings, &bare.view);
        let session = Session::new(key, &env);
        bare.sessions.push(BareSession { session, shard: 0 });
        let socket = Socket { node, key };
        let opened = OpenedConnection {
            credential: Some(credential),
            client: Some(client.to_owned()),
            acks,
            ..OpenedConnection::default()
        };
        self.input(socket, SessionInput::Opened(opened));
        let waiting = self.nodes[node].sessions[key.0 as usize]
            .session
            .is_waiting();
        ensure!(!waiting, "{client} of {owner} does not get in");
        Ok(socket)
    }

    /// Makes a socket the home of a bot.
    pub fn register(&mut self, socket: Socket, bot: &str) -> Result<()> {
        let frame = format!(r#"{{"type":"register_bot","data":{{"botId":"{bot}"}}}}"#);
        self.say(socket, Bytes::from(frame));
        let (to, answer) = self.world.delivered.last.as_ref().context("no answer")?;
        let text = String::from_utf8_lossy(answer);
        ensure!(
            *to == socket && text.contains("bot_registered"),
            "{bot}: {text}"
        );
        Ok(())
    }

    /// A frame from a socket.
    pub fn say(&mut self, socket: Socket, text: Bytes) {
        let received = ReceivedMessage {
            bytes: text.len(),
            frame: decode(&text),
        };
        self.input(socket, SessionInput::Received(received));
    }

    /// Time goes on.
    pub fn pass(&mut self, milliseconds: Millis) {
        self.world.now_ms += milliseconds;
    }

    /// What came out so far.
    pub fn delivered(&self) -> &Delivered {
        &self.world.delivered
    }
}

/// As a gateway chooses: by another part of the hash than the shard's own map uses.
fn shard_of(tenant: &TenantId) -> usize {
    (TABLE_KEYS.hash(tenant) >> 32) as usize % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = r#"{"type":"message","data":{"to":"bot","text":"hello"}}"#;

    fn pair(cluster: &mut BareCluster, bots: usize) -> (Socket, Socket) {
        let owner = TenantId::parse("alice").unwrap();
        let bot = cluster
            .connect(bots, &owner, "process", Acks::Errors)
            .unwrap();
        cluster.register(bot, "bot").unwrap();
        let client = cluster.connect(0, &owner, "phone", Acks::Errors).unwrap();
        (client, bot)
    }

    fn last(cluster: &BareCluster) -> (Socket, String) {
        let (to, text) = cluster.delivered().last.clone().unwrap();
        (to, String::from_utf8(text.to_vec()).unwrap())
    }

    #[test]
    fn a_message_reaches_a_bot_and_its_answer_the_client() {
        let mut cluster = BareCluster::of_one().unwrap();
        let (client, bot) = pair(&mut cluster, 0);
        let before = cluster.delivered().frames;
        cluster.say(client, Bytes::from_static(HELLO.as_bytes()));
        let (to, text) = last(&cluster);
        assert!(to == bot && text.contains(r#""text":"hello""#), "{text}");
        let answer = r#"{"type":"message","data":{"to":"phone","from":"bot","text":"hi"}}"#;
        cluster.say(bot, Bytes::from_static(answer.as_bytes()));
        let (to, text) = last(&cluster);
        assert!(to == client && text.contains(r#""text":"hi""#), "{text}");
        assert_eq!(cluster.delivered().frames, before + 2);
    }

    #[test]
    fn a_message_crosses_to_the_other_node() {
        let mut cluster = BareCluster::of_two().unwrap();
        let (client, bot) = pair(&mut cluster, 1);
        let before = cluster.delivered().frames;
        for _ in 0..3 {
            cluster.say(client, Bytes::from_static(HELLO.as_bytes()));
        }
        assert_eq!(cluster.delivered().frames, before);
        assert_eq!(cluster.cross(0).unwrap(), 3);
        let (to, text) = last(&cluster);
        assert!(to == bot && text.contains(r#""text":"hello""#), "{text}");
        assert_eq!(cluster.delivered().frames, before + 3);
        assert_eq!(cluster.cross(0).unwrap(), 0, "all was acknowledged");
    }
}
