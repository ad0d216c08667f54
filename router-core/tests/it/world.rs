//! A node without sockets: sessions, one shard and the store's model under a virtual clock.
//!
//! It performs effects as the shell does: a shard's in order, each receipt settled at once; words
//! to sessions after the shard's effects; a close behind the frames that are queued. Frames come in
//! as JSON text. It is no shell: a queue here is a count that a test may fill, answers always fit
//! in it, and the store answers when it is told to.
//!
//! Every effect of a shard is checked for ISO-1: it must belong to the tenant of its input.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use protocol::{CloseCode, ErrorCode, Secret, TenantId};
use router_core::auth::{Attempt, AuthError, Credential, Keyring, Throttle};
use router_core::effect::{Class, Fact, Outbound, Outcome, Receipt, Ticket};
use router_core::ids::HashKeys;
use router_core::session::{Input as SessionInput, Opened};
use router_core::shard::Input as ShardInput;
use router_core::store::{self, Ask, Model, Reply};
use router_core::{ConnKey, Effect, Effects, Env, Millis, Session, Settings, Shard};

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
    Frame(ConnKey, Outbound),
    /// The peer was pinged.
    Ping(ConnKey),
    /// The socket was closed behind its queue.
    Closed(ConnKey, CloseCode),
}

impl Event {
    /// Whose socket.
    pub fn conn(&self) -> ConnKey {
        match self {
            Event::Fed(conn, _)
            | Event::Frame(conn, _)
            | Event::Ping(conn)
            | Event::Closed(conn, _) => *conn,
        }
    }
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
    /// Whether it is open.
    pub open: bool,
    pub closed: Option<CloseCode>,
    /// How much of the log a test has taken from it.
    pub taken: usize,
    source: String,
    side: u8,
    inbox: VecDeque<Bytes>,
    handled: u64,
}

enum Work {
    Session(ConnKey, SessionInput),
    NextFrame(ConnKey),
}

/// The node.
pub struct World {
    pub now_ms: Millis,
    pub settings: Arc<Settings>,
    pub shard: Shard,
    pub model: Model,
    pub conns: BTreeMap<ConnKey, Conn>,
    pub log: Vec<Event>,
    pub facts: Vec<Fact>,
    /// Whether the store answers at once; else when [`World::answer`] says.
    pub prompt: bool,
    pub asks: BTreeMap<TenantId, VecDeque<(Ticket, store::Request)>>,
    throttle: Throttle,
    work: VecDeque<Work>,
}

impl World {
    pub fn new(settings: Settings) -> Self {
        Self {
            now_ms: START_MS,
            settings: Arc::new(settings),
            shard: Shard::new(HashKeys(1, 2)),
            model: Model::new(1 << 30),
            conns: BTreeMap::new(),
            log: Vec::new(),
            facts: Vec::new(),
            prompt: true,
            asks: BTreeMap::new(),
            throttle: Throttle::default(),
            work: VecDeque::new(),
        }
    }

