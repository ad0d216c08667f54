//! The store and the ways between nodes, on Redis: one server, behind sentinels, or a Cluster.
//!
//! ```text
//!  Redis ── Session ── Shard (one a master) ── commands   scripts          \
//!    │         │                            ── publisher  PUBLISH           > hot path
//!    │         │                            ── listener   subscriptions    /
//!    │         └─ replaced as a whole       ── admin      a pool, for the rest
//!    └─ supervise: what fails is found again
//! ```
//!
//! Nothing is repeated by itself. A command that was sent and not answered is `Lost`; one that was
//! not sent, or that Redis refused, is `Refused(store_unavailable)`.

mod admin;
mod ask;
mod dial;
mod end;
mod error;
mod find;
mod inbound;
mod listen;
mod nodes;
mod pages;
mod publish;
mod replies;
mod server;
mod session;
mod supervise;
mod tls;
mod turns;
mod url;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use protocol::{BootId, Secret, TenantId};
use redis::Value;
use router_core::store::nodes::{NodeAsk, NodeReply};
use router_core::store::{
    DirectoryCaps, DirectoryQuery, StoreFailure, StoreQuery, StoreReply, StoreRequest, StoreResult,
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use self::dial::Dialer;
use self::error::Fail;
use self::inbound::Intake;
use self::pages::Page;
use self::session::Session;
use self::turns::Turns;
use self::url::Kind;
use crate::State;
use crate::bounds;
use crate::keys::Keys;

pub use self::error::ConnectError;
pub use self::inbound::Inbound;
pub use self::url::Address;

/// How long an answer may take.
const RESPONSE: Duration = Duration::from_millis(500);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(1);
/// Messages that wait for the node. Full, the connection is not read.
const INBOUND: usize = 1024;

/// Where Redis is and how to use it.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// `redis://`, `redis+sentinel://` or `redis+cluster://`, or with `rediss` for TLS.
    pub url: Secret<String>,
    /// What all keys and channels begin with: 1-64 of `[A-Za-z0-9._:-]`. It separates two clusters
    /// on one Redis, as does another database.
    pub prefix: String,
    /// Believe whatever certificate a `rediss` server shows.
    pub insecure: bool,
    /// Whose time counts.
    pub clock: Clock,
}

/// Whose time the store goes by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Clock {
    /// Redis's own, which is one for all nodes.
    #[default]
    Server,
    /// That in the request. For comparisons with the model.
    Asker,
}

/// What never changes.
struct Place {
    kind: Kind,
    addresses: Vec<Address>,
    dialer: Dialer,
    /// For sentinels, which have no databases: as nobody, since most have no password and then
    /// refuse any; and with the login.
    sentinels: [Dialer; 2],
    insecure: bool,
    clock: Clock,
}

/// What is to be subscribed, in whatever session.
#[derive(Default)]
struct Wanted {
    tenants: BTreeSet<TenantId>,
    boots: BTreeSet<BootId>,
}

struct Inner {
    place: Place,
    intake: Arc<Intake>,
    wanted: Mutex<Wanted>,
    turns: Turns,
    session: ArcSwapOption<Session>,
}

/// A node's Redis. Dropped, it closes all connections.
pub struct Redis {
    inner: Arc<Inner>,
    inbound: Mutex<Option<mpsc::Receiver<Inbound>>>,
    _supervisor: AbortOnDropHandle<()>,
}

impl Redis {
    /// Whether this is the URL of a Redis, without asking it. Errors: [`ConnectError::Url`], which
    /// names no credential.
    pub fn check_url(url: &str) -> Result<(), ConnectError> {
        url::parse(url).map(drop)
    }

    /// Connects. Errors: at once, whatever is in the way; whether to try again is the caller's.
    pub async fn connect(config: RedisConfig) -> Result<Self, ConnectError> {
        let place = Place::read(&config)?;
        let keys = Keys::new(&config.prefix, place.dialer.database).ok_or(ConnectError::Prefix)?;
        let (sender, inbound) = mpsc::channel(INBOUND);
        let intake = Arc::new(Intake::new(keys, sender));
        let session = Arc::new(Session::open(&place, &intake, &[]).await?);
        let inner = Arc::new(Inner {
            place,
            intake,
            wanted: Mutex::default(),
            turns: Turns::default(),
            session: ArcSwapOption::new(Some(session.clone())),
        });
        inner.compare_clocks(&session).await;
        let supervisor = tokio::spawn(supervise::supervise(inner.clone(), session));
        Ok(Self {
            inner,
            inbound: Mutex::new(Some(inbound)),
            _supervisor: AbortOnDropHandle::new(supervisor),
        })
    }

