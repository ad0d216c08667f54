//! A node without sockets: sessions, one shard and the store's model under a virtual clock.
//!
//! Frames come in as JSON text; `perform.rs` performs effects as the shell does. It is no shell: a
//! queue here is a count that a test may fill, answers always fit in it, and the store answers when
//! it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use protocol::lane::Verdict;
use protocol::request::ClientRequest;
use protocol::t2b::decode;
use protocol::{BootId, CloseCode, ErrorCode, OutboundKind, Secret, TenantId};
use router_core::auth::{FailureThrottle, Keyring, Source};
use router_core::effect::{RouterFact, Ticket};
use router_core::ids::HashKeys;
use router_core::lane::Parcel;
use router_core::session::{CallRequest, OpenedConnection, SessionInput};
use router_core::shard::ShardInput;
use router_core::store::{
    self, DirectoryQuery, DirectoryReply, Model, PolicyQuery, PolicyReply, StoreFailure,
    StoreReply, StoreRequest, StoreResult,
};
use router_core::{ConnKey, Env, Millis, NodeView, Session, Settings, Shard};

/// When every world begins, Unix milliseconds.
pub const START_MS: Millis = 1_763_695_000_000;
/// What all of the second tenant's texts and ids carry, and nobody else's.
pub const CANARY: &str = "ZQBXW7";

/// The gateway's secret.
pub static KEYRING: LazyLock<Keyring> = LazyLock::new(|| {
    let secret = Secret::new("0123456789abcdefghijklmnopqrstuvwxyz".to_owned());
    Keyring::new(&[secret]).unwrap()
});

/// Something a peer could see, in the order it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A text frame of the peer was handed to its session.
    Fed(ConnKey, Bytes),
    /// A frame was put into the peer's queue.
    Frame(ConnKey, Frame),
    /// The peer was pinged.
    Ping(ConnKey),
    /// The socket was closed behind its queue.
    Closed(ConnKey, CloseCode),
    /// The peer went.
    Gone(ConnKey),
}

impl Event {
    /// Whose socket.
    pub fn conn(&self) -> ConnKey {
        match self {
            Event::Fed(conn, _)
            | Event::Frame(conn, _)
            | Event::Ping(conn)
            | Event::Closed(conn, _)
            | Event::Gone(conn) => *conn,
        }
    }
}

/// A frame as its socket gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub text: Bytes,
    pub kind: OutboundKind,
}

/// One socket.
pub struct Conn {
    pub session: Session,
    /// Its tenant, once it asked to join one.
    pub tenant: Option<TenantId>,
    /// Frames that its queue takes before it is full.
    pub capacity: usize,
    /// Frames in its queue.
    pub unread: usize,
    /// Frames that were pushed into it, or refused by it.
    pub pushes: usize,
    /// Whether it refused presence, and its tenant is to be told when there is room.
    pub wants_room: bool,
    /// Whether it is open.
    pub open: bool,
    pub closed: Option<CloseCode>,
    /// How much of the log a test has taken from it.
    pub taken: usize,
    pub source: Source,
    pub side: u8,
    pub inbox: VecDeque<Bytes>,
    pub handled: u64,
}

/// What a session is due.
pub enum Work {
    Session(ConnKey, Box<SessionInput>),
    NextFrame(ConnKey),
}

/// The node.
pub struct World {
    pub now_ms: Millis,
    /// The wall clock less that, milliseconds.
    pub wall_ms: i64,
    pub settings: Arc<Settings>,
    /// Which nodes there are.
    pub nodes: Arc<NodeView>,
    /// What went onto lanes, and is not decided.
    pub published: VecDeque<(BootId, Parcel)>,
    /// Tenants whose events need not come.
    pub unloaded: Vec<TenantId>,
    /// What was decided of messages from other nodes.
    pub decided: Vec<Option<Verdict>>,
    pub shard: Shard,
    pub model: Model,
    pub conns: BTreeMap<ConnKey, Conn>,
    pub log: Vec<Event>,
    pub facts: Vec<RouterFact>,
    /// Whether the store answers at once; else when [`World::answer`] says.
    pub prompt: bool,
    pub asks: BTreeMap<TenantId, VecDeque<(Ticket, StoreRequest)>>,
    pub throttle: FailureThrottle,
    pub work: VecDeque<Work>,
}

