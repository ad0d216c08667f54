//! A tenant's plan and limits, as operators assign them.

use std::sync::Arc;
use std::time::Duration;

use protocol::http::TenantInfo;
use protocol::{Allowance, LimitChanges, PlanName, UsageMeter};
use router_core::terms::Plan;
use serde_json::{Value, json};

use crate::harness::{Server, eventually, message};
use crate::http::{Answer, exchange};

fn plan(limits: &protocol::Limits, name: &str, number: u64) -> Plan {
    let mut changes = LimitChanges::default();
    changes.set(name, number).unwrap();
    Plan {
        limits: Arc::new(changes.over(limits)),
        allowances: Arc::default(),
    }
}

/// A server with the plans `small`, with little frames, and `month`, with two messages a month.
async fn server() -> Server {
    Server::start_with(|config| {
        config.usage_flush = Duration::from_secs(1);
        let hard = Allowance {
            soft: None,
            hard: Some(2),
        };
        let month = Plan {
            limits: Arc::new(config.limits.clone()),
            allowances: Arc::new([(UsageMeter::MessagesAccepted, hard)].into_iter().collect()),
        };
        let small = plan(&config.limits, "frame_bytes", 1024);
        let name = |text| PlanName::parse(text).unwrap();
        config.plans = [(name("small"), small), (name("month"), month)].into();
    })
    .await
}

async fn ask(server: &Server, method: &str, tenant: &str, body: &str) -> Answer {
    let request = format!(
        "{method} /admin/v1/tenants/{tenant} HTTP/1.1\r\nhost: localhost\r\n{}content-length: {}\r\n\r\n{body}",
        server.admin_bearer(),
        body.len()
    );
    exchange(server.addresses.admin, request.as_bytes()).await
}

async fn put(server: &Server, tenant: &str, body: Value) -> TenantInfo {
    let answer = ask(server, "PUT", tenant, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

async fn get(server: &Server, tenant: &str) -> TenantInfo {
    let answer = ask(server, "GET", tenant, "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

#[tokio::test]
async fn a_tenant_that_nobody_changed_has_what_the_configuration_says() {
    let server = server().await;
    let info = get(&server, "alice").await;
    assert_eq!(
        (info.plan, info.suspended, info.generation),
        (None, false, 0)
    );
    assert_eq!(info.limits, protocol::Limits::default());
    assert!(info.allowances.is_empty() && info.labels.is_empty() && info.persisted);
}

#[tokio::test]
async fn open_sockets_get_the_limits_of_a_plan_at_once() {
    let server = server().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let mut phone = server.client("alice", "phone").await;
    let long = "x".repeat(2000);
    phone.tell("bot_a", &long).await;
    bot.expect("message").await;
    let info = put(&server, "alice", json!({"plan": "small"})).await;
    assert_eq!(info.plan.unwrap().as_str(), "small");
    assert_eq!(info.limits.frame_bytes, 1024);
    phone.send(message("bot_a", &long)).await;
    assert_eq!(phone.closed().await, 1009);

    let mut other = server.bot("bob", "bot_a").await;
    let mut friend = server.client("bob", "phone").await;
    friend.tell("bot_a", &long).await;
    other.expect("message").await;

    let info = put(&server, "alice", json!({})).await;
    assert_eq!((info.plan, info.limits.frame_bytes), (None, 256 * 1024));
    let mut phone = server.client("alice", "phone").await;
    phone.tell("bot_a", &long).await;
}

#[tokio::test]
async fn limits_suspension_and_labels_are_set_together() {
    let server = server().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let order = json!({"limits": {"bots_per_tenant": 1}, "labels": {"region": "eu"}});
    let info = put(&server, "alice", order).await;
    assert_eq!(info.limits.bots_per_tenant, 1);
    assert_eq!(
        serde_json::to_value(&info.labels).unwrap(),
        json!({"region": "eu"})
    );
    let register = json!({"type": "register_bot", "data": {"botId": "bot_b"}});
    bot.refused(register.to_string(), "quota_exceeded").await;

    let info = put(&server, "alice", json!({"suspended": true})).await;
    assert!(info.suspended);
    assert_eq!(info.limits.bots_per_tenant, 1000, "limits are replaced");
    assert!(!info.labels.is_empty(), "labels stay");
    assert_eq!(bot.closed().await, 4403);
    assert_eq!(get(&server, "alice").await, info);
    let info = put(&server, "alice", json!({"suspended": false})).await;
    assert!(!info.suspended);
    server.bot("alice", "bot_a").await;
}

#[tokio::test]
async fn the_allowances_of_a_plan_hold_from_the_order_on() {
    let server = server().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let mut phone = server.client("alice", "phone").await;
    phone.tell("bot_a", "hello").await;
    bot.expect("message").await;
    put(&server, "alice", json!({"plan": "month"})).await;
    phone.tell("bot_a", "hello").await;
    phone
        .refused(message("bot_a", "hello"), "quota_exceeded")
        .await;
    eventually("the use is booked", async || {
        let info = get(&server, "alice").await;
        info.allowances[0].hard == Some(2) && info.allowances[0].used == 2
    })
    .await;
    put(&server, "alice", json!({"plan": null})).await;
    phone.tell("bot_a", "hello").await;
}

#[tokio::test]
async fn what_is_wrong_is_named_and_changes_nothing() {
    let server = server().await;
    for (body, told) in [
        (r#"{"plan":"gold"}"#, "plan: there is no such plan"),
        (r#"{"limits":{"mails":1}}"#, "limits.mails: no such limit"),
        (
            r#"{"limits":{"messages_burst":0}}"#,
            "limits.messages_burst: must be at least 1",
        ),
        (
            r#"{"limits":{"frame_bytes":1000000}}"#,
            "limits.frame_bytes: must be at most 262144",
        ),
        (
            r#"{"limits":{"outbound_bytes":1000}}"#,
            "limits.frame_bytes: a frame of that size would not fit",
        ),
        (r#"{"labels":{"a b":"c"}}"#, "labels: a name must be"),
        (r#"{"price":5}"#, "the body must be {\"plan\":NAME"),
        (r#"{"plan":"a b"}"#, "not a valid plan name"),
        ("[]", "the body must be {\"plan\":NAME"),
    ] {
        let answer = ask(&server, "PUT", "alice", body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        assert!(answer.body.starts_with(told), "{body}: {}", answer.body);
    }
    assert_eq!(ask(&server, "PUT", "a%20b", "{}").await.status, 400);
    let untouched = get(&server, "alice").await;
    assert_eq!(untouched.limits, protocol::Limits::default());
}

#[tokio::test]
async fn what_is_assigned_outlives_the_process() {
    let settings = |config: &mut gateway::config::Config| {
        let small = plan(&config.limits, "bots_per_tenant", 7);
        config.plans = [(PlanName::parse("small").unwrap(), small)].into();
    };
    let mut first = Server::start_with(settings).await;
    let order = json!({"plan": "small", "limits": {"bots_per_socket": 3}});
    put(&first, "alice", order).await;
    first.shutdown.begin();
    (&mut first.running).await.unwrap().unwrap();
    let second = Server::start_in(Arc::clone(&first.dir), settings, None).await;
    let info = get(&second, "alice").await;
    assert_eq!(info.plan.unwrap().as_str(), "small");
    assert_eq!(info.limits.bots_per_tenant, 7);
    assert_eq!(info.limits.bots_per_socket, 3);
}
