//! A node that asks, a node that listens, and the model beside them.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use backplane::{Backplane, Clock, Inbound, RedisConfig};
use fixtures::{Redis, RedisCluster};
use protocol::{BootId, TenantId};
use router_core::store::{Ask, DirectoryCaps, Event, Model, Reply, Request};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Nothing takes so long unless it hangs.
const DEADLINE: Duration = Duration::from_secs(20);
/// The boot id of the node that listens.
const LISTENER: BootId = BootId::from_bits(u128::MAX);

/// A question, when, and what the asker has seen of the counter.
#[derive(Debug, Clone)]
pub struct Step {
    pub ask: Ask,
    pub now_ms: u64,
    pub known_ver: u64,
    pub caps: DirectoryCaps,
}

/// A question at a time.
pub fn at(now_ms: u64, ask: Ask) -> Step {
    Step {
        ask,
        now_ms,
        known_ver: 0,
        caps: DirectoryCaps::default(),
    }
}

/// A store that can be looked at while it answers.
pub struct Subject {
    pub asker: Backplane,
    listener: Backplane,
    heard: mpsc::Receiver<Inbound>,
    next: AtomicU64,
}

/// Connects a node to a store that goes by the askers' time.
pub async fn connect(url: &str) -> Backplane {
    let config = RedisConfig {
        url: url.to_owned().into(),
        prefix: "t2b".into(),
        insecure: false,
        clock: Clock::Asker,
    };
    Backplane::redis(backplane::Redis::connect(config).await.unwrap())
}

impl Subject {
    pub async fn connect(url: &str) -> Self {
        let (asker, listener) = (connect(url).await, connect(url).await);
        listener.subscribe_node(LISTENER).await.unwrap();
        let heard = listener.inbound().unwrap();
        let next = AtomicU64::new(1);
        Self {
            asker,
            listener,
            heard,
            next,
        }
    }

    /// A tenant that nobody has used, of which the listener hears.
    pub async fn fresh_tenant(&self) -> TenantId {
        let number = self.next.fetch_add(1, Relaxed);
        let tenant = TenantId::parse(&format!("tenant{number}")).unwrap();
        let load = Ask::Load { dead: [].into() };
        let reply = self.listener.execute(request(&tenant, at(1, load))).await;
        assert!(matches!(reply, Reply::Loaded(_)), "{reply:?}");
        tenant
    }

    /// Asks, and says what the listener was told. A probe that is sent after the answer comes back
    /// after all events of the step.
    pub async fn step(&mut self, tenant: &TenantId, step: Step) -> (Reply, Option<Event>) {
        let reply = self.asker.execute(request(tenant, step)).await;
        let probe = self.next.fetch_add(1, Relaxed);
        let probed = self.listener.probe(LISTENER, probe).await;
        assert_eq!(probed, Ok(()), "{:?}", self.listener.state());
        let mut told = None;
        loop {
            let inbound = timeout(DEADLINE, self.heard.recv()).await.unwrap().unwrap();
            match inbound {
                Inbound::Probe { number } if number == probe => return (reply, told),
                Inbound::Event {
                    tenant: of, event, ..
                } => {
                    assert_eq!((&of, &told), (tenant, &None));
                    told = Some(event);
                }
                Inbound::Packet(_) | Inbound::Probe { .. } => panic!("{inbound:?}"),
                Inbound::LinkDown | Inbound::LinkUp => panic!("{:?}", self.listener.state()),
            }
        }
    }

    /// Asks all of it in a fresh tenant, and compares with the model.
    pub async fn compare(&mut self, case: &str, steps: Vec<Step>) {
        let mut model = Model::new(1 << 30);
        let tenant = self.fresh_tenant().await;
        for (number, step) in steps.into_iter().enumerate() {
            let right = model.execute(request(&tenant, step.clone()));
            let said = self.step(&tenant, step.clone()).await;
            assert_eq!(said, right, "{case}, step {number}: {step:?}");
        }
        self.listener.unload(&tenant);
    }
}

pub fn request(tenant: &TenantId, step: Step) -> Request {
    Request {
        tenant: tenant.clone(),
        ask: step.ask,
        known_ver: step.known_ver,
        now_ms: step.now_ms,
        caps: step.caps,
    }
}

/// Runs cases against one real server and against a Cluster.
pub fn on_all<F: Future<Output = ()>>(cases: impl Fn(Subject) -> F) {
    on_server(&cases);
    if let Some(cluster) = RedisCluster::start() {
        let hosts: Vec<_> = cluster.nodes.iter().map(|node| node.port()).collect();
        let hosts: Vec<_> = hosts
            .iter()
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        let users = cluster.nodes.each_ref().map(Redis::add_documented_user);
        let url = format!("redis+cluster://{}@{}", users[0], hosts.join(","));
        run(async { cases(Subject::connect(&url).await).await });
    }
}

/// Where a server is, as the user that the documents describe: it may do all that a node does.
pub fn url_of(redis: &Redis) -> String {
    let user = redis.add_documented_user();
    format!("redis://{user}@127.0.0.1:{}", redis.port())
}

/// Runs cases against one real server.
pub fn on_server<F: Future<Output = ()>>(cases: impl Fn(Subject) -> F) {
    if let Some(redis) = Redis::start() {
        let url = url_of(&redis);
        run(async { cases(Subject::connect(&url).await).await });
    }
}

pub fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(future)
}
