//! Floor 3: the doors of a node, and the one place where effects become I/O.
//!
//! ```text
//!  Gateway::bind ─▶ listeners, Node, store workers, ticker ─▶ run ─▶ Shutdown::begin ─▶ drain
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | `config/` | from flags, environment and file to values that are ready to use |
//! | `listener.rs`, `gate.rs`, `tls.rs`, `machine.rs` | the accept loop and who it lets in; what the machine gives |
//! | `memory.rs` | how the memory is divided |
//! | `socket_options.rs`, `sock_diag.rs` | bounds of the kernel's buffers; what it holds in them |
//! | `http/` | the public and the admin door |
//! | `ws/` | WebSocket connections: handshake, reader, mailbox, writer; knows no frames of ours |
//! | `node/` | sessions and shards, and `perform`: the one place where effects become I/O |
//! | `metrics.rs`, `access_log.rs`, `telemetry.rs` | the one table of metrics; what is logged of each source; where logs go |

mod access_log;
pub mod config;
mod gate;
mod http;
mod listener;
pub mod machine;
pub mod memory;
pub mod metrics;
mod node;
mod sock_diag;
mod socket_options;
pub mod telemetry;
mod tls;
mod trace;
pub mod ws;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backplane::{Backplane, ConnectError, Fault, Inbound, Memory, Redis};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::config::Config;
use crate::gate::{Gate, GateLimits};
use crate::http::admin::Admin;
use crate::http::door::Door;
use crate::listener::Listener;
use crate::memory::MemoryDivision;
use crate::node::{Identity, Node, Own, Sources, StoreQueue};

/// How long a start waits for a Redis that does not answer.
const REDIS_WAIT: Duration = Duration::from_secs(30);
/// Fewer sockets than this are warned about.
const SOCKETS_FEW: usize = 64;
/// Between two tries.
const REDIS_RETRY: Duration = Duration::from_secs(1);

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
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
    Redis(#[from] backplane::ConnectError),
    /// The certificate or its key is not good.
    #[error("TLS: {0}")]
    Tls(String),
}

/// Where a gateway listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Bots and clients.
    pub public: SocketAddr,
    /// Operators, Prometheus, probes.
    pub admin: SocketAddr,
}

/// Ends a gateway from elsewhere.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<watch::Sender<u32>>);

impl Shutdown {
    /// The first call begins the short drain (at most 5 s); the second ends the gateway now.
    pub fn begin(&self) {
        self.0.send_modify(|calls| *calls += 1);
    }
}

/// A gateway that listens. Nothing is served before [`run`](Self::run).
pub struct Gateway {
    node: Arc<Node>,
    queues: Vec<StoreQueue>,
    cluster: Option<(Identity, mpsc::Receiver<Inbound>)>,
    public: (Listener, Arc<Door>),
    admin: (Listener, Arc<Admin>),
    addresses: Addresses,
    shutdown: Shutdown,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

impl Gateway {
    /// Opens the store and both listeners. To be called inside the runtime.
    ///
    /// Errors: [`StartError`].
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        Self::bind_with(config, None).await
    }

    /// The same, with a fault planted in its store, for tests.
    pub async fn bind_with_fault(config: Config, fault: Fault) -> Result<Self, StartError> {
        Self::bind_with(config, Some(fault)).await
    }

    async fn bind_with(config: Config, fault: Option<Fault>) -> Result<Self, StartError> {
        warn_of_few_sockets(config.sockets_max);
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let (mut backplane, inbound) = store(&config).await?;
        if let Some(fault) = fault {
            backplane = backplane.with_fault(fault);
        }
        let memory = MemoryDivision::of(config.memory_max);
        if config.sockets_max as u64 > memory.sockets {
            let (sockets_max, has_room_for) = (config.sockets_max, memory.sockets);
            tracing::warn!(
                sockets_max,
                has_room_for,
                "memory_max has no room for so many sockets"
            );
        }
        let settings = config.settings(unix_ms());
        let (node, queues) = Node::new(
            settings,
            Own {
                keyring: config.keyring(),
                lane_keys: config.lane_keys(),
                tracer: config.tracer(),
            },
            backplane,
            memory,
            config.sockets_max,
        );

        node.metrics.memory_max_bytes.set(config.memory_max as f64);
        let listen = |address, tls, gate| {
            let user_timeout = 2 * config.heartbeat;
            Listener::bind(address, tls, config.handshake_timeout, user_timeout, gate)
                .and_then(|listener| Ok((listener.address()?, listener)))
                .map_err(|source| StartError::Listen { address, source })
        };
        let (public, public_listener) = listen(
            config.listen,
            tls,
            Gate::new(GateLimits::public(config.sockets_max)),
        )?;
        let (admin, admin_listener) =
            listen(config.admin_listen, None, Gate::new(GateLimits::admin()))?;
        let identity = Identity {
            name: host_name().unwrap_or_else(|| public.to_string()),
            address: public.to_string(),
        };
        let cluster = inbound.map(|inbound| (identity, inbound));
        let public_door = Door {
            node: Arc::clone(&node),
            sources: Sources::new(config.trusted_proxies),
            allowed_origins: config.allowed_origins,
            hosts: public
                .ip()
                .is_loopback()
                .then(|| config.allowed_hosts.clone()),
            query_keys: config.query_keys,
            control_per_second: config.limits.control_per_second,
        };
        let admin_door = Admin {
            node: Arc::clone(&node),
            token: config.admin_token,
            hosts: config.allowed_hosts,
            ready_when_degraded: config.ready_when_degraded,
            orders: tokio::sync::Mutex::default(),
            throttle: Mutex::default(),
        };
        Ok(Self {
            node,
            queues,
            cluster,
            public: (public_listener, Arc::new(public_door)),
            admin: (admin_listener, Arc::new(admin_door)),
            addresses: Addresses { public, admin },
            shutdown: Shutdown(Arc::new(watch::Sender::new(0))),
        })
    }

