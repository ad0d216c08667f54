//! A leak is planted into each meter of the ledger in Redis, and `t2b usage check` finds it.
//!
//! A tenant uses every meter. Another Redis client then changes one amount of one hour: an hour that is open, or
//! one that is closed. The check exits with 1 and names the tenant and the hour. Once the amount is as it was,
//! the check exits with 0.

use std::collections::BTreeSet;
use std::ops::Range;

use fixtures::{RedisServer, RespValue, until};
use protocol::{UsageHour, UsageMeter};
use serde_json::{Value, json};

use crate::cluster::{ClusterSetup, TestCluster};
use crate::gateway::GatewayNode;
use crate::socket::outcome_of;

const TENANT: &str = "alice";
/// A tenant with this plan may send no message.
const PLAN: &str = "
[plans.none.month]
messages_sent = { hard = 0 }
";
/// Says that messages and outcomes do not add up.
const SUM: &str = "and its outcomes add up to";
/// Says that an amount is not what was booked.
const NUMBER: &str = "the check number is wrong";

/// What finds a leak in each meter.
const METERS: [(UsageMeter, &[&str]); UsageMeter::COUNT] = [
    (UsageMeter::MessagesSent, &[SUM, NUMBER]),
    (UsageMeter::MessagesAccepted, &[SUM, NUMBER]),
    (UsageMeter::MessagesDuplicate, &[SUM, NUMBER]),
    (UsageMeter::MessagesRefusedClient, &[SUM, NUMBER]),
    (UsageMeter::MessagesRefusedLimit, &[SUM, NUMBER]),
    (UsageMeter::MessagesRefusedRecipient, &[SUM, NUMBER]),
    (UsageMeter::MessagesRefusedPlatform, &[SUM, NUMBER]),
    (UsageMeter::MessagesDelivered, &[NUMBER]),
    (UsageMeter::PartialsDelivered, &[NUMBER]),
    (UsageMeter::BytesIn, &[NUMBER]),
    (UsageMeter::BytesOut, &[NUMBER]),
    (UsageMeter::ConnectionSecondsBot, &[NUMBER]),
    (UsageMeter::ConnectionSecondsClient, &[NUMBER]),
    (UsageMeter::HttpRequests, &[NUMBER]),
];

/// What happens to an amount.
#[derive(Debug, Clone, Copy)]
enum PlantedLeak {
    Lowered,
    Raised,
    Deleted,
}

pub async fn the_check_finds_a_leak_in_each_meter() -> String {
    let mut cluster = TestCluster::start(ClusterSetup {
        nodes: 2,
        config: PLAN,
        environment: vec![("T2B_USAGE_FLUSH", "1s".to_owned())],
        ..ClusterSetup::default()
    })
    .await;
    use_every_meter(&mut cluster).await;
    let node = &cluster.nodes[0];
    until("all usage is booked", async || {
        let metrics = node.metrics().await;
        let is_over = metrics["t2b_connections"] == 0.0;
        (is_over && metrics["t2b_usage_unflushed_seconds"] == 0.0).then_some(())
    })
    .await;

    let ledger = DamagedLedger::of(&cluster.redis);
    ledger.is_closed(node).await;
    let covered: BTreeSet<_> = METERS.iter().map(|(meter, _)| *meter).collect();
    assert_eq!(covered.len(), UsageMeter::COUNT, "a meter is named twice");
    let mut found = 0;
    ledger.is_right(node).await;
    for (meter, finders) in METERS {
        let open = ledger.hour_of(meter);
        for (hour, leak) in [
            (open, PlantedLeak::Lowered),
            (open, PlantedLeak::Deleted),
            (closed_copy(open), PlantedLeak::Lowered),
            (closed_copy(open), PlantedLeak::Raised),
        ] {
            let amount = ledger.plant((hour, meter), leak);
            ledger.is_found(node, hour, finders).await;
            ledger.repair((hour, meter), &amount);
            found += 1;
        }
        ledger.is_right(node).await;
    }
    format!("{found} leaks in {} meters, each found", METERS.len())
}

/// Every meter of the tenant counts something, and then no socket is open any more.
async fn use_every_meter(cluster: &mut TestCluster) {
    let mut near = cluster.bot(0, TENANT, "near").await;
    let gone = cluster.bot(0, TENANT, "gone").await;
    let far = cluster.bot(1, TENANT, "far").await;
    let mut phone = cluster.socket(0, TENANT, "phone").await;
    cluster.bots_online(TENANT, &["far", "gone", "near"]).await;
    drop(gone);
    until("a bot is offline", async || {
        let online = phone.bots_online().await;
        (!online.contains(&"gone".to_owned())).then_some(())
    })
    .await;

    let once = json!({"to": "near", "text": "hello", "messageId": "once"});
    for outcome in ["delivered", "duplicate"] {
        let answer = phone.ask("message", once.clone()).await;
        assert_eq!(outcome_of(&answer), outcome);
    }
    assert_eq!(phone.say("gone", "hello").await, "bot_offline");
    assert_eq!(phone.say("unknown", "hello").await, "bot_not_found");
    let partial = json!({"to": "phone", "from": "near", "text": "he", "seq": 1, "streamId": "s"});
    near.send(&json!({"type": "message_partial", "data": partial}))
        .await;
    phone.expect("message_partial").await;
    let body = json!({"to": "near", "text": "hello"});
    let key = cluster.key(TENANT);
    let posted = cluster.nodes[0].post("/v1/messages", &key, &body).await;
    assert_eq!(posted.expect("an answer").0, 202);

    cluster.nodes[1].kill();
    let outcome = phone.say("far", "hello").await;
    assert!(
        ["delivery_unknown", "unreachable"].contains(&outcome.as_str()),
        "{outcome}"
    );
    let tenant = format!("/admin/v1/tenants/{TENANT}");
    let order = json!({"plan": "none"});
    cluster.nodes[0].put(&tenant, &order).await;
    assert_eq!(phone.say("near", "hello").await, "quota_exceeded");
    drop((near, far, phone));
}

