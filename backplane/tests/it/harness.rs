//! Nodes on a real Redis, and waiting with a deadline.

use std::time::Duration;

use backplane::{Backplane, Clock, ConnectError, Inbound, Redis, RedisConfig};
use protocol::presence::{BotInfo, BotState, Takeover};
use protocol::{BootId, BotId, ConnectionId, TenantId};
use router_core::store::{Ask, Claim, DirectoryCaps, Holder, Reply, Request};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// Nothing takes so long unless it hangs.
pub const DEADLINE: Duration = Duration::from_secs(20);

pub const BOOT: BootId = BootId::from_bits(1);
pub const OTHER: BootId = BootId::from_bits(2);

pub fn config(url: &str) -> RedisConfig {
    RedisConfig {
        url: url.to_owned().into(),
        prefix: "t2b-test".into(),
        insecure: false,
        clock: Clock::Server,
    }
}

pub async fn try_connect(url: &str) -> Result<Redis, ConnectError> {
    Redis::connect(config(url)).await
}

/// A node and what it hears.
pub struct Node {
    pub backplane: Backplane,
    pub inbound: mpsc::Receiver<Inbound>,
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
    pub async fn ask(&self, tenant: &str, ask: Ask) -> Reply {
        let mut request = request(tenant, ask);
        let reply = self.backplane.execute(request.clone()).await;
        let Reply::Newer(epoch) = reply else {
            return reply;
        };
        request.known_ver = epoch;
        self.backplane.execute(request).await
    }

    /// Loads tenants, all of which are there.
    pub async fn load(&self, tenant: &str) {
        let reply = self.ask(tenant, load()).await;
        assert!(matches!(reply, Reply::Loaded(_)), "{reply:?}");
    }

    /// The next that it hears.
    pub async fn hears(&mut self) -> Inbound {
        let heard = timeout(DEADLINE, self.inbound.recv()).await;
        let heard = heard.unwrap_or_else(|_| panic!("not in time: {:?}", self.backplane.state()));
        heard.expect("the node listens")
    }

    /// Waits until something is heard that fits, past what does not.
    pub async fn until<T>(&mut self, fits: impl Fn(Inbound) -> Option<T>) -> T {
        loop {
            if let Some(found) = fits(self.hears().await) {
                return found;
            }
        }
    }

    /// Waits until the link went down and came up again.
    pub async fn link_is_back(&mut self) {
        self.until(|it| (it == Inbound::LinkDown).then_some(()))
            .await;
        self.until(|it| (it == Inbound::LinkUp).then_some(())).await;
        assert!(self.backplane.state().connected);
    }

    /// Asks until the answer is of this kind.
    pub async fn asks_until(&self, ask: Ask, fits: impl Fn(&Reply) -> bool) -> Reply {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let reply = self.ask("alice", ask.clone()).await;
            if fits(&reply) {
                return reply;
            }
            assert!(Instant::now() < deadline, "still {reply:?}");
            tokio::task::yield_now().await;
        }
    }
}

pub fn request(tenant: &str, ask: Ask) -> Request {
    Request {
        tenant: TenantId::parse(tenant).unwrap(),
        ask,
        known_ver: 0,
        now_ms: 1,
        caps: DirectoryCaps::default(),
    }
}

pub fn load() -> Ask {
    Ask::Load { dead: [].into() }
}

/// A connection of [`BOOT`].
pub fn conn(number: usize) -> ConnectionId {
    ConnectionId::from_ulid(&format!("{number:026}")).unwrap()
}

pub fn bot(id: &str) -> BotInfo {
    BotInfo {
        id: BotId::parse(id).unwrap(),
        name: id.into(),
        kind: "bot".into(),
        description: String::new(),
        capabilities: vec![],
        status: BotState::Offline,
        since: 0,
    }
}

/// A claim of a bot by a connection of [`BOOT`].
pub fn claim(id: &str, by: usize) -> Ask {
    Ask::Claim(Box::new(Claim {
        holder: Holder {
            boot: BOOT,
            conn: conn(by),
        },
        bot: bot(id),
        instance: None,
        takeover: Takeover::Replace,
        dead: [].into(),
    }))
}

/// The event of a tenant, if it is one.
pub fn event_of(tenant: &str) -> impl Fn(Inbound) -> Option<()> {
    move |inbound| match inbound {
        Inbound::Event { tenant: of, .. } if of.as_str() == tenant => Some(()),
        Inbound::Event { .. }
        | Inbound::Packet(_)
        | Inbound::Probe { .. }
        | Inbound::LinkDown
        | Inbound::LinkUp => None,
    }
}

/// The packet, if it is one.
pub fn packet(inbound: Inbound) -> Option<bytes::Bytes> {
    match inbound {
        Inbound::Packet(packet) => Some(packet),
        Inbound::Event { .. } | Inbound::Probe { .. } | Inbound::LinkDown | Inbound::LinkUp => None,
    }
}
