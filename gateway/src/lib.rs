//! Floor 3: the listeners of a node, and the one place where effects become I/O.
//!
//! ```text
//!  Starting ─▶ ports, probes, store, Node ─▶ Gateway::run ─▶ store workers, ticker ─▶ Shutdown::begin ─▶ drain
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | `config/` | from flags, environment and file to values that are ready to use |
//! | `start.rs` | from a configuration to a gateway that listens; what is waited for |
//! | `listener.rs`, `gate/`, `tls.rs`, `machine.rs` | the accept loop and who it lets in; what the machine gives |
//! | `progress/` | how long a peer may take for heads and answers |
//! | `memory.rs` | how the memory is divided |
//! | `socket_options.rs`, `sock_diag.rs` | bounds of the kernel's buffers; what it holds in them |
//! | `http/` | what the public and the admin listener serve |
//! | `ws/` | WebSocket connections: handshake, reader, mailbox, writer; knows no frames of ours |
//! | `dialect/` | how messages become requests, and meanings become frames |
//! | `node/` | sessions and shards, and `perform`: the one place where effects become I/O |
//! | `metrics.rs`, `access_log.rs`, `telemetry.rs` | the one table of metrics; what is logged of each source; where logs go |

mod access_log;
mod collector;
pub mod config;
mod dialect;
mod gate;
mod http;
mod listener;
pub mod machine;
pub mod memory;
pub mod metrics;
mod node;
mod progress;
mod sock_diag;
mod socket_options;
mod start;
pub mod telemetry;
mod tls;
mod trace;
pub mod ws;

use std::net::SocketAddr;
use std::sync::Arc;

pub use backplane::ConnectError;
use backplane::{InboundMessage, StoreFault};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::http::admin::context::AdminContext;
use crate::http::admin_endpoint::AdminEndpoint;
use crate::http::public_endpoint::PublicEndpoint;
use crate::listener::Listener;
use crate::node::{Identity, Node, StoreWork};
pub use crate::start::{StartError, Starting};

/// Where a gateway listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Bots and clients.
    pub public: SocketAddr,
    /// Operators, Prometheus, probes.
    pub admin: SocketAddr,
}

/// Ends a gateway from elsewhere, also while it starts.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<watch::Sender<u32>>);

impl Default for Shutdown {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Shutdown {
    /// Returns once [`begin`](Self::begin) was called.
    pub async fn begun(&self) {
        shut_down(&mut self.0.subscribe(), 1).await;
    }

    /// The first call begins the short drain (at most 5 s); the second ends the gateway now.
    pub fn begin(&self) {
        self.0.send_modify(|calls| *calls += 1);
    }
}

/// A gateway that listens. Nothing but probes is served before [`run`](Self::run).
pub struct Gateway {
    node: Arc<Node>,
    work: Vec<StoreWork>,
    cluster: Option<(Identity, mpsc::Receiver<InboundMessage>)>,
    public: (Listener, Arc<PublicEndpoint>),
    admin: (Arc<AdminEndpoint>, AdminContext),
    /// Serves the admin listener already.
    background: JoinSet<()>,
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
        let starting = Starting::begin(config, Shutdown::default())?;
        let bound = starting.finish_with(fault).await?;
        Ok(bound.expect("nobody else has its shutdown"))
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
            work,
            cluster,
            public,
            admin: (admin_endpoint, admin),
            mut background,
            shutdown,
            ..
        } = self;
        let _last = CloseAll(Arc::clone(&node));
        let mut calls = shutdown.0.subscribe();
        background.spawn(Arc::clone(&node).tick());
        background.spawn(Arc::clone(&node).wake_shards());
        for work in work {
            background.spawn(Arc::clone(&node).answer(work));
        }
        if let Some((identity, inbound)) = cluster {
            background.spawn(Arc::clone(&node).take_part(identity, inbound));
        }
        let accepting = background.spawn(public.0.serve(public.1));
        admin_endpoint.serves(admin);

        tokio::select! {
            () = shut_down(&mut calls, 1) => {}
            // None of them ends by itself.
            Some(_) = background.join_next() => return Err(RunError),
            () = node.failed() => return Err(RunError),
        }
        tracing::info!("shutting down: clients are told, requests under way are answered");
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
#[cfg(feature = "generate")]
pub fn openapi() -> String {
    http::openapi::generated()
}

/// However serving ends, no connection outlives it for long: each is a task of its own.
struct CloseAll(Arc<Node>);

impl Drop for CloseAll {
    fn drop(&mut self) {
        self.0.close_all();
        self.0.end_lanes();
    }
}

/// Waits for the given call of [`Shutdown::begin`].
async fn shut_down(calls: &mut watch::Receiver<u32>, call: u32) {
    // The sender lives as long as the gateway; should it not, there is nothing left to wait for.
    let _ = calls.wait_for(|calls| *calls >= call).await;
}