    /// Asks for a tenant. One tenant's requests are executed in the order of the calls (of their
    /// first polls). `Load` subscribes before it reads; `Lost` and `Refused` as the module says.
    pub async fn execute(&self, request: &StoreRequest) -> StoreResult {
        let reply = self.inner.ask(request).await;
        reply.map_err(|fail| match fail {
            Fail::Lost | Fail::Misread => StoreFailure::Lost,
            Fail::Refused(code) => StoreFailure::Refused(code),
        })
    }

    /// Asks about nodes.
    pub async fn execute_node(&self, ask: &NodeAsk) -> NodeReply {
        let answer = self.inner.ask_node(ask).await;
        if let NodeAsk::Beat { .. } = ask {
            let is_misread = matches!(answer, Err(Fail::Misread));
            let misread = &self.inner.intake.counters.misread_nodes;
            misread.store(is_misread, Relaxed);
        }
        answer.unwrap_or(NodeReply::Unavailable)
    }

    /// Publishes a packet to a node. Errors: it may have been published or not.
    pub async fn publish(&self, boot: BootId, packet: &Bytes) -> Result<(), ()> {
        let session = self.inner.session.load_full().ok_or(())?;
        let inbox = self.inner.intake.keys.inbox(boot);
        session.publish(&inbox, packet).await
    }

    /// Publishes a probe to the node itself, over every connection that listens; it comes back as
    /// [`Inbound::Probe`]. Errors: it may not.
    pub async fn probe(&self, boot: BootId, number: u64) -> Result<(), ()> {
        let session = self.inner.session.load_full().ok_or(())?;
        session.probe(boot, number).await
    }

    /// Subscribes a node's inbox, now and after every outage. Errors: not yet; it is before the next
    /// [`Inbound::LinkUp`].
    pub async fn subscribe_node(&self, boot: BootId) -> Result<(), ()> {
        self.inner.wanted().boots.insert(boot);
        let session = self.inner.session.load_full().ok_or(())?;
        let subscribed = session.subscribe(session.node_channels(boot)).await;
        subscribed.inspect_err(|()| session.end.because("a subscription was not confirmed"))
    }

    /// Ends [`Self::subscribe_node`].
    pub fn unsubscribe_node(&self, boot: BootId) {
        self.inner.wanted().boots.remove(&boot);
        if let Some(session) = self.inner.session.load_full() {
            session.unsubscribe(session.node_channels(boot));
        }
    }

    /// Ends what `Load` subscribed.
    pub fn unload(&self, tenant: &TenantId) {
        self.inner.wanted().tenants.remove(tenant);
        if let Some(session) = self.inner.session.load_full() {
            session.unsubscribe(vec![self.inner.intake.keys.events(tenant)]);
        }
    }

    /// What arrives, for the one task that takes it; `None` the second time.
    pub fn inbound(&self) -> Option<mpsc::Receiver<Inbound>> {
        let mut inbound = self.inbound.lock().unwrap_or_else(PoisonError::into_inner);
        inbound.take()
    }

    /// Ends the present connections, if there are any, and makes new ones after the usual wait.
    pub fn renew(&self) {
        if let Some(session) = self.inner.session.load_full() {
            session.end.because("probes did not come back");
        }
    }

    /// Compares the clocks: this machine's time less the server's, milliseconds. `None`: there is no
    /// answer in time.
    pub async fn clock_skew(&self) -> Option<i64> {
        let session = self.inner.session.load_full()?;
        self.inner.compare_clocks(&session).await
    }

    /// What operators are shown.
    pub fn state(&self) -> State {
        let session = self.inner.session.load_full();
        let counters = &self.inner.intake.counters;
        State {
            kind: match &self.inner.place.kind {
                Kind::Single => "redis",
                Kind::Sentinel { .. } => "redis+sentinel",
                Kind::Cluster => "redis+cluster",
            },
            connected: session.is_some(),
            reconnects: counters.reconnects.load(Relaxed),
            skipped_records: counters.skipped.load(Relaxed),
            full_waits: counters.full_waits.load(Relaxed),
            misread_nodes: counters.misread_nodes.load(Relaxed),
            last_error: counters.last_error(),
            version: session.as_ref().map(|it| it.server.version.clone()),
            persistent: session.as_ref().map(|it| it.server.persistent),
            evicts: session.as_ref().map(|it| it.server.evicts),
        }
    }
}

