//! A tenant whose peers count what they send and what they are answered, to be compared with the ledger.

use std::collections::BTreeMap;

use fixtures::until;
use protocol::{ErrorCode, UsageCounts, UsageMeter};
use serde_json::{Value, json};

use crate::cluster::TestCluster;
use crate::gateway::GatewayNode;
use crate::socket::{TestSocket, outcome_of};

/// The meters that a peer can count.
pub const PEER_METERS: [UsageMeter; 7] = [
    UsageMeter::MessagesSent,
    UsageMeter::MessagesAccepted,
    UsageMeter::MessagesDuplicate,
    UsageMeter::MessagesRefusedClient,
    UsageMeter::MessagesDelivered,
    UsageMeter::PartialsDelivered,
    UsageMeter::BytesIn,
];

/// The series of `/metrics/tenants` that are meters, with their labels besides the tenant.
const SERIES: [(UsageMeter, &str, &str); 13] = [
    (
        UsageMeter::MessagesAccepted,
        "messages",
        "outcome=\"accepted\"",
    ),
    (
        UsageMeter::MessagesDuplicate,
        "messages",
        "outcome=\"duplicate\"",
    ),
    (
        UsageMeter::MessagesRefusedClient,
        "messages",
        "outcome=\"refused_client\"",
    ),
    (
        UsageMeter::MessagesRefusedLimit,
        "messages",
        "outcome=\"refused_limit\"",
    ),
    (
        UsageMeter::MessagesRefusedRecipient,
        "messages",
        "outcome=\"refused_recipient\"",
    ),
    (
        UsageMeter::MessagesRefusedPlatform,
        "messages",
        "outcome=\"refused_platform\"",
    ),
    (
        UsageMeter::MessagesDelivered,
        "deliveries",
        "kind=\"message\"",
    ),
    (
        UsageMeter::PartialsDelivered,
        "deliveries",
        "kind=\"partial\"",
    ),
    (UsageMeter::BytesIn, "bytes", "direction=\"in\""),
    (UsageMeter::BytesOut, "bytes", "direction=\"out\""),
    (
        UsageMeter::ConnectionSecondsBot,
        "connection_seconds",
        "kind=\"bot\"",
    ),
    (
        UsageMeter::ConnectionSecondsClient,
        "connection_seconds",
        "kind=\"client\"",
    ),
    (UsageMeter::HttpRequests, "http_requests", ""),
];

/// What the ledger has, by tenant.
pub type LedgerAmounts = BTreeMap<String, BTreeMap<UsageMeter, u64>>;

/// A bot, a client that sends to it, and what both counted.
pub struct CountedTenant {
    pub name: String,
    bot: TestSocket,
    phone: TestSocket,
    /// Frames so far, for their ids.
    frames: u64,
    counts: UsageCounts,
}

impl CountedTenant {
    /// A tenant with its bot on one node and its client on another, or on the same.
    pub async fn connect(cluster: &TestCluster, name: &str, (bot, phone): (usize, usize)) -> Self {
        let mut tenant = Self {
            name: name.to_owned(),
            bot: cluster.socket(bot, name, "bot-process").await,
            phone: cluster.socket(phone, name, "phone").await,
            frames: 0,
            counts: UsageCounts::default(),
        };
        let data = json!({"botId": "bot"});
        let registered = tenant.ask(Peer::Bot, "register_bot", data).await;
        assert_eq!(registered["type"], "bot_registered", "{registered}");
        until("a message reaches the bot", async || {
            let outcome = tenant.say(json!({"to": "bot", "text": "hello"})).await;
            (outcome == "delivered").then_some(())
        })
        .await;
        tenant
    }

    /// Sends a message that is delivered, the same again, one that is refused, and a partial.
    pub async fn talk(&mut self) {
        let id = format!("message-{}", self.frames);
        let message = json!({"to": "bot", "text": "hello", "messageId": id});
        assert_eq!(self.say(message.clone()).await, "delivered");
        assert_eq!(self.say(message).await, "duplicate");
        let unknown = json!({"to": "nobody", "text": "hello"});
        assert_eq!(self.say(unknown).await, "bot_not_found");
        let stream = format!("stream-{}", self.frames);
        let data =
            json!({"to": "phone", "from": "bot", "text": "he", "seq": 1, "streamId": stream});
        self.send(Peer::Bot, "message_partial", data).await;
        self.phone.expect("message_partial").await;
        self.counts[UsageMeter::PartialsDelivered] += 1;
    }