    /// Where it listens; what was port 0 is a real port here.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// A handle that ends it.
    pub fn shutdown_handle(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Serves until it is shut down. Dropping the future closes every connection without a drain.
    ///
    /// Errors: a part of it failed. It ends then, as it could neither serve nor say so: whoever
    /// supervises it starts it anew.
    pub async fn run(self) -> Result<(), RunError> {
        let Self {
            node,
            queues,
            cluster,
            public,
            admin,
            shutdown,
            ..
        } = self;
        let _last = CloseAll(Arc::clone(&node));
        let mut calls = shutdown.0.subscribe();
        let mut background = JoinSet::new();
        background.spawn(Arc::clone(&node).tick());
        for queue in queues {
            background.spawn(Arc::clone(&node).answer(queue));
        }
        if let Some((identity, inbound)) = cluster {
            background.spawn(Arc::clone(&node).take_part(identity, inbound));
        }
        background.spawn(admin.0.serve(admin.1));
        let accepting = background.spawn(public.0.serve(public.1));

        tokio::select! {
            () = shut_down(&mut calls, 1) => {}
            // None of them ends by itself.
            Some(_) = background.join_next() => return Err(RunError),
            () = node.failed() => return Err(RunError),
        }
        node.begin_drain();
        accepting.abort();
        tokio::select! {
            () = node.drain() => {}
            () = shut_down(&mut calls, 2) => {}
        }
        Ok(())
    }
}

/// A task that a gateway cannot do without ended: it panicked, as the log says.
#[derive(Debug, thiserror::Error)]
#[error("a part of the gateway failed")]
pub struct RunError;

/// The OpenAPI document of the HTTP API, for `docs/openapi.json`.
pub fn openapi() -> String {
    http::api::openapi::document()
}

/// However serving ends, no connection outlives it for long: each is a task of its own.
struct CloseAll(Arc<Node>);

impl Drop for CloseAll {
    fn drop(&mut self) {
        self.0.close_all();
        self.0.end_lanes();
    }
}

/// Where the node's questions go, and where it hears from others if there may be any.
///
/// A Redis that does not answer is tried for a while: a node may start before it.
async fn store(
    config: &Config,
) -> Result<(Backplane, Option<mpsc::Receiver<Inbound>>), StartError> {
    let Some(redis) = config.redis() else {
        let memory = Memory::open(config.store_bytes, config.state_dir.as_deref())?;
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
        tracing::warn!("redis_insecure: whoever answers in place of redis is believed");
    }
    let until = Instant::now() + REDIS_WAIT;
    loop {
        // Boxed: it is deep, and every start of a gateway would be as deep.
        match Box::pin(Redis::connect(redis.clone())).await {
            Ok(redis) => {
                let backplane = Backplane::redis(redis);
                warn_of_loss(&backplane.state());
                let inbound = backplane.inbound();
                return Ok((backplane, inbound));
            }
            Err(error) if !may_pass(&error) || Instant::now() >= until => {
                return Err(error.into());
            }
            Err(error) => tracing::warn!(%error, "redis is not there yet"),
        }
        tokio::time::sleep(REDIS_RETRY).await;
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

/// Says what this Redis may lose, and what becomes of it.
fn warn_of_loss(state: &backplane::State) {
    if state.persistent == Some(false) {
        tracing::warn!(
            "redis does not persist (AOF): after its restart nodes say again what they hold; offline bots are \
             forgotten, and so are revocations and suspensions of tenants that no node has in memory: revoked \
             keys work again, unless key_generation in the configuration file says otherwise"
        );
    }
    if state.evicts == Some(true) {
        tracing::warn!(
            "redis evicts any key when it is full (maxmemory-policy allkeys-*), also revocations and \
             suspensions: revoked keys work again; set noeviction"
        );
    }
}

/// Whether it makes sense to try again.
fn may_pass(error: &ConnectError) -> bool {
    match error {
        ConnectError::Refused { .. } | ConnectError::Replica(_) | ConnectError::NoMaster { .. } => {
            true
        }
        ConnectError::Url(_)
        | ConnectError::Prefix
        | ConnectError::Tls(_)
        | ConnectError::TooOld { .. }
        | ConnectError::OtherKind { .. } => false,
    }
}

/// The machine's name: in Kubernetes, the pod's.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// Waits for the given call of [`Shutdown::begin`].
async fn shut_down(calls: &mut watch::Receiver<u32>, call: u32) {
    // The sender lives as long as the gateway; should it not, there is nothing left to wait for.
    let _ = calls.wait_for(|calls| *calls >= call).await;
}

fn unix_ms() -> u64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
