//! The start of a gateway: ports first, then the store, then the node.
//!
//! ```text
//!  Starting::begin ─▶ both ports are taken, the admin listener serves probes
//!  Starting::finish ─▶ waits for Redis as long as it takes ─▶ the public listener listens ─▶ Gateway
//! ```
//!
//! The public listener does not listen before the node can serve: a balancer's connection is refused,
//! not left waiting. What can never pass ends the start; see `store.rs`.

mod error;
mod store;
mod warnings;

use std::sync::{Arc, Mutex};

use backplane::{Backplane, InboundMessage, StoreFault};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub use self::error::StartError;
use self::store::store;
use self::warnings::{warn_of_few_sockets, warn_of_little_memory, warn_of_no_journal};
use crate::config::Config;
use crate::gate::{Gate, GateLimits};
use crate::gateway::{ClusterPart, Gateway, ListenAddresses};
use crate::http::admin::context::AdminContext;
use crate::http::admin_endpoint::AdminEndpoint;
use crate::http::context::{BasePath, PublicContext};
use crate::http::public_endpoint::PublicEndpoint;
use crate::http::request_settings::LiveRequestSettings;
use crate::http::v1;
use crate::listener::{BoundSocket, Listener};
use crate::machine;
use crate::memory::MemoryDivision;
use crate::metrics::{COMMIT_UNKNOWN, Metrics};
use crate::node::{Node, NodeIdentity, NodeTools, NodeUsage, PeerDatagrams};
use crate::reload::{ReloadRequests, Reloader};
use crate::shutdown::GatewayShutdown;
use crate::tls::{ListenerTls, TlsReloader};

/// The configuration keys of the two addresses, for errors.
const PUBLIC_KEY: &str = "listen";
const ADMIN_KEY: &str = "admin_listen";
/// That of the address where other nodes ask: the admin listener's, for datagrams.
const PEER_KEY: &str = "admin_listen, UDP";

/// A gateway that answers probes and does not serve yet. Dropped, it frees its ports.
pub struct StartingGateway {
    config: Config,
    tls: Option<Arc<ListenerTls>>,
    metrics: Arc<Metrics>,
    public: BoundSocket,
    endpoint: Arc<AdminEndpoint>,
    requests: LiveRequestSettings,
    certificates: Arc<TlsReloader>,
    addresses: ListenAddresses,
    /// Serves the admin listener.
    background: JoinSet<()>,
    shutdown: GatewayShutdown,
}

impl std::fmt::Debug for StartingGateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Starting")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

impl StartingGateway {
    /// Takes both addresses and serves the admin one. To be called inside the runtime.
    ///
    /// `shutdown` ends the start, and then the gateway. `commit`: what the program was built from, for
    /// metrics. Errors: an address is in use, or TLS cannot be set up.
    pub fn begin(
        config: Config,
        shutdown: GatewayShutdown,
        commit: &'static str,
    ) -> Result<Self, StartError> {
        warn_of_few_sockets(config.sockets_max);
        let metrics = Arc::new(Metrics::new(v1::paths()));
        metrics.memory_max_bytes.set(config.memory_max as f64);
        metrics.set_build(commit);
        let mut certificates = TlsReloader::new(&metrics);
        let tls = certificates.open("public", config.tls.as_ref())?;
        let admin_tls = certificates.open("admin", config.admin_tls.as_ref())?;
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
        let addresses = ListenAddresses {
            public: public.address(),
            admin: admin.address(),
        };
        let requests = LiveRequestSettings::new(&config);
        let endpoint = AdminEndpoint::new(requests.clone(), Arc::clone(&metrics));
        let endpoint = Arc::new(endpoint);
        let gate = Gate::new(GateLimits::admin());
        let admin = listen((ADMIN_KEY, admin), admin_tls, &config, gate)?;
        let mut background = JoinSet::new();
        background.spawn(admin.serve(Arc::clone(&endpoint)));
        let certificates = Arc::new(certificates);
        background.spawn(Arc::clone(&certificates).watch());
        Ok(Self {
            config,
            tls,
            metrics,
            public,
            endpoint,
            requests,
            certificates,
            addresses,
            background,
            shutdown,
        })
    }

    /// Where it listens, and where it will.
    pub fn addresses(&self) -> ListenAddresses {
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
            config,
            endpoint,
            requests,
            ..
        } = self;
        let memory = MemoryDivision::of(config.memory_max);
        warn_of_little_memory(config.sockets_max, &memory);
        warn_of_no_journal(&config);
        let tools = NodeTools {
            keyring: config.keyring(),
            lane_keys: config.lane_keys(),
            tracer: config.tracer(),
            metrics: self.metrics,
            usage: NodeUsage::new(&config),
            drain: config.drain,
            isolate_after: config.isolate_after,
            rebalances: config.rebalance,
        };
        let settings = config.settings(unix_ms());
        let (node, work) = Node::new(settings, tools, backplane, &memory, config.sockets_max);
        let gate = Gate::new(GateLimits::public(config.sockets_max));
        let listener = listen((PUBLIC_KEY, self.public), self.tls, &config, gate)?;
        let public = self.addresses.public;
        let address = self.addresses.admin;
        let peers = inbound.is_some().then(|| PeerDatagrams::bind(address));
        let peers = peers.transpose().map_err(|source| StartError::Listen {
            key: PEER_KEY,
            address,
            source,
        })?;
        let local_ip = node.backplane.local_ip();
        let peer_address = peers.as_ref().and_then(|it| it.public_address(local_ip));
        let identity = NodeIdentity {
            name: machine::node_name(public),
            address: public.to_string(),
            peer_address: peer_address.map_or(String::new(), |address| address.to_string()),
        };
        let cluster = inbound.zip(peers).map(|(inbound, peers)| ClusterPart {
            identity,
            inbound,
            peers,
        });
        let reloader = Reloader::new(
            &config,
            Arc::clone(&node),
            requests.clone(),
            self.certificates,
        );
        let admin = AdminContext {
            node: Arc::clone(&node),
            settings: requests.clone(),
            reloader: Arc::new(reloader),
            orders: tokio::sync::Mutex::default(),
            throttle: Mutex::default(),
        };
        let public_endpoint = PublicEndpoint::new(PublicContext {
            node: Arc::clone(&node),
            settings: requests,
            checks_host: public.ip().is_loopback(),
            openapi: Bytes::from(v1::openapi::document(&config.base_path)),
            paths: BasePath::new(config.base_path),
        });
        Ok(Gateway {
            node,
            work,
            cluster,
            public: (listener, Arc::new(public_endpoint)),
            admin: (endpoint, admin),
            background: self.background,
            addresses: self.addresses,
            shutdown: self.shutdown,
            reloads: ReloadRequests::default(),
        })
    }
}

impl Gateway {
    /// Takes both addresses, waits for the store and listens. To be called inside the runtime.
    ///
    /// Errors: [`StartError`].
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        Self::bind_with(config, None).await
    }

    /// The same, with a fault planted in its store, for tests.
    pub async fn bind_with_fault(config: Config, fault: StoreFault) -> Result<Self, StartError> {
        Self::bind_with(config, Some(fault)).await
    }

    async fn bind_with(config: Config, fault: Option<StoreFault>) -> Result<Self, StartError> {
        let starting = StartingGateway::begin(config, GatewayShutdown::default(), COMMIT_UNKNOWN)?;
        let bound = starting.finish_with(fault).await?;
        Ok(bound.expect("nobody else has its shutdown"))
    }
}

fn listen(
    (key, bound): (&'static str, BoundSocket),
    tls: Option<Arc<ListenerTls>>,
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

fn unix_ms() -> u64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
