//! The store and the ways between nodes, on Redis: one server, behind sentinels, or a Cluster.
//!
//! ```text
//!  features ─ RedisShared ─ RedisSession ─ MasterLinks (one a master) ─ commands   scripts          \
//!                  │             │                                    ─ publisher  PUBLISH           > hot path
//!                  │             │                                    ─ listener   subscriptions    /
//!                  │             └─ replaced as a whole               ─ admin      a pool, for the rest
//!                  └─ supervise: connects again after a failure
//! ```
//!
//! | folder | has |
//! | --- | --- |
//! | `topology/` | the URL, and who the masters are |
//! | `pool/` | connections to one server |
//! | `pubsub/` | messages out and in |
//! | `session/` | all connections of one time of health |
//!
//! Nothing is repeated by itself. A command that was sent and not answered is `Lost`; one that was
//! not sent, or that Redis refused, is `Refused(store_unavailable)`.

pub(crate) mod config;
pub(crate) mod error;
mod pool;
mod pubsub;
pub(crate) mod session;
pub(crate) mod shared;
mod topology;
mod turns;

use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use protocol::{BootId, TenantId};
use router_core::Millis;
use router_core::store::nodes::{NodeQuery, NodeReply};
use router_core::store::tenants::{ListedTenant, TenantPart};
use router_core::store::usage::TenantIndex;
use router_core::store::{StoreFailure, StoreRequest, StoreResult, UsageIndexQuery};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use self::error::CommandFailure;
use self::pubsub::intake::MessageIntake;
use self::session::{RedisSession, supervise};
use self::shared::RedisShared;
use self::topology::place::RedisPlace;
use self::topology::url::{self, RedisKind};
use crate::features;
use crate::keys::KeyNames;
use crate::state::StoreState;

pub use self::config::{RedisConfig, StoreClock};
pub use self::error::ConnectError;
pub use self::pool::client_certificate::ClientCertificate;
pub use self::pubsub::inbound::InboundMessage;
pub use self::topology::address::ServerAddress;

/// Messages that wait for the node. Full, the connection is not read.
const INBOUND: usize = 1024;

