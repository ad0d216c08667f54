//! A gateway that listens.

use std::net::SocketAddr;
use std::sync::Arc;

use backplane::InboundMessage;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::http::admin::context::AdminContext;
use crate::http::admin_endpoint::AdminEndpoint;
use crate::http::public_endpoint::PublicEndpoint;
use crate::listener::Listener;
use crate::node::{Node, NodeIdentity, PeerDatagrams, StoreWork};
use crate::reload::ReloadRequests;
use crate::shutdown::GatewayShutdown;

/// Where a gateway listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddresses {
    /// Bots and clients.
    pub public: SocketAddr,
    /// Operators, Prometheus, probes.
    pub admin: SocketAddr,
}

/// What a gateway needs to be one of several.
pub(crate) struct ClusterPart {
    pub(crate) identity: NodeIdentity,
    pub(crate) inbound: mpsc::Receiver<InboundMessage>,
    pub(crate) peers: PeerDatagrams,
}

/// A gateway that listens. Nothing but probes is served before [`run`](Self::run).
pub struct Gateway {
    pub(crate) node: Arc<Node>,
    pub(crate) work: Vec<StoreWork>,
    pub(crate) cluster: Option<ClusterPart>,
    pub(crate) public: (Listener, Arc<PublicEndpoint>),
    pub(crate) admin: (Arc<AdminEndpoint>, AdminContext),
    /// Serves the admin listener already.
    pub(crate) background: JoinSet<()>,
    pub(crate) addresses: ListenAddresses,
    pub(crate) shutdown: GatewayShutdown,
    pub(crate) reloads: ReloadRequests,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

impl Gateway {
    /// Where it listens; what was port 0 is a real port here.
    pub fn addresses(&self) -> ListenAddresses {
        self.addresses
    }

    /// A handle that ends it.
    pub fn shutdown_handle(&self) -> GatewayShutdown {
        self.shutdown.clone()
    }

    /// Reads its configuration again at each of these requests.
    pub fn reload_at(&mut self, requests: ReloadRequests) {
        self.reloads = requests;
    }

    /// Serves until it is shut down. Dropping the future closes every connection without a drain.
    ///
    /// Errors: a part of it failed, so that it can neither serve nor say so, and whoever supervises it must start it
    /// anew; or its drain was cut short.
    pub async fn run(self) -> Result<(), RunError> {
        let Self {
            node,
            work,
            cluster,
            public,
            admin: (admin_endpoint, admin),
            mut background,
            shutdown,
            reloads,
            ..
        } = self;
        let _last = CloseAll(Arc::clone(&node));
        let mut calls = shutdown.calls();
        background.spawn(Arc::clone(&node).tick());
        background.spawn(Arc::clone(&node).wake_shards());
        background.spawn(Arc::clone(&node).keep_usage());
        for work in work {
            background.spawn(Arc::clone(&node).answer(work));
        }
        if let Some(cluster) = cluster {
            let (identity, inbound) = (cluster.identity, cluster.inbound);
            background.spawn(Arc::clone(&node).take_part(identity, inbound));
            background.spawn(Arc::clone(&node).guard_isolation(cluster.peers));
            if node.rebalances {
                background.spawn(Arc::clone(&node).rebalance());
            }
        }
        let accepting = background.spawn(public.0.serve(public.1));
        background.spawn(Arc::clone(&admin.reloader).serve(reloads));
        admin_endpoint.serves(admin);

        tokio::select! {
            () = calls.reached(1) => {}
            // None of them ends by itself.
            Some(_) = background.join_next() => return Err(RunError::PartFailed),
            () = node.failed() => return Err(RunError::PartFailed),
        }
        let deadline = node.drain_deadline();
        let reason = tokio::select! {
            () = node.leave(|| accepting.abort()) => return Ok(()),
            () = sleep(deadline) => "drain_deadline is over",
            () = calls.reached(2) => "the second signal",
        };
        let connections = node.connections();
        tracing::warn!(reason, connections, "the drain is cut short");
        Err(RunError::CutShort(reason))
    }
}

/// Why a gateway ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A task that it cannot do without ended: it panicked, as the log says.
    #[error("a part of the gateway failed")]
    PartFailed,
    /// It was ended before all its connections were closed.
    #[error("the drain is cut short: {0}")]
    CutShort(&'static str),
}

/// However serving ends, no connection outlives it for long: each is a task of its own.
struct CloseAll(Arc<Node>);

impl Drop for CloseAll {
    fn drop(&mut self) {
        self.0.close_all();
        self.0.end_lanes();
    }
}