    /// A socket opens. `side` 1 gets ids with the canary, and a source of its own.
    pub fn open(&mut self, key: ConnKey, side: u8, opened: Opened) {
        let settings = Arc::clone(&self.settings);
        let env = Env {
            now_ms: self.now_ms,
            entropy: entropy(side, key, 0),
            settings: &settings,
        };
        let conn = Conn {
            session: Session::new(key, &env),
            tenant: None,
            capacity: usize::MAX,
            unread: 0,
            open: true,
            closed: None,
            taken: 0,
            source: format!("10.0.0.{side}"),
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

    /// Anything else happens to a session.
    pub fn input(&mut self, key: ConnKey, input: SessionInput) {
        self.work.push_back(Work::Session(key, input));
        self.run();
    }

    /// The peer is gone.
    pub fn drop_conn(&mut self, key: ConnKey) {
        self.conns.get_mut(&key).expect("it was opened").open = false;
        self.input(key, SessionInput::Gone);
    }

    /// The peer reads all that is queued for it.
    pub fn read(&mut self, key: ConnKey) {
        self.conns.get_mut(&key).expect("it was opened").unread = 0;
    }

    /// The store answers a tenant's oldest question, or refuses it.
    pub fn answer(&mut self, tenant: &TenantId, refuse: bool) {
        let Some((ticket, request)) = self.asks.get_mut(tenant).and_then(VecDeque::pop_front)
        else {
            return;
        };
        let reply = if refuse {
            Reply::Refused(ErrorCode::StoreUnavailable)
        } else {
            self.model.execute(request)
        };
        self.shard(ShardInput::Reply { ticket, reply });
        self.run();
    }

    /// An operator revokes, suspends or resumes.
    pub fn policy(&mut self, tenant: &TenantId, ask: Ask) {
        let (tenant, now_ms) = (tenant.clone(), self.now_ms);
        let request = store::Request {
            tenant: tenant.clone(),
            ask,
            now_ms,
        };
        let Reply::Policy(policy) = self.model.execute(request) else {
            panic!("the store answers a policy with a policy")
        };
        self.shard(ShardInput::Policy { tenant, policy });
        self.run();
    }

    /// What the store knows of a tenant.
    pub fn snapshot(&mut self, tenant: &TenantId) -> store::Snapshot {
        let request = store::Request {
            tenant: tenant.clone(),
            ask: Ask::Load,
            now_ms: self.now_ms,
        };
        let Reply::Loaded(snapshot) = self.model.execute(request) else {
            panic!("the store answers a load with a snapshot")
        };
        snapshot
    }

    /// Time passes; whoever wants to be woken meanwhile is, at that very moment.
    pub fn pass(&mut self, ms: Millis) {
        let until_ms = self.now_ms + ms;
        while let Some(due_ms) = self.next_wakeup().filter(|due_ms| *due_ms <= until_ms) {
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

    fn run(&mut self) {
        loop {
            while let Some(work) = self.work.pop_front() {
                match work {
                    Work::Session(key, input) => self.session(key, input),
                    Work::NextFrame(key) => self.next_frame(key),
                }
            }
            let asked = self.asks.iter().find(|(_, asks)| !asks.is_empty());
            match asked.map(|(tenant, _)| tenant.clone()) {
                Some(tenant) if self.prompt => self.answer(&tenant, false),
                Some(_) | None => return,
            }
        }
    }

    fn next_frame(&mut self, key: ConnKey) {
        let conn = self.conns.get_mut(&key).expect("it was opened");
        if conn.session.is_waiting() || !conn.open {
            return;
        }
        if let Some(text) = conn.inbox.pop_front() {
            self.log.push(Event::Fed(key, text.clone()));
            self.session(key, SessionInput::Text(text));
        }
    }

    fn session(&mut self, key: ConnKey, input: SessionInput) {
        let settings = Arc::clone(&self.settings);
        let conn = self.conns.get_mut(&key).expect("it was opened");
        conn.handled += 1;
        let env = Env {
            now_ms: self.now_ms,
            entropy: entropy(conn.side, key, conn.handled),
            settings: &settings,
        };
        let mut fx = Effects::default();
        conn.session.handle(&env, input, &mut fx);
        while let Some(effect) = fx.pop() {
            match effect {
                Effect::Verify(credential) => {
                    let verdict = self.verify(key, &credential);
                    let input = SessionInput::Verified(verdict);
                    self.work.push_back(Work::Session(key, input));
                }
                Effect::Join(join) => {
                    let tenant = Some(join.tenant().clone());
                    self.conns.get_mut(&key).expect("it was opened").tenant = tenant;
                    self.shard(ShardInput::Join(join));
                }
                Effect::Route(route) => self.shard(ShardInput::Route(route)),
                Effect::Request(request) => self.shard(ShardInput::Request(request)),
                Effect::Leave(leave) => self.shard(ShardInput::Leave(leave)),
                Effect::Ping => self.log.push(Event::Ping(key)),
                Effect::Deliver {
                    receipt,
                    conn,
                    frame,
                } => {
                    assert_eq!(
                        (conn, &receipt),
                        (key, &None),
                        "a session speaks to its own"
                    );
                    self.push(conn, &receipt, frame);
                }
                Effect::Close { conn, close } => self.close(conn, close),
                Effect::Note(fact) => self.facts.push(fact),
                Effect::Ask { .. } | Effect::Tell { .. } => panic!("a tenant's effect"),
            }
        }
        if !self.conns[&key].inbox.is_empty() {
            self.work.push_back(Work::NextFrame(key));
        }
    }

    fn verify(
        &mut self,
        key: ConnKey,
        credential: &Credential,
    ) -> Result<router_core::permit::Grant, AuthError> {
        let attempt = Attempt {
            source: self.conns[&key].source.as_str().into(),
            claimed: credential.claimed(),
        };
        let throttled = self.throttle.check(&attempt, self.now_ms);
        throttled.map_err(|retry_after_ms| AuthError::Throttled { retry_after_ms })?;
        let verdict = KEYRING.verify(credential, self.now_ms);
        if verdict.is_err() {
            self.throttle.fail(attempt, self.now_ms);
        }
        verdict.map(|verified| verified.grant)
    }

    /// The critical section of the shard.
    fn shard(&mut self, input: ShardInput) {
        let settings = Arc::clone(&self.settings);
        let env = Env {
            now_ms: self.now_ms,
            entropy: 0,
            settings: &settings,
        };
        let mut owner = tenant_of(&input);
        let mut fx = Effects::default();
        self.shard.handle(&env, input, &mut fx);
        while let Some(effect) = fx.pop() {
            if let Some(tenant) = self.addressee(&effect) {
                let owner = owner.get_or_insert_with(|| tenant.clone());
                assert_eq!(*owner, tenant, "ISO-1: an effect for another tenant");
            }
            match effect {
                Effect::Deliver {
                    receipt,
                    conn,
                    frame,
                } => {
                    let outcome = self.push(conn, &receipt, frame);
                    if let Some(receipt) = receipt {
                        self.shard.settled(&env, receipt, outcome, &mut fx);
                    }
                }
                Effect::Ask { ticket, request } => {
                    let asks = self.asks.entry(ticket.tenant.clone()).or_default();
                    asks.push_back((ticket, request));
                }
                Effect::Tell { conn, notice } => {
                    let input = SessionInput::Notice(notice);
                    self.work.push_back(Work::Session(conn, input));
                }
                Effect::Close { conn, close } => self.close(conn, close),
                Effect::Note(fact) => self.facts.push(fact),
                Effect::Verify(_)
                | Effect::Join(_)
                | Effect::Route(_)
                | Effect::Request(_)
                | Effect::Leave(_)
                | Effect::Ping => panic!("a session's effect"),
            }
        }
    }

    fn addressee(&self, effect: &Effect) -> Option<TenantId> {
        match effect {
            Effect::Deliver { conn, .. }
            | Effect::Tell { conn, .. }
            | Effect::Close { conn, .. } => self.conns[conn].tenant.clone(),
            Effect::Ask { ticket, request } => {
                assert_eq!(
                    ticket.tenant, request.tenant,
                    "ISO-1: a ticket is its asker's"
                );
                Some(request.tenant.clone())
            }
            Effect::Verify(_)
            | Effect::Join(_)
            | Effect::Route(_)
            | Effect::Request(_)
            | Effect::Leave(_)
            | Effect::Ping
            | Effect::Note(_) => None,
        }
    }

    fn push(&mut self, key: ConnKey, receipt: &Option<Receipt>, frame: Outbound) -> Outcome {
        let conn = self.conns.get_mut(&key).expect("it was opened");
        if !conn.open {
            return Outcome::Gone;
        }
        let best_effort = matches!(frame.class, Class::Partial { .. });
        if receipt.is_some() || best_effort {
            if conn.unread >= conn.capacity {
                return Outcome::Full;
            }
            conn.unread += 1;
        }
        self.log.push(Event::Frame(key, frame));
        Outcome::Queued
    }

    fn close(&mut self, key: ConnKey, close: CloseCode) {
        let conn = self.conns.get_mut(&key).expect("it was opened");
        if conn.open {
            conn.open = false;
            conn.closed = Some(close);
            self.log.push(Event::Closed(key, close));
            self.work.push_back(Work::Session(key, SessionInput::Gone));
        }
    }
}

fn tenant_of(input: &ShardInput) -> Option<TenantId> {
    match input {
        ShardInput::Join(join) => Some(join.tenant().clone()),
        ShardInput::Leave(leave) => Some(leave.tenant.clone()),
        ShardInput::Route(route) => Some(route.tenant().clone()),
        ShardInput::Request(request) => Some(request.tenant().clone()),
        ShardInput::Reply { ticket, .. } => Some(ticket.tenant.clone()),
        ShardInput::Policy { tenant, .. } => Some(tenant.clone()),
        ShardInput::Wake => None,
    }
}

/// Fresh bits that depend on the socket alone. Those of side 1 end as the canary in a ULID, those
/// of other sides never contain it.
fn entropy(side: u8, ConnKey(key): ConnKey, handled: u64) -> u128 {
    const CROCKFORD: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let digit = |c| CROCKFORD.find(c).expect("the canary is base 32") as u128;
    let canary = CANARY.chars().fold(0, |bits, c| bits << 5 | digit(c));
    let tail = if side == 1 { canary } else { 0 };
    let jitter = u128::from(handled % 4) << 30;
    u128::from(key) << 55 | u128::from(handled) << 35 | jitter | tail
}
