//! A node that asks, a node that listens, and the model beside them.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use backplane::{Backplane, InboundMessage, StoreClock};
use fixtures::{RedisCluster, RedisServer};
use protocol::{BootId, TenantId};
use router_core::store::{
    DirectoryCaps, DirectoryEvent, Model, StoreQuery, StoreRequest, StoreResult,
};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::store::{self, DEADLINE};
use crate::support::words::load;

/// The boot id of the node that listens.
const LISTENER: BootId = BootId::from_bits(u128::MAX);

/// A query, and when.
#[derive(Debug, Clone)]
pub struct Step {
    pub query: StoreQuery,
    pub now_ms: u64,
}

/// A query at a time, of an asker that has seen nothing, under the default limits.
pub fn at(now_ms: u64, query: impl Into<StoreQuery>) -> Step {
    let query = query.into();
    Step { query, now_ms }.capped(DirectoryCaps::default())
}

impl Step {
    /// The same, of an asker that has seen this number of the tenant's counter.
    pub fn knowing(mut self, known_ver: u64) -> Self {
        if let StoreQuery::Directory(request) = &mut self.query {
            request.known_ver = known_ver;
        }
        if let StoreQuery::Policy(request) = &mut self.query {
            request.known_ver = known_ver;
        }
        self
    }

    /// The same, of a tenant whose directory may hold this.
    pub fn capped(mut self, caps: DirectoryCaps) -> Self {
        if let StoreQuery::Directory(request) = &mut self.query {
            request.caps = caps;
        }
        self
    }
}

/// A store that can be looked at while it answers.
pub struct Subject {
    pub asker: Backplane,
    listener: Backplane,
    heard: mpsc::Receiver<InboundMessage>,
    next: AtomicU64,
}

/// Connects a node to a store that goes by the askers' time.
pub async fn connect(url: &str) -> Backplane {
    store::connect(url, StoreClock::Asker).await
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

    /// A tenant that nobody has used; the listener subscribes to it.
    pub async fn fresh_tenant(&self) -> TenantId {
        let number = self.next.fetch_add(1, Relaxed);
        let tenant = TenantId::parse(&format!("tenant{number}")).unwrap();
        let reply = self
            .listener
            .execute(request(&tenant, at(1, load(&[]))))
            .await;
        assert!(reply.is_ok(), "{reply:?}");
        tenant
    }

    /// Asks, and says what the listener was told. A probe that is sent after the answer comes back
    /// after all events of the step.
    pub async fn step(
        &mut self,
        tenant: &TenantId,
        step: Step,
    ) -> (StoreResult, Option<DirectoryEvent>) {
        let reply = self.asker.execute(request(tenant, step)).await;
        let probe = self.next.fetch_add(1, Relaxed);
        let probed = self.listener.probe(LISTENER, probe).await;
        assert_eq!(probed, Ok(()), "{:?}", self.listener.state());
        let mut told = None;
        loop {
            let inbound = timeout(DEADLINE, self.heard.recv()).await.unwrap().unwrap();
            match inbound {
                InboundMessage::Probe { number } if number == probe => return (reply, told),
                InboundMessage::Event {
                    tenant: of, event, ..
                } => {
                    assert_eq!((&of, &told), (tenant, &None));
                    told = Some(event);
                }
                InboundMessage::Packet(_) | InboundMessage::Probe { .. } => panic!("{inbound:?}"),
                InboundMessage::LinkDown | InboundMessage::LinkUp => {
                    panic!("{:?}", self.listener.state())
                }
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

pub fn request(tenant: &TenantId, step: Step) -> StoreRequest {
    StoreRequest {
        tenant: tenant.clone(),
        now_ms: step.now_ms,
        query: step.query,
    }
}

/// Runs cases against one real server and against a Cluster.
pub fn on_all<F: Future<Output = ()>>(cases: impl Fn(Subject) -> F) {
    on_server(&cases);
    if let Some(cluster) = RedisCluster::start() {
        let users = cluster
            .nodes
            .each_ref()
            .map(RedisServer::add_documented_user);
        let url = cluster.url_as(&users[0]);
        run(async { cases(Subject::connect(&url).await).await });
    }
}

/// Where a server is, as the user that the documents describe: it may do all that a node does.
pub fn url_of(redis: &RedisServer) -> String {
    let user = redis.add_documented_user();
    format!("redis://{user}@127.0.0.1:{}", redis.port())
}

/// Runs cases against one real server.
pub fn on_server<F: Future<Output = ()>>(cases: impl Fn(Subject) -> F) {
    if let Some(redis) = RedisServer::start() {
        let url = url_of(&redis);
        run(async { cases(Subject::connect(&url).await).await });
    }
}

pub fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(future)
}