    /// Closes the sockets. Returns what was counted, of the meters of [`PEER_METERS`].
    pub fn close(self) -> (String, UsageCounts) {
        (self.name, self.counts)
    }

    async fn say(&mut self, data: Value) -> String {
        let answer = self.ask(Peer::Phone, "message", data).await;
        let outcome = outcome_of(&answer);
        let meter = match outcome.as_str() {
            "delivered" => UsageMeter::MessagesAccepted,
            "duplicate" => UsageMeter::MessagesDuplicate,
            reason => {
                let code = ErrorCode::ALL.iter().find(|code| code.reason() == reason);
                UsageMeter::refused(code.expect("a reason of the table").class())
            }
        };
        self.counts[meter] += 1;
        self.counts[UsageMeter::MessagesSent] += 1;
        if meter == UsageMeter::MessagesAccepted {
            self.bot.expect("message").await;
            self.counts[UsageMeter::MessagesDelivered] += 1;
        }
        outcome
    }

    async fn ask(&mut self, peer: Peer, kind: &str, data: Value) -> Value {
        let id = self.send(peer, kind, data).await;
        let socket = self.socket(peer);
        let answer = async {
            loop {
                let frame = socket.next().await.expect("an answer, not a close");
                if frame["id"] == id.as_str() {
                    return frame;
                }
            }
        };
        let answer = tokio::time::timeout(fixtures::DEADLINE, answer).await;
        answer.expect("an answer in time")
    }

    /// Sends a frame; its id.
    async fn send(&mut self, peer: Peer, kind: &str, data: Value) -> String {
        self.frames += 1;
        let id = format!("frame-{}", self.frames);
        let frame = json!({"type": kind, "data": data, "id": id});
        self.counts[UsageMeter::BytesIn] += frame.to_string().len() as u64;
        self.socket(peer).send(&frame).await;
        id
    }

    fn socket(&mut self, peer: Peer) -> &mut TestSocket {
        match peer {
            Peer::Bot => &mut self.bot,
            Peer::Phone => &mut self.phone,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Peer {
    Bot,
    Phone,
}

/// What a node counted for each tenant since it started.
pub async fn node_counts(node: &GatewayNode, tenants: &[String]) -> Vec<UsageCounts> {
    let series = node.tenant_metrics().await;
    let counts_of = |tenant: &String| {
        let amounts = SERIES.map(|(meter, name, label)| {
            let comma = if label.is_empty() { "" } else { "," };
            let series_name =
                format!("t2b_tenant_{name}_total{{tenant=\"{tenant}\"{comma}{label}}}");
            let value = series.get(&series_name).copied().unwrap_or(0.0);
            // The ledger has milliseconds where the series has seconds.
            let unit = if name == "connection_seconds" {
                1000.0
            } else {
                1.0
            };
            (meter, (value * unit).round() as u64)
        });
        let mut counts: UsageCounts = amounts.into_iter().collect();
        let outcomes = SERIES.iter().filter(|(_, name, _)| *name == "messages");
        counts[UsageMeter::MessagesSent] = outcomes.map(|(meter, ..)| counts[*meter]).sum();
        counts
    };
    tenants.iter().map(counts_of).collect()
}

/// The ledger has what the peers counted, and in all meters what the nodes counted.
pub fn compare(
    ledger: &LedgerAmounts,
    (tenants, peers): (&[String], &[UsageCounts]),
    nodes: &[Vec<UsageCounts>],
) {
    for (at, tenant) in tenants.iter().enumerate() {
        let booked: UsageCounts = ledger[tenant]
            .iter()
            .map(|(meter, it)| (*meter, *it))
            .collect();
        for meter in PEER_METERS {
            assert_eq!(
                booked[meter], peers[at][meter],
                "{tenant}: {meter}, as peers count"
            );
        }
        let mut counted = UsageCounts::default();
        nodes.iter().for_each(|node| counted.add(&node[at]));
        for meter in UsageMeter::ALL {
            assert_eq!(
                booked[*meter], counted[*meter],
                "{tenant}: {meter}, as nodes count"
            );
        }
    }
}
