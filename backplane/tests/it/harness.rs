//! Nodes on a real Redis, and waiting with a deadline.

use backplane::{Backplane, ConnectError, InboundMessage, Redis, RedisConfig, StoreClock};
use protocol::{BootId, TenantId};
use router_core::store::{
    DirectoryQuery, DirectoryReply, StoreQuery, StoreReply, StoreRequest, StoreResult,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::support::store;
pub use crate::support::store::DEADLINE;
use crate::support::words::load;

/// Connections 10 to 19 are this node's.
pub const BOOT: BootId = BootId::from_bits(1);
pub const OTHER: BootId = BootId::from_bits(2);

/// Where Redis is, for a node that goes by its time.
pub fn config(url: &str) -> RedisConfig {
    store::config(url, StoreClock::Server)
}

pub async fn try_connect(url: &str) -> Result<Redis, ConnectError> {
    Redis::connect(config(url)).await
}

/// A node and what it hears.
pub struct Node {
    pub backplane: Backplane,
    pub inbound: mpsc::Receiver<InboundMessage>,
}

impl Node {
    /// Connects, and subscribes its inbox.
    pub async fn start(url: &str, boot: BootId) -> Self {
        let backplane = Backplane::redis(try_connect(url).await.unwrap());
        backplane.subscribe_node(boot).await.unwrap();
        let inbound = backplane.inbound().unwrap();
        Self { backplane, inbound }
    }

    /// Asks, and asks again if there is a newer claim than it knew of.
    pub async fn ask(&self, tenant: &str, query: impl Into<StoreQuery>) -> StoreResult {
        let mut request = request(tenant, query);
        let reply = self.backplane.execute(request.clone()).await;
        let Ok(StoreReply::Directory(DirectoryReply::Newer(epoch))) = reply else {
            return reply;
        };
        if let StoreQuery::Directory(asked) = &mut request.query {
            asked.known_ver = epoch;
        }
        self.backplane.execute(request).await
    }

    /// Loads a tenant.
    pub async fn load(&self, tenant: &str) {
        let reply = self.ask(tenant, load(&[])).await;
        let is_loaded = matches!(reply, Ok(StoreReply::Directory(DirectoryReply::Loaded(_))));
        assert!(is_loaded, "{reply:?}");
    }

    /// The next that it hears.
    pub async fn hears(&mut self) -> InboundMessage {
        let heard = timeout(DEADLINE, self.inbound.recv()).await;
        let heard = heard.unwrap_or_else(|_| panic!("not in time: {:?}", self.backplane.state()));
        heard.expect("the node listens")
    }

    /// Waits until something is heard that fits, past what does not.
    pub async fn until<T>(&mut self, fits: impl Fn(InboundMessage) -> Option<T>) -> T {
        loop {
            if let Some(found) = fits(self.hears().await) {
                return found;
            }
        }
    }

    /// Waits until the link went down and came up again.
    pub async fn link_is_back(&mut self) {
        self.until(|it| (it == InboundMessage::LinkDown).then_some(()))
            .await;
        self.until(|it| (it == InboundMessage::LinkUp).then_some(()))
            .await;
        assert!(self.backplane.state().connected);
    }

    /// Asks until the answer is of this kind.
    pub async fn asks_until(&self, query: DirectoryQuery, fits: impl Fn(&StoreResult) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let reply = self.ask("alice", query.clone()).await;
            if fits(&reply) {
                return;
            }
            assert!(Instant::now() < deadline, "still {reply:?}");
            tokio::task::yield_now().await;
        }
    }
}

pub fn request(tenant: &str, query: impl Into<StoreQuery>) -> StoreRequest {
    StoreRequest {
        tenant: TenantId::parse(tenant).unwrap(),
        now_ms: 1,
        query: query.into(),
    }
}

/// What the directory says.
pub const fn directory(reply: DirectoryReply) -> StoreResult {
    Ok(StoreReply::Directory(reply))
}

/// Whether a claim was taken.
pub fn is_claimed(reply: &StoreResult) -> bool {
    matches!(
        reply,
        Ok(StoreReply::Directory(DirectoryReply::Claimed { .. }))
    )
}

/// The event of a tenant, if it is one.
pub fn event_of(tenant: &str) -> impl Fn(InboundMessage) -> Option<()> {
    move |inbound| match inbound {
        InboundMessage::Event { tenant: of, .. } if of.as_str() == tenant => Some(()),
        InboundMessage::Event { .. }
        | InboundMessage::Packet(_)
        | InboundMessage::Probe { .. }
        | InboundMessage::LinkDown
        | InboundMessage::LinkUp => None,
    }
}

/// The packet, if it is one.
pub fn packet(inbound: InboundMessage) -> Option<bytes::Bytes> {
    match inbound {
        InboundMessage::Packet(packet) => Some(packet),
        InboundMessage::Event { .. }
        | InboundMessage::Probe { .. }
        | InboundMessage::LinkDown
        | InboundMessage::LinkUp => None,
    }
}