impl Inner {
    async fn ask(&self, request: &StoreRequest) -> Result<StoreReply, Fail> {
        let keys = &self.intake.keys;
        let directory = match &request.query {
            StoreQuery::Directory(directory) => Some(&directory.query),
            StoreQuery::Policy(_) => None,
        };
        let loads = matches!(directory, Some(DirectoryQuery::Load { .. }));
        let place = self.turns.stand(&request.tenant, loads);
        if loads {
            // Before it waits: an `unload` that comes meanwhile is later than this.
            self.wanted().tenants.insert(request.tenant.clone());
        }
        let _turn = place.turn().await;
        let session = self.session.load_full().ok_or(Fail::UNAVAILABLE)?;
        if loads {
            let events = vec![keys.events(&request.tenant)];
            let subscribed = session.subscribe(events.clone()).await;
            subscribed.map_err(|()| Fail::UNAVAILABLE)?;
            if !self.wanted().tenants.contains(&request.tenant) {
                session.unsubscribe(events);
            }
        }
        match directory {
            Some(DirectoryQuery::Load { .. }) => self.load(&session, request).await,
            Some(DirectoryQuery::Reap { .. }) => self.reap(&session, request).await,
            Some(
                DirectoryQuery::Version
                | DirectoryQuery::Enter { .. }
                | DirectoryQuery::Claim(_)
                | DirectoryQuery::Assert(_)
                | DirectoryQuery::Release(_)
                | DirectoryQuery::Forget { .. },
            )
            | None => {
                let value = self.step(&session, request, &Page::first()).await?;
                let reply = ask::reply(&request.query, value);
                reply.ok_or_else(|| self.misread(&request.tenant))?
            }
        }
    }

    /// Runs a tenant's script.
    async fn step(
        &self,
        session: &Session,
        request: &StoreRequest,
        page: &Page,
    ) -> Result<Value, Fail> {
        let keys = &self.intake.keys;
        let mut call = ask::call(&request.query, page);
        let (known_ver, caps) = match &request.query {
            StoreQuery::Directory(request) => (request.known_ver, request.caps),
            StoreQuery::Policy(request) => (request.known_ver, DirectoryCaps::NONE),
        };
        let now_ms = match self.place.clock {
            Clock::Server => 0,
            Clock::Asker => request.now_ms,
        };
        call.args.extend([
            caps.clients.to_string(),
            caps.entries.to_string(),
            keys.events(&request.tenant),
            session.publish.to_owned(),
            known_ver.to_string(),
            now_ms.to_string(),
        ]);
        let keys = keys.tenant(&request.tenant, call.keys);
        session.run(call.script, &keys, &call.args).await
    }

    /// An answer of a tenant's script that is none: somebody else wrote what it is made of.
    fn misread(&self, tenant: &TenantId) -> Fail {
        let problem = format!("an answer about the tenant {tenant} was not understood");
        self.intake.counters.misread(problem);
        Fail::Misread
    }

    async fn ask_node(&self, ask: &NodeAsk) -> Result<NodeReply, Fail> {
        let session = self.session.load_full().ok_or(Fail::UNAVAILABLE)?;
        let (key, value) = match nodes::way(&self.intake.keys, ask) {
            nodes::Way::Script(nodes::Call { script, key, args }) => {
                let keys = [key];
                let value = session.run(script, &keys, &args).await?;
                let [key] = keys;
                (key, value)
            }
            nodes::Way::Read(key) => {
                let value = session.read(&key).await.map_err(|_| Fail::UNAVAILABLE)?;
                (key, value)
            }
        };
        let counters = &self.intake.counters;
        let Some(answer) = nodes::answer(ask, value) else {
            counters.misread(format!("the key {key} was not understood"));
            return Err(Fail::Misread);
        };
        if answer.repaired {
            let problem = format!("the field generation of {key} was no number: repaired");
            counters.misread(problem);
        }
        if answer.skipped > 0 {
            counters.skipped.fetch_add(answer.skipped, Relaxed);
            counters.misread(format!("fields of {key} that are no node are passed over"));
        }
        Ok(answer.reply)
    }

    /// `None`: there is no answer in time.
    async fn compare_clocks(&self, session: &Session) -> Option<i64> {
        let asked_ms = bounds::unix_ms();
        let server_ms = session.time().await.ok()?;
        let answered_ms = bounds::unix_ms();
        Some(self.intake.clock.compare(asked_ms, server_ms, answered_ms))
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// How messages are published.
    fn publish(&self) -> &'static str {
        match self.kind {
            Kind::Single | Kind::Sentinel { .. } => "PUBLISH",
            Kind::Cluster => "SPUBLISH",
        }
    }

    fn read(config: &RedisConfig) -> Result<Self, ConnectError> {
        let target = url::parse(config.url.reveal())?;
        let tls = match target.tls {
            true => {
                tls::install_provider();
                Some(tls::config(config.insecure)?)
            }
            false => None,
        };
        let dialer = Dialer {
            login: target.login,
            database: target.database,
            tls,
        };
        let sentinels = [url::NOBODY, dialer.login.clone()].map(|login| Dialer {
            login,
            database: 0,
            tls: dialer.tls.clone(),
        });
        Ok(Self {
            kind: target.kind,
            addresses: target.addresses,
            dialer,
            sentinels,
            insecure: config.insecure,
            clock: config.clock,
        })
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}