/// A node's Redis. Dropped, it closes all connections.
pub struct Redis {
    shared: Arc<RedisShared>,
    inbound: Mutex<Option<mpsc::Receiver<InboundMessage>>>,
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
        let place = RedisPlace::read(&config, features::scripts())?;
        let names =
            KeyNames::new(&config.prefix, place.dialer.database).ok_or(ConnectError::Prefix)?;
        let (sender, inbound) = mpsc::channel(INBOUND);
        let intake = Arc::new(MessageIntake::new(names, sender));
        let session = Arc::new(RedisSession::open(&place, &intake, &[]).await?);
        let shared = Arc::new(RedisShared::new(place, intake, session.clone()));
        shared.compare_clocks(&session).await;
        let supervisor = tokio::spawn(supervise::supervise(shared.clone(), session));
        Ok(Self {
            shared,
            inbound: Mutex::new(Some(inbound)),
            _supervisor: AbortOnDropHandle::new(supervisor),
        })
    }

    /// Asks for a tenant. One tenant's requests of one queue are executed in the order of the calls
    /// (of their first polls). `Load` subscribes before it reads; `Lost` and `Refused` as the module
    /// says.
    pub async fn execute(&self, request: &StoreRequest) -> StoreResult {
        let reply = features::execute(&self.shared, request).await;
        reply.map_err(StoreFailure::from)
    }

    /// Asks which tenants used something on a day.
    pub async fn usage_index(&self, query: &UsageIndexQuery) -> StoreResult<TenantIndex> {
        let index = features::usage::execute_index(&self.shared, query).await;
        index.map_err(StoreFailure::from)
    }

    /// Asks which tenants are in a part of the list.
    pub async fn tenants(&self, part: TenantPart) -> StoreResult<Vec<ListedTenant>> {
        let listed = features::tenants::list(&self.shared, part).await;
        listed.map_err(StoreFailure::from)
    }

    /// Takes a tenant out of the list, unless the ledger has usage of it.
    pub async fn forget_tenant(&self, tenant: &TenantId, now_ms: Millis) -> StoreResult<()> {
        let forgotten = features::tenants::forget(&self.shared, tenant, now_ms).await;
        forgotten.map_err(StoreFailure::from)
    }

    /// Asks about nodes.
    pub async fn execute_node(&self, ask: &NodeQuery) -> NodeReply {
        let answer = features::nodes::execute(&self.shared, ask).await;
        if let NodeQuery::Beat { .. } = ask {
            let is_misread = matches!(answer, Err(CommandFailure::Misread));
            let misread = &self.shared.intake.counters.misread_nodes;
            misread.store(is_misread, Relaxed);
        }
        answer.unwrap_or(NodeReply::Unavailable)
    }

    /// Publishes a packet to a node. Errors: it may have been published or not.
    pub async fn publish(&self, boot: BootId, packet: &Bytes) -> Result<(), ()> {
        let session = self.shared.current.load_full().ok_or(())?;
        let inbox = self.shared.names().inbox(boot);
        session.publish(&inbox, packet).await
    }

    /// Publishes a probe to the node itself, over every connection that listens; it comes back as
    /// [`InboundMessage::Probe`]. Errors: it may not.
    pub async fn probe(&self, boot: BootId, number: u64) -> Result<(), ()> {
        let session = self.shared.current.load_full().ok_or(())?;
        session.probe(boot, number).await
    }

    /// Subscribes a node's inbox, now and after every outage. Errors: not yet; it is before the next
    /// [`InboundMessage::LinkUp`].
    pub async fn subscribe_node(&self, boot: BootId) -> Result<(), ()> {
        self.shared.wanted().boots.insert(boot);
        let session = self.shared.current.load_full().ok_or(())?;
        let subscribed = session.subscribe(session.node_channels(boot)).await;
        subscribed.inspect_err(|()| session.end.because("a subscription was not confirmed"))
    }

    /// Ends [`Self::subscribe_node`].
    pub fn unsubscribe_node(&self, boot: BootId) {
        self.shared.wanted().boots.remove(&boot);
        if let Some(session) = self.shared.current.load_full() {
            session.unsubscribe(session.node_channels(boot));
        }
    }

    /// Ends what `Load` subscribed.
    pub fn unload(&self, tenant: &TenantId) {
        self.shared.wanted().tenants.remove(tenant);
        if let Some(session) = self.shared.current.load_full() {
            session.unsubscribe(vec![self.shared.names().events(tenant)]);
        }
    }

    /// What arrives, for the one task that takes it; `None` the second time.
    pub fn inbound(&self) -> Option<mpsc::Receiver<InboundMessage>> {
        let mut inbound = self.inbound.lock().unwrap_or_else(PoisonError::into_inner);
        inbound.take()
    }

    /// Ends the present connections, if there are any, and makes new ones after the usual wait.
    pub fn renew(&self) {
        if let Some(session) = self.shared.current.load_full() {
            session.end.because("probes did not come back");
        }
    }

    /// Compares the clocks: this machine's time less the server's, milliseconds. `None`: there is no
    /// answer in time.
    pub async fn clock_skew(&self) -> Option<i64> {
        let session = self.shared.current.load_full()?;
        self.shared.compare_clocks(&session).await
    }

    /// The address of this machine towards Redis, as of the last connection.
    pub fn local_ip(&self) -> Option<IpAddr> {
        let local_ip = self.shared.place.dialer.local_ip.lock();
        *local_ip.unwrap_or_else(PoisonError::into_inner)
    }

    /// What operators are shown.
    pub fn state(&self) -> StoreState {
        let session = self.shared.current.load_full();
        let counters = &self.shared.intake.counters;
        let (full_refusals, is_full) = counters.fullness();
        StoreState {
            kind: match &self.shared.place.kind {
                RedisKind::Single => "redis",
                RedisKind::Sentinel { .. } => "redis+sentinel",
                RedisKind::Cluster => "redis+cluster",
            },
            connected: session.is_some(),
            reconnects: counters.reconnects.load(Relaxed),
            skipped_records: counters.skipped.load(Relaxed),
            full_waits: counters.full_waits.load(Relaxed),
            full_refusals,
            is_full,
            commands: counters.commands(),
            misread_nodes: counters.misread_nodes.load(Relaxed),
            last_error: counters.last_error(),
            version: session.as_ref().map(|it| it.server.version.clone()),
            persistent: session.as_ref().map(|it| it.server.persistent),
            evicts: session.as_ref().map(|it| it.server.evicts),
        }
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}
