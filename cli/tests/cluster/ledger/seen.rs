//! Tenants that talk, and what their clients see: a bot that takes messages, and a client that sends them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fixtures::pass_until;
use protocol::{ErrorCode, UsageMeter};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::cluster::TestCluster;
use crate::socket::{TestSocket, outcome_of};

/// How long a client waits for an answer; longer than a lane takes to give up.
const ANSWER: Duration = Duration::from_secs(15);
/// Between two messages of a client.
const PACE: Duration = Duration::from_millis(5);

/// The id of a tenant.
pub fn name(tenant: usize) -> String {
    format!("tenant-{tenant}")
}

/// Something that a client saw, and the node that did it.
pub struct SeenEvent {
    pub node: usize,
    pub at: Instant,
    pub amount: u64,
}

/// What the clients of a tenant saw.
#[derive(Default)]
pub struct SeenTenant {
    pub events: BTreeMap<UsageMeter, Vec<SeenEvent>>,
    /// What may be counted or not: it was never answered.
    pub unsure: BTreeMap<UsageMeter, u64>,
}

/// What the clients of all tenants saw, while they talk.
pub struct SeenUsage {
    pub tenants: Vec<Mutex<SeenTenant>>,
    keys: Vec<String>,
    /// Where the nodes listen.
    addresses: Mutex<Vec<String>>,
    /// Messages that were answered.
    pub answered: AtomicUsize,
    /// Whether the clients are to stop.
    pub is_over: AtomicBool,
}

impl SeenUsage {
    /// Nobody has said anything yet.
    pub fn new(tenants: usize, cluster: &TestCluster) -> Self {
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

    /// A node has another address.
    pub fn moved(&self, node: usize, address: &str) {
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
            pass_until(Instant::now() + Duration::from_millis(50)).await;
        }
        None
    }

    /// A bot that takes messages until all is over.
    pub async fn take(self: Arc<Self>, tenant: usize) {
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
    pub async fn send(self: Arc<Self>, tenant: usize) {
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
                pass_until(Instant::now() + PACE).await;
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
