//! An operator assigns a plan through one node, and it holds on both: without a reconnect, over a restart, and until
//! the tenant is deleted.

use fixtures::{DEADLINE, until};
use protocol::http::TenantInfo;
use protocol::{UsageHour, UsageMeter};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::cluster::{ClusterSetup, TestCluster};
use crate::ledger::read_ledger;
use crate::socket::{CloseStatus, TestSocket, outcome_of};

const TENANT: &str = "alice";
const PATH: &str = "/admin/v1/tenants/alice";
/// A tenant that has its plan from the file.
const OF_THE_FILE: &str = "bob";
const PLANS: &str = "
[plans.small.limits]
bots_per_tenant = 2
[plans.small.month]
messages_accepted = { hard = 3 }

[plans.large.month]
messages_accepted = { hard = 1000000 }

[plans.none.month]
messages_sent = { hard = 0 }

[tenants.bob]
plan = \"none\"
";
/// Messages of each phone before a plan is assigned; together more than the small plan allows.
const BEFORE: usize = 2;

pub async fn an_assigned_plan_holds_on_every_node() -> String {
    let mut cluster = TestCluster::start(ClusterSetup {
        nodes: 2,
        config: PLANS,
        environment: vec![("T2B_USAGE_FLUSH", "1s".to_owned())],
        ..ClusterSetup::default()
    })
    .await;
    let mut bots = Vec::new();
    for node in [0, 1] {
        bots.push(read_on(cluster.bot(node, TENANT, &bot(node)).await));
    }
    cluster.bots_online(TENANT, &["bot-0", "bot-1"]).await;
    let mut accepted = 0;
    let mut phones = [phone(&cluster, 0).await, phone(&cluster, 1).await];
    for (node, phone) in phones.iter_mut().enumerate() {
        for _ in 0..BEFORE {
            assert_eq!(phone.say(&bot(1 - node), "hello").await, "delivered");
            accepted += 1;
        }
    }

    cluster.nodes[0].put(PATH, &json!({"plan": "small"})).await;
    for (node, phone) in phones.iter_mut().enumerate() {
        accepted += until_refused(phone, &bot(1 - node)).await;
        // The limits of the plan hold as well.
        let another = json!({"botId": "another"});
        let refused = phone.ask("register_bot", another).await;
        assert_eq!(outcome_of(&refused), "quota_exceeded", "{refused}");
    }

    let [first, _] = phones;
    cluster.nodes[1].stop().await;
    cluster.nodes[1].restart().await;
    cluster.is_whole().await;
    bots[1] = read_on(cluster.bot(1, TENANT, &bot(1)).await);
    cluster.bots_online(TENANT, &["bot-0", "bot-1"]).await;
    let mut phones = [first, phone(&cluster, 1).await];
    plan_is(&cluster, "small").await;
    for (node, phone) in phones.iter_mut().enumerate() {
        accepted += until_refused(phone, &bot(1 - node)).await;
    }
    is_refused_by_the_file(&cluster).await;

    cluster.nodes[1].put(PATH, &json!({"plan": "large"})).await;
    plan_is(&cluster, "large").await;
    for (node, phone) in phones.iter_mut().enumerate() {
        until("messages are accepted again", async || {
            let outcome = phone.say(&bot(1 - node), "hello").await;
            (outcome == "delivered").then_some(())
        })
        .await;
        accepted += 1;
        phone.register(&format!("another-{node}")).await;
    }

    cluster.nodes[0].delete(PATH).await;
    for mut phone in phones {
        assert_eq!(phone.closed().await, 4401);
    }
    for bot in bots {
        let closed = timeout(DEADLINE, bot).await;
        assert_eq!(closed.expect("a close in time").unwrap(), 4401);
    }
    for node in &cluster.nodes {
        let again = TestSocket::connect(&node.public, &cluster.key(TENANT), "phone").await;
        assert_eq!(again.err(), Some(4401));
    }
    is_exported(&cluster, accepted).await;
    format!("{accepted} messages were accepted, and are in the ledger of the deleted tenant")
}

fn bot(node: usize) -> String {
    format!("bot-{node}")
}

async fn phone(cluster: &TestCluster, node: usize) -> TestSocket {
    cluster.socket(node, TENANT, &format!("phone-{node}")).await
}

/// Reads what a bot gets, so that it stays online. Its close code in the end.
fn read_on(mut bot: TestSocket) -> JoinHandle<CloseStatus> {
    tokio::spawn(async move {
        loop {
            if let Err(code) = bot.next().await {
                return code;
            }
        }
    })
}

/// Sends until the allowance refuses, which names its meter and when it begins anew. How many messages were
/// accepted before.
async fn until_refused(phone: &mut TestSocket, bot: &str) -> u64 {
    let mut accepted = 0;
    let refused = until("the allowance refuses", async || {
        let message = json!({"to": bot, "text": "hello"});
        let answer = phone.ask("message", message).await;
        if outcome_of(&answer) == "quota_exceeded" {
            return Some(answer);
        }
        assert_eq!(outcome_of(&answer), "delivered");
        accepted += 1;
        None
    })
    .await;
    let now = UsageHour::of(refused["timestamp"].as_u64().unwrap());
    let data = &refused["data"];
    assert_eq!(data["meter"], "messages_accepted", "{refused}");
    assert_eq!(data["resetsAt"], now.next_month().start_ms(), "{refused}");
    accepted
}

/// Every node says that this plan holds for the tenant.
async fn plan_is(cluster: &TestCluster, plan: &str) {
    for node in &cluster.nodes {
        let (status, body) = node.get(PATH).await.expect("an answer");
        assert_eq!(status, 200, "{body}");
        let info: TenantInfo = serde_json::from_str(&body).unwrap();
        assert_eq!(info.plan.unwrap().as_str(), plan, "{body}");
    }
}

/// A tenant whose plan is in the file may send no message, on any node.
async fn is_refused_by_the_file(cluster: &TestCluster) {
    for node in [0, 1] {
        let mut socket = cluster.socket(node, OF_THE_FILE, "phone").await;
        let message = json!({"to": "bot", "text": "hello"});
        let refused = socket.ask("message", message).await;
        assert_eq!(outcome_of(&refused), "quota_exceeded", "{refused}");
        assert_eq!(refused["data"]["meter"], "messages_sent", "{refused}");
    }
}

/// The usage of the tenant, to the last message that was accepted, can be exported after the tenant is deleted.
async fn is_exported(cluster: &TestCluster, accepted: u64) {
    for node in &cluster.nodes {
        until("all is exported", async || {
            let ledger = read_ledger(node).await;
            (ledger[TENANT][&UsageMeter::MessagesAccepted] == accepted).then_some(())
        })
        .await;
        let checked = node.usage_check().await;
        assert!(checked.contains(" 0 things wrong"), "{checked}");
    }
}