impl World {
    pub fn new(settings: Settings) -> Self {
        Self {
            now_ms: START_MS,
            wall_ms: 0,
            settings: Arc::new(settings),
            nodes: Arc::new(NodeView::alone(BootId::from_bits(1))),
            published: VecDeque::new(),
            unloaded: Vec::new(),
            decided: Vec::new(),
            shard: Shard::new(HashKeys(1, 2)),
            model: Model::new(1 << 30),
            conns: BTreeMap::new(),
            log: Vec::new(),
            facts: Vec::new(),
            prompt: true,
            asks: BTreeMap::new(),
            throttle: FailureThrottle::default(),
            work: VecDeque::new(),
        }
    }

    /// What the wall clock says.
    pub fn unix_ms(&self) -> Millis {
        self.now_ms.saturating_add_signed(self.wall_ms)
    }

    /// A socket opens. `side` 1 gets ids with the canary, and a source of its own.
    pub fn open(&mut self, key: ConnKey, side: u8, opened: OpenedConnection) {
        let (settings, nodes) = (Arc::clone(&self.settings), Arc::clone(&self.nodes));
        let env = Env {
            now_ms: self.now_ms,
            unix_ms: self.unix_ms(),
            entropy: entropy(side, key, 0),
            settings: &settings,
            nodes: &nodes,
            round_ms: 0,
        };
        let conn = Conn {
            session: Session::new(key, &env),
            tenant: None,
            capacity: usize::MAX,
            unread: 0,
            pushes: 0,
            wants_room: false,
            open: true,
            closed: None,
            taken: 0,
            source: Source::of([10, 0, 0, side].into()),
            side,
            inbox: VecDeque::new(),
            handled: 0,
        };
        assert!(self.conns.insert(key, conn).is_none(), "a key is used once");
        self.input(key, SessionInput::Opened(opened));
    }

    /// A text frame arrives; it waits while the session checks a credential.
    pub fn text(&mut self, key: ConnKey, text: impl Into<Bytes>) {
        let conn = self.conns.get_mut(&key).expect("it was opened");
        if conn.open {
            conn.inbox.push_back(text.into());
            self.work.push_back(Work::NextFrame(key));
            self.run();
        }
    }

    /// Somebody asks over HTTP what the frame of this text would. One that has not joined cannot.
    pub fn call(&mut self, key: ConnKey, text: impl Into<Bytes>) {
        let frame = decode(&text.into()).expect("calls are well formed");
        let call = match frame.request {
            ClientRequest::Send(send) => CallRequest::Send(send),
            ClientRequest::ListBots(list) => CallRequest::List(*list),
            ClientRequest::Subscribe(bot) => CallRequest::Find(bot.bot_id),
            ClientRequest::Auth(_)
            | ClientRequest::RegisterBot(_)
            | ClientRequest::UnregisterBot(_)
            | ClientRequest::Unsubscribe(_)
            | ClientRequest::Status(_)
            | ClientRequest::Later
            | ClientRequest::Ping => unreachable!("no call"),
        };
        if !self.conns[&key].session.is_waiting() {
            self.input(key, SessionInput::Call(call));
        }
    }

    /// Anything else happens to a session.
    pub fn input(&mut self, key: ConnKey, input: SessionInput) {
        self.work.push_back(Work::Session(key, Box::new(input)));
        self.run();
    }

    /// The peer is gone.
    pub fn drop_conn(&mut self, key: ConnKey) {
        self.conns.get_mut(&key).expect("it was opened").open = false;
        self.log.push(Event::Gone(key));
        self.input(key, SessionInput::Gone);
    }

    /// The peer reads all that is queued for it.
    pub fn read(&mut self, key: ConnKey) {
        let conn = self.conns.get_mut(&key).expect("it was opened");
        conn.unread = 0;
        if std::mem::take(&mut conn.wants_room)
            && let Some(tenant) = conn.tenant.clone()
        {
            self.shard(ShardInput::Room { tenant, conn: key });
            self.run();
        }
    }

    /// The peer's queue takes this many frames from now on.
    pub fn set_capacity(&mut self, key: ConnKey, capacity: usize) {
        self.conns.get_mut(&key).expect("it was opened").capacity = capacity;
        if capacity > 0 {
            self.read(key);
        }
    }

    /// The store answers a tenant's oldest question, or refuses it.
    pub fn answer(&mut self, tenant: &TenantId, refuse: bool) {
        self.answer_with(tenant, |model, request| {
            if refuse {
                Err(StoreFailure::Refused(ErrorCode::StoreUnavailable))
            } else {
                model.execute(request).0
            }
        });
    }

