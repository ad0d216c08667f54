//! Usage: gateways are killed, Redis is killed and away, and the ledger has what clients saw.
//!
//! Each tenant has a bot that takes messages, and a client that sends them. What a client was answered is
//! counted here, with the node and the time. The ledger may lack what a node answered in the moment before it
//! was killed; nothing else, and it may have nothing more.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fixtures::{pass_until, until};
use protocol::http::{UsagePage, UsageRow};
use protocol::{ErrorCode, UsageMeter};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::cluster::{ClusterSetup, TestCluster};
use crate::socket::{TestSocket, outcome_of};

/// How often nodes write their journal; and how much later a write may be on a busy machine.
const JOURNAL: Duration = Duration::from_millis(100);
const LATE: Duration = Duration::from_millis(400);
/// How long a client waits for an answer; longer than a lane takes to give up.
const ANSWER: Duration = Duration::from_secs(15);
/// Between two messages of a client.
const PACE: Duration = Duration::from_millis(5);

/// How long, and how much is broken.
struct LedgerPlan {
    tenants: usize,
    kills: usize,
    redis_kills: usize,
    /// How often Redis is away, and for how long.
    outages: (usize, Duration),
    /// Between two of these.
    pause: Duration,
}

const SHORT: LedgerPlan = LedgerPlan {
    tenants: 20,
    kills: 4,
    redis_kills: 1,
    outages: (1, Duration::from_secs(4)),
    pause: Duration::from_millis(1500),
};
const LONG: LedgerPlan = LedgerPlan {
    tenants: 200,
    kills: 20,
    redis_kills: 5,
    outages: (3, Duration::from_secs(30)),
    pause: Duration::from_secs(12),
};

pub async fn the_ledger_is_what_clients_saw() -> String {
    let is_long = std::env::var("TEST_LEDGER").is_ok_and(|asked| asked == "long");
    run(if is_long { LONG } else { SHORT }).await
}

async fn run(plan: LedgerPlan) -> String {
    let mut cluster = TestCluster::start(ClusterSetup {
        appendonly: true,
        config: "\n",
        environment: vec![("T2B_USAGE_FLUSH", "1s".to_owned())],
        ..ClusterSetup::default()
    })
    .await;
    let seen = Arc::new(SeenUsage::new(plan.tenants, &cluster));
    let mut talkers = JoinSet::new();
    for tenant in 0..plan.tenants {
        talkers.spawn(Arc::clone(&seen).take(tenant));
        talkers.spawn(Arc::clone(&seen).send(tenant));
    }
    until("messages are delivered", async || {
        (seen.answered.load(Ordering::Relaxed) > plan.tenants * 5).then_some(())
    })
    .await;

    let mut kills = Vec::new();
    for number in 0..plan.kills {
        pass_until(Instant::now() + plan.pause).await;
        let node = number % cluster.nodes.len();
        cluster.nodes[node].kill();
        kills.push((node, Instant::now()));
        cluster.nodes[node].restart().await;
        seen.moved(node, &cluster.nodes[node].public);
    }
    for _ in 0..plan.redis_kills {
        pass_until(Instant::now() + plan.pause).await;
        cluster.redis.kill();
        cluster.redis.restart();
    }
    for _ in 0..plan.outages.0 {
        cluster.redis.stop();
        pass_until(Instant::now() + plan.outages.1).await;
        cluster.redis.restart();
        pass_until(Instant::now() + plan.pause).await;
    }
    // A rolling restart.
    for node in 0..cluster.nodes.len() {
        cluster.nodes[node].stop().await;
        cluster.nodes[node].restart().await;
        seen.moved(node, &cluster.nodes[node].public);
        cluster.is_whole().await;
    }
    pass_until(Instant::now() + plan.pause).await;
    seen.is_over.store(true, Ordering::Relaxed);
    while let Some(talked) = talkers.join_next().await {
        talked.unwrap();
    }
    // What ends without being killed books the rest.
    for node in &mut cluster.nodes {
        node.stop().await;
    }
    let reader = &mut cluster.nodes[0];
    reader.restart().await;
    let ledger = read_ledger(reader).await;
    let checked = reader.usage_check().await;
    assert!(checked.contains(" 0 things wrong"), "{checked}");
    let lost = compare(&seen, &ledger, &kills);
    let messages = seen.answered.load(Ordering::Relaxed);
    format!(
        "{} tenants, {messages} messages answered, {} kills of nodes, {} of redis, {} outages; {lost} messages were answered and not journaled; {checked}",
        plan.tenants, plan.kills, plan.redis_kills, plan.outages.0
    )
}