/// The hours of the tenant in Redis, each also as a closed hour.
struct DamagedLedger<'a> {
    redis: &'a RedisServer,
    /// The hours in which the tenant used something: one, or two if an hour ended meanwhile.
    open: Range<UsageHour>,
}

/// The hour that has the same amounts as an open one, and is closed.
fn closed_copy(open: UsageHour) -> UsageHour {
    // The hour before may still take records.
    open.minus(2)
}

fn key(hour: UsageHour) -> String {
    format!("t2b:{{{TENANT}}}:usage:{hour}")
}

impl<'a> DamagedLedger<'a> {
    /// Copies each hour, so that there is a closed one too.
    fn of(redis: &'a RedisServer) -> Self {
        let keys = redis.command(&["KEYS", &format!("t2b:{{{TENANT}}}:usage:2*")]);
        let keys = keys.members().iter();
        let hours = keys.map(|key| key.text().rsplit_once(':').unwrap().1.to_owned());
        let hours: Vec<_> = hours.map(|hour| UsageHour::parse(&hour).unwrap()).collect();
        for hour in &hours {
            let closed = closed_copy(*hour);
            redis.command(&["COPY", &key(*hour), &key(closed)]);
            let (day, other) = (hour.day().day_text(), closed.day().day_text());
            let parts = redis.command(&["KEYS", &format!("t2b:usage:{day}:*")]);
            for part in parts.members() {
                // Within a day it is a copy onto itself, which Redis refuses.
                let copy = part.text().replace(&day, &other);
                if copy != part.text() {
                    redis.command(&["COPY", part.text(), &copy]);
                }
            }
        }
        let (first, last) = (hours.iter().min().unwrap(), hours.iter().max().unwrap());
        Self {
            redis,
            open: *first..last.plus(1),
        }
    }

    /// The first hour in which the tenant used this meter.
    fn hour_of(&self, meter: UsageMeter) -> UsageHour {
        let numbers = self.open.start.number()..self.open.end.number();
        let mut hours = numbers.filter_map(UsageHour::from_number);
        let used = hours.find(|hour| self.amount((*hour, meter)) != "0");
        used.unwrap_or_else(|| panic!("{meter} is not used"))
    }

    fn amount(&self, (hour, meter): (UsageHour, UsageMeter)) -> String {
        let amount = self.redis.command(&["HGET", &key(hour), meter.name()]);
        match amount == RespValue::Null {
            true => "0".to_owned(),
            false => amount.text().to_owned(),
        }
    }

    /// Changes an amount. Returns what it was.
    fn plant(&self, of: (UsageHour, UsageMeter), leak: PlantedLeak) -> String {
        let amount = self.amount(of);
        let (key, meter) = (key(of.0), of.1.name());
        match leak {
            PlantedLeak::Lowered => self.redis.command(&["HINCRBY", &key, meter, "-1"]),
            PlantedLeak::Raised => self.redis.command(&["HINCRBY", &key, meter, "1"]),
            PlantedLeak::Deleted => self.redis.command(&["HDEL", &key, meter]),
        };
        assert_ne!(self.amount(of), amount, "{meter}: {leak:?}");
        amount
    }

    fn repair(&self, (hour, meter): (UsageHour, UsageMeter), amount: &str) {
        self.redis
            .command(&["HSET", &key(hour), meter.name(), amount]);
    }

    /// Waits until the rows of the copies are closed for readers.
    async fn is_closed(&self, node: &GatewayNode) {
        let from = closed_copy(self.open.start);
        let path = format!(
            "/admin/v1/usage?from={}&to={}",
            from.rfc3339(),
            from.plus(1).rfc3339()
        );
        until("the copy is closed", async || {
            let (status, body) = node.get(&path).await?;
            let page: Value = serde_json::from_str(&body).unwrap();
            let rows = page["rows"].as_array()?;
            (status == 200 && !rows.is_empty()).then_some(())
        })
        .await;
    }

    async fn is_right(&self, node: &GatewayNode) {
        let (code, printed) = self.check(node).await;
        assert_eq!(code, Some(0), "{printed}");
        assert!(printed.ends_with(" 0 things wrong\n"), "{printed}");
    }

    /// The check finds this hour, and nothing else.
    async fn is_found(&self, node: &GatewayNode, hour: UsageHour, finders: &[&str]) {
        let (code, printed) = self.check(node).await;
        assert_eq!(code, Some(1), "{printed}");
        let lines: Vec<_> = printed.lines().collect();
        let (_, faults) = lines.split_last().unwrap();
        assert_eq!(faults.len(), finders.len(), "{printed}");
        let begin = format!("{TENANT} {}: ", hour.rfc3339());
        for (fault, finder) in faults.iter().zip(finders) {
            assert!(
                fault.starts_with(&begin) && fault.contains(finder),
                "{printed}"
            );
        }
    }

    async fn check(&self, node: &GatewayNode) -> (Option<i32>, String) {
        let from = closed_copy(self.open.start).rfc3339();
        node.usage_check_from(&from).await
    }
}