    /// A tenant's oldest question gets this answer, true or not.
    pub fn answer_with(
        &mut self,
        tenant: &TenantId,
        reply: impl FnOnce(&mut Model, StoreRequest) -> StoreResult,
    ) {
        let Some((ticket, request)) = self.asks.get_mut(tenant).and_then(VecDeque::pop_front)
        else {
            return;
        };
        let reply = reply(&mut self.model, request);
        self.shard(ShardInput::Reply { ticket, reply });
        self.run();
    }

    /// An operator revokes, suspends or resumes.
    pub fn policy(&mut self, tenant: &TenantId, query: PolicyQuery) {
        let (tenant, now_ms) = (tenant.clone(), self.now_ms);
        let request = StoreRequest {
            tenant: tenant.clone(),
            now_ms,
            query: query.into(),
        };
        let (Ok(StoreReply::Policy(PolicyReply::Changed(policy))), _) = self.model.execute(request)
        else {
            panic!("the store answers a policy with a policy")
        };
        self.shard(ShardInput::Policy { tenant, policy });
        self.run();
    }

    /// An operator changes the settings.
    pub fn reconfigure(&mut self, change: impl FnOnce(&mut Settings)) {
        change(Arc::make_mut(&mut self.settings));
        self.shard(ShardInput::Reconfigured);
        self.run();
    }

    /// Bytes of the frames sent since the log had this length.
    pub fn frame_bytes(&self, from: usize) -> usize {
        let bytes = |event: &Event| match event {
            Event::Frame(_, frame) => frame.text.len(),
            Event::Fed(..) | Event::Ping(_) | Event::Closed(..) | Event::Gone(_) => 0,
        };
        self.log[from..].iter().map(bytes).sum()
    }

    /// What the store knows of a tenant.
    pub fn snapshot(&mut self, tenant: &TenantId) -> store::DirectorySnapshot {
        let dead = Default::default();
        let request = StoreRequest {
            tenant: tenant.clone(),
            now_ms: self.now_ms,
            query: DirectoryQuery::Load { dead }.into(),
        };
        let (reply, _) = self.model.execute(request);
        let Ok(StoreReply::Directory(DirectoryReply::Loaded(snapshot))) = reply else {
            panic!("the store answers a load with a snapshot")
        };
        *snapshot
    }

    /// Time passes; whoever wants to be woken meanwhile is, at that very moment.
    pub fn pass(&mut self, ms: Millis) {
        let until_ms = self.now_ms + ms;
        let mut idle = 0;
        while let Some(due_ms) = self.next_wakeup().filter(|due_ms| *due_ms <= until_ms) {
            idle = if due_ms > self.now_ms { 0 } else { idle + 1 };
            assert!(idle < 1000, "somebody is woken over and over");
            self.now_ms = self.now_ms.max(due_ms);
            let due = |conn: &Conn| self.wakeup_of(conn).is_some_and(|at| at <= self.now_ms);
            let due: Vec<ConnKey> = self
                .conns
                .iter()
                .filter_map(|(key, conn)| due(conn).then_some(*key))
                .collect();
            for key in due {
                self.input(key, SessionInput::Wake);
            }
            while self.shard.next_wakeup().is_some_and(|at| at <= self.now_ms) {
                self.wake_shard();
            }
        }
        self.now_ms = until_ms;
    }

    /// One hold of the shard's lock for whatever is due.
    pub fn wake_shard(&mut self) {
        self.shard(ShardInput::Wake);
        self.run();
    }

    fn wakeup_of(&self, conn: &Conn) -> Option<Millis> {
        let wakeup = conn.session.next_wakeup(self.settings.heartbeat_ms);
        wakeup.filter(|_| conn.open)
    }

    fn next_wakeup(&self) -> Option<Millis> {
        let sessions = self.conns.values().filter_map(|conn| self.wakeup_of(conn));
        sessions.chain(self.shard.next_wakeup()).min()
    }
}

/// Fresh bits that depend on the socket alone. Those of side 1 end as the canary in a ULID, those
/// of other sides never contain it.
pub fn entropy(side: u8, ConnKey(key): ConnKey, handled: u64) -> u128 {
    const CROCKFORD: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let digit = |c| CROCKFORD.find(c).expect("the canary is base 32") as u128;
    let canary = CANARY.chars().fold(0, |bits, c| bits << 5 | digit(c));
    let tail = if side == 1 { canary } else { 0 };
    let jitter = u128::from(handled % 4) << 30;
    u128::from(key) << 55 | u128::from(handled) << 35 | jitter | tail
}