/// Every row of the ledger, by tenant.
async fn read_ledger(
    node: &crate::gateway::GatewayNode,
) -> BTreeMap<String, BTreeMap<UsageMeter, u64>> {
    let mut ledger: BTreeMap<String, BTreeMap<UsageMeter, u64>> = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/admin/v1/usage?open=true&step=day{cursor}");
        let (status, body) = node.get(&path).await.expect("an answer");
        assert_eq!(status, 200, "{body}");
        let page: UsagePage = serde_json::from_str(&body).unwrap();
        for row in page.rows {
            let amount = UsageRow::amount(&row).unwrap();
            *ledger
                .entry(row.tenant)
                .or_default()
                .entry(row.meter)
                .or_default() += amount;
        }
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ledger,
        }
    }
}

fn compare(
    seen: &SeenUsage,
    ledger: &BTreeMap<String, BTreeMap<UsageMeter, u64>>,
    kills: &[(usize, Instant)],
) -> u64 {
    let mut lost = 0;
    let is_lost = |event: &SeenEvent| {
        let mut kills = kills.iter().filter(|(node, _)| *node == event.node);
        kills.any(|(_, at)| event.at + JOURNAL + LATE >= *at && event.at <= *at + LATE)
    };
    for (number, tenant) in seen.tenants.iter().enumerate() {
        let tenant = tenant.lock().unwrap();
        let name = name(number);
        let booked = &ledger[&name];
        for (meter, events) in &tenant.events {
            let sum = |events: &mut dyn Iterator<Item = &SeenEvent>| -> u64 {
                events.map(|event| event.amount).sum()
            };
            let mut all = sum(&mut events.iter());
            if *meter == UsageMeter::MessagesDelivered {
                // One that is accepted is in the bot's queue, also if the bot never reads it.
                let accepted = tenant.events.get(&UsageMeter::MessagesAccepted);
                all = all.max(sum(&mut accepted.into_iter().flatten()));
            }
            let least = sum(&mut events.iter().filter(|event| !is_lost(event)));
            let unsure = tenant.unsure.get(meter).copied().unwrap_or(0);
            let amount = booked.get(meter).copied().unwrap_or(0);
            assert!(
                amount >= least && amount <= all + unsure,
                "{name}: {meter} is {amount}, and {least} to {all} + {unsure} were seen"
            );
            if *meter == UsageMeter::MessagesSent {
                lost += all.saturating_sub(amount);
            }
        }
    }
    lost
}

fn name(tenant: usize) -> String {
    format!("tenant-{tenant}")
}

/// Something that a client saw, and the node that did it.
struct SeenEvent {
    node: usize,
    at: Instant,
    amount: u64,
}

/// What the clients of a tenant saw.
#[derive(Default)]
struct SeenTenant {
    events: BTreeMap<UsageMeter, Vec<SeenEvent>>,
    /// What may be counted or not: it was never answered.
    unsure: BTreeMap<UsageMeter, u64>,
}

struct SeenUsage {
    tenants: Vec<Mutex<SeenTenant>>,
    keys: Vec<String>,
    /// Where the nodes listen.
    addresses: Mutex<Vec<String>>,
    answered: AtomicUsize,
    is_over: AtomicBool,
}

impl SeenUsage {
    fn new(tenants: usize, cluster: &TestCluster) -> Self {
        let addresses = cluster.nodes.iter().map(|node| node.public.clone());
        Self {
            tenants: (0..tenants).map(|_| Mutex::default()).collect(),
            keys: (0..tenants)
                .map(|tenant| cluster.key(&name(tenant)))
                .collect(),
            addresses: Mutex::new(addresses.collect()),
            answered: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        }
    }

    fn moved(&self, node: usize, address: &str) {
        address.clone_into(&mut self.addresses.lock().unwrap()[node]);
    }

    fn over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn saw(&self, tenant: usize, node: usize, meter: UsageMeter, amount: u64) {
        let event = SeenEvent {
            node,
            at: Instant::now(),
            amount,
        };
        let mut seen = self.tenants[tenant].lock().unwrap();
        seen.events.entry(meter).or_default().push(event);
    }

