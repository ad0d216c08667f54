//! The start of a gateway: ports first, then the store, then the node.
//!
//! ```text
//!  Starting::begin ─▶ both ports are taken, the admin listener serves probes
//!  Starting::finish ─▶ waits for Redis as long as it takes ─▶ the public listener listens ─▶ Gateway
//! ```
//!
//! The public listener does not listen before the node can serve: a balancer's connection is refused,
//! not left waiting. What can never pass ends the start; see [`may_pass`].

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backplane::{
    Backplane, ConnectError, InboundMessage, MemoryStore, Redis, RedisConfig, StoreFault,
};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

use crate::config::Config;
use crate::gate::{Gate, GateLimits};
use crate::http::admin::context::AdminContext;
use crate::http::admin_endpoint::AdminEndpoint;
use crate::http::context::{BasePath, PublicContext};
use crate::http::public_endpoint::PublicEndpoint;
use crate::http::v1;
use crate::listener::{BoundSocket, Listener};
use crate::memory::MemoryDivision;
use crate::metrics::Metrics;
use crate::node::{Identity, Node, Own, Sources};
use crate::{Addresses, Gateway, Shutdown, tls};

/// Between two tries to reach Redis: short, so that a node is ready soon after it is there.
const REDIS_RETRY: Duration = Duration::from_millis(500);
/// Between two lines about a Redis that stays away.
const REDIS_LOG_PERIOD: Duration = Duration::from_secs(60);
/// Fewer sockets than this are warned about.
const SOCKETS_FEW: usize = 64;
/// The configuration keys of the two addresses, for errors.
const PUBLIC_KEY: &str = "listen";
const ADMIN_KEY: &str = "admin_listen";

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({key}): {source}")]
    Listen {
        /// The configuration key.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] backplane::OpenError),
    /// The Redis that the nodes share cannot be used.
    #[error("redis: {0}")]
    Redis(#[from] ConnectError),
    /// The certificate or its key is not good.
    #[error("TLS: {0}")]
    Tls(String),
}

/// A gateway that answers probes and does not serve yet. Dropped, it frees its ports.
pub struct Starting {
    config: Config,
    tls: Option<TlsAcceptor>,
    metrics: Arc<Metrics>,
    public: BoundSocket,
    endpoint: Arc<AdminEndpoint>,
    addresses: Addresses,
    /// Serves the admin listener.
    background: JoinSet<()>,
    shutdown: Shutdown,
}

impl std::fmt::Debug for Starting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Starting")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

impl Starting {
    /// Takes both addresses and serves the admin one. To be called inside the runtime.
    ///
    /// `shutdown` ends the start, and then the gateway. Errors: an address is in use, or TLS cannot be
    /// set up.
    pub fn begin(config: Config, shutdown: Shutdown) -> Result<Self, StartError> {
        warn_of_few_sockets(config.sockets_max);
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let bind = |key, address| {
            let bound = BoundSocket::bind(address, 2 * config.heartbeat);
            bound.map_err(|source| StartError::Listen {
                key,
                address,
                source,
            })
        };
        let public = bind(PUBLIC_KEY, config.listen)?;
        let admin = bind(ADMIN_KEY, config.admin_listen)?;
        let addresses = Addresses {
            public: public.address(),
            admin: admin.address(),
        };
        let metrics = Arc::new(Metrics::new(v1::paths()));
        metrics.memory_max_bytes.set(config.memory_max as f64);
        let endpoint = AdminEndpoint::new(config.allowed_hosts.clone(), Arc::clone(&metrics));
        let endpoint = Arc::new(endpoint);
        let gate = Gate::new(GateLimits::admin());
        let admin = listen((ADMIN_KEY, admin), None, &config, gate)?;
        let mut background = JoinSet::new();
        background.spawn(admin.serve(Arc::clone(&endpoint)));
        Ok(Self {
            config,
            tls,
            metrics,
            public,
            endpoint,
            addresses,
            background,
            shutdown,
        })
    }

    /// Where it listens, and where it will.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Waits until there is a store, and listens. `None`: it was shut down before.
    ///
    /// Errors: [`StartError`].
    pub async fn finish(self) -> Result<Option<Gateway>, StartError> {
        self.finish_with(None).await
    }

    pub(crate) async fn finish_with(
        self,
        fault: Option<StoreFault>,
    ) -> Result<Option<Gateway>, StartError> {
        let shutdown = self.shutdown.clone();
        let (mut backplane, inbound) = tokio::select! {
            store = store(&self.config, &self.endpoint, self.addresses.admin) => store?,
            () = shutdown.begun() => return Ok(None),
        };
        if let Some(fault) = fault {
            backplane = backplane.with_fault(fault);
        }
        self.serve(backplane, inbound).map(Some)
    }

    fn serve(
        self,
        backplane: Backplane,
        inbound: Option<mpsc::Receiver<InboundMessage>>,
    ) -> Result<Gateway, StartError> {
        let Self {
            config, endpoint, ..
        } = self;
        let memory = MemoryDivision::of(config.memory_max);
        warn_of_little_memory(config.sockets_max, &memory);
        let own = Own {
            keyring: config.keyring(),
            lane_keys: config.lane_keys(),
            tracer: config.tracer(),
            metrics: self.metrics,
        };
        let settings = config.settings(unix_ms());
        let (node, work) = Node::new(settings, own, backplane, memory, config.sockets_max);
        let gate = Gate::new(GateLimits::public(config.sockets_max));
        let listener = listen((PUBLIC_KEY, self.public), self.tls, &config, gate)?;
        let public = self.addresses.public;
        let identity = Identity {
            name: host_name().unwrap_or_else(|| public.to_string()),
            address: public.to_string(),
        };
        let admin = AdminContext {
            node: Arc::clone(&node),
            token: config.admin_token.clone(),
            ready_when_degraded: config.ready_when_degraded,
            orders: tokio::sync::Mutex::default(),
            throttle: Mutex::default(),
        };
        let public_endpoint = public_endpoint(config, Arc::clone(&node), public);
        Ok(Gateway {
            node,
            work,
            cluster: inbound.map(|inbound| (identity, inbound)),
            public: (listener, Arc::new(public_endpoint)),
            admin: (endpoint, admin),
            background: self.background,
            addresses: self.addresses,
            shutdown: self.shutdown,
        })
    }
}

fn public_endpoint(config: Config, node: Arc<Node>, address: SocketAddr) -> PublicEndpoint {
    let is_loopback = address.ip().is_loopback();
    PublicEndpoint::new(PublicContext {
        node,
        sources: Sources::new(config.trusted_proxies),
        allowed_origins: config.allowed_origins,
        hosts: is_loopback.then_some(config.allowed_hosts),
        query_keys: config.query_keys,
        control_per_second: config.limits.control_per_second,
        openapi: Bytes::from(v1::openapi::document(&config.base_path)),
        paths: BasePath::new(config.base_path),
    })
}

fn listen(
    (key, bound): (&'static str, BoundSocket),
    tls: Option<TlsAcceptor>,
    config: &Config,
    gate: Arc<Gate>,
) -> Result<Listener, StartError> {
    let address = bound.address();
    let listener = Listener::listen(bound, tls, config.handshake_timeout, gate);
    listener.map_err(|source| StartError::Listen {
        key,
        address,
        source,
    })
}

/// Where the node's questions go, and where it hears from others if there may be any.
async fn store(
    config: &Config,
    endpoint: &AdminEndpoint,
    admin: SocketAddr,
) -> Result<(Backplane, Option<mpsc::Receiver<InboundMessage>>), StartError> {
    let Some(redis) = config.redis() else {
        let memory = MemoryStore::open(config.store_bytes, config.state_dir.as_deref())?;
        if let Err(error) = memory.check_file() {
            tracing::warn!(
                %error,
                "a revoke or suspend holds only until this process ends; name a directory that can be \
                 written by state_dir"
            );
        }
        return Ok((Backplane::memory(memory), None));
    };
    if redis.insecure {
        tracing::warn!(
            "redis_insecure is set: the certificate of Redis is not checked, so an attacker on the network can pose as Redis"
        );
    }
    let redis = connect(redis, endpoint, admin).await?;
    let backplane = Backplane::redis(redis);
    warn_of_loss(&backplane.state());
    let inbound = backplane.inbound();
    Ok((backplane, inbound))
}

/// Tries until Redis is there: a node may start long before it. Errors: what trying again cannot
/// change.
async fn connect(
    config: RedisConfig,
    endpoint: &AdminEndpoint,
    admin: SocketAddr,
) -> Result<Redis, ConnectError> {
    let begun = Instant::now();
    let mut logged: Option<Instant> = None;
    loop {
        // Boxed: it is deep, and every start of a gateway would be as deep.
        match Box::pin(Redis::connect(config.clone())).await {
            Ok(redis) => {
                if logged.is_some() {
                    let waited_s = begun.elapsed().as_secs();
                    tracing::info!(waited_s, "redis is there");
                }
                return Ok(redis);
            }
            Err(error) if !may_pass(&error) => return Err(error),
            Err(error) => {
                endpoint.waits_for(format!("waiting for Redis: {error}"));
                if logged.is_none_or(|then| then.elapsed() >= REDIS_LOG_PERIOD) {
                    logged = Some(Instant::now());
                    tracing::warn!(%error, %admin, "redis is not there yet: this node waits for it, and is not ready");
                } else {
                    tracing::debug!(%error, "redis is still away");
                }
            }
        }
        sleep(REDIS_RETRY).await;
    }
}

/// Whether it makes sense to try again: the other end may change, and this node's configuration cannot.
///
/// A wrong password is one of the configuration's errors: Redis is there and has decided.
fn may_pass(error: &ConnectError) -> bool {
    match error {
        ConnectError::Refused { .. } | ConnectError::Replica(_) | ConnectError::NoMaster { .. } => {
            true
        }
        ConnectError::Url(_)
        | ConnectError::Prefix
        | ConnectError::Tls(_)
        | ConnectError::Credentials { .. }
        | ConnectError::TooOld { .. }
        | ConnectError::OtherKind { .. } => false,
    }
}

/// Says that few sockets are few, as the limit of open files may be why.
fn warn_of_few_sockets(sockets_max: usize) {
    if sockets_max < SOCKETS_FEW {
        tracing::warn!(
            sockets_max,
            "sockets_max is below 64: a quarter of it is for sockets that have not authenticated yet, so a few \
             slow clients delay the others; raise it, or the limit of open files"
        );
    }
}

fn warn_of_little_memory(sockets_max: usize, memory: &MemoryDivision) {
    if sockets_max as u64 > memory.sockets {
        let has_room_for = memory.sockets;
        tracing::warn!(
            sockets_max,
            has_room_for,
            "memory_max has no room for so many sockets"
        );
    }
}

/// Says what this Redis may lose, and what becomes of it.
fn warn_of_loss(state: &backplane::StoreState) {
    if state.persistent == Some(false) {
        tracing::warn!(
            "redis does not persist (AOF): after it restarts, each node registers its connections and bots again. Offline \
             bots are lost, and so are revocations and suspensions of tenants that no node has in memory: revoked \
             keys work again, unless key_generation in the configuration file revokes them"
        );
    }
    if state.evicts == Some(true) {
        tracing::warn!(
            "redis evicts any key when it is full (maxmemory-policy allkeys-*), also revocations and \
             suspensions: revoked keys work again; set noeviction"
        );
    }
}

/// The machine's name: in Kubernetes, the pod's.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

fn unix_ms() -> u64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