    fn unsure(&self, tenant: usize, meter: UsageMeter, amount: u64) {
        let mut seen = self.tenants[tenant].lock().unwrap();
        *seen.unsure.entry(meter).or_default() += amount;
    }

    /// A socket on any node that takes one, and which node that is.
    async fn socket(
        &self,
        tenant: usize,
        client: &str,
        first: usize,
    ) -> Option<(TestSocket, usize)> {
        for attempt in first.. {
            let nodes = self.addresses.lock().unwrap().clone();
            let node = attempt % nodes.len();
            let connected = TestSocket::connect(&nodes[node], &self.keys[tenant], client).await;
            if let Ok(socket) = connected {
                return Some((socket, node));
            }
            if self.over() {
                return None;
            }
            sleep(Duration::from_millis(50)).await;
        }
        None
    }

    /// A bot that takes messages until all is over.
    async fn take(self: Arc<Self>, tenant: usize) {
        while let Some((mut socket, node)) = self.socket(tenant, "bot-process", tenant).await {
            let register = json!({"type": "register_bot", "data": {"botId": "bot"}, "id": "r"});
            let bytes = register.to_string().len() as u64;
            self.unsure(tenant, UsageMeter::BytesIn, bytes);
            if socket.try_send(&register).await.is_err() {
                continue;
            }
            loop {
                match timeout(Duration::from_millis(200), socket.next()).await {
                    Ok(Ok(frame)) if frame["type"] == "message" => {
                        self.saw(tenant, node, UsageMeter::MessagesDelivered, 1);
                    }
                    Ok(Ok(frame)) if frame["id"] == "r" && frame["type"] == "error" => break,
                    Ok(Ok(_)) => {}
                    Ok(Err(_)) => break,
                    Err(_) if self.over() => return,
                    Err(_) => {}
                }
            }
        }
    }

    /// A client that sends messages one after the other until all is over.
    async fn send(self: Arc<Self>, tenant: usize) {
        let mut number = 0;
        while !self.over() {
            let Some((mut socket, node)) = self.socket(tenant, "phone", tenant + 1).await else {
                return;
            };
            while !self.over() {
                number += 1;
                if !self.send_one(&mut socket, (tenant, node), number).await {
                    break;
                }
                sleep(PACE).await;
            }
        }
    }

    /// Sends a message. False: the socket is gone.
    async fn send_one(
        &self,
        socket: &mut TestSocket,
        (tenant, node): (usize, usize),
        number: u64,
    ) -> bool {
        let id = format!("m{number}");
        let data = json!({"to": "bot", "text": "a message of usual length", "messageId": id});
        let frame = json!({"type": "message", "data": data, "id": id});
        let bytes = frame.to_string().len() as u64;
        let sent = socket.try_send(&frame).await;
        let answer = match sent {
            Ok(()) => timeout(ANSWER, answer_to(socket, &id)).await.ok().flatten(),
            Err(_) => None,
        };
        let Some(answer) = answer else {
            for meter in UsageMeter::ALL {
                self.unsure(
                    tenant,
                    *meter,
                    if *meter == UsageMeter::BytesIn {
                        bytes
                    } else {
                        1
                    },
                );
            }
            return false;
        };
        let outcome = match outcome_of(&answer).as_str() {
            "delivered" => UsageMeter::MessagesAccepted,
            "duplicate" => UsageMeter::MessagesDuplicate,
            reason => {
                let code = ErrorCode::ALL.iter().find(|code| code.reason() == reason);
                UsageMeter::refused(code.expect("a reason of the table").class())
            }
        };
        // Its answer was lost, or the bot left: it may be in the bot's queue all the same.
        if outcome == UsageMeter::MessagesRefusedPlatform {
            self.unsure(tenant, UsageMeter::MessagesDelivered, 1);
        }
        self.saw(tenant, node, outcome, 1);
        self.saw(tenant, node, UsageMeter::MessagesSent, 1);
        self.saw(tenant, node, UsageMeter::BytesIn, bytes);
        self.answered.fetch_add(1, Ordering::Relaxed);
        true
    }
}

/// The frame with an id. `None`: the socket is closed before it comes.
async fn answer_to(socket: &mut TestSocket, id: &str) -> Option<Value> {
    loop {
        let frame = socket.next().await.ok()?;
        if frame["id"] == id {
            return Some(frame);
        }
    }
}
