//! A tenant's plan and limits, as operators assign them.

use std::sync::Arc;
use std::time::Duration;

use protocol::http::TenantInfo;
use protocol::{Allowance, LimitChanges, PlanName, TenantId, UsageMeter};
use router_core::terms::{Plan, TenantSettings};
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
        (
            r#"{"plan":"gold"}"#,
            "plan: there is no plan gold, there are: ",
        ),
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
        (
            r#"{"limits":{"bots_per_socket":1,"bots_per_socket":2}}"#,
            "limits.bots_per_socket: given twice",
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

#[tokio::test]
async fn an_assigned_plan_that_left_the_configuration_may_stay() {
    let settings = |config: &mut gateway::config::Config| {
        let small = plan(&config.limits, "bots_per_tenant", 7);
        config.plans = [(PlanName::parse("small").unwrap(), small)].into();
    };
    let mut first = Server::start_with(settings).await;
    put(&first, "alice", json!({"plan": "small"})).await;
    first.shutdown.begin();
    (&mut first.running).await.unwrap().unwrap();
    let second = Server::start_in(Arc::clone(&first.dir), |_| (), None).await;
    let order = json!({"plan": "small", "labels": {"region": "eu"}});
    let info = put(&second, "alice", order.clone()).await;
    assert_eq!(info.plan, None, "it is ignored");
    assert_eq!(info.assigned.plan.unwrap().as_str(), "small");
    assert!(!info.labels.is_empty());
    let told = "plan: there is no plan small";
    let other = ask(&second, "PUT", "bob", &order.to_string()).await;
    assert!(other.body.starts_with(told), "{}", other.body);
    put(&second, "alice", json!({})).await;
    let gone = ask(&second, "PUT", "alice", &order.to_string()).await;
    assert!(gone.body.starts_with(told), "{}", gone.body);
}

/// Each tenant of the list, page by page, with what its row says.
async fn list(server: &Server, limit: usize) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/admin/v1/tenants?limit={limit}{after}");
        let answer = server.admin("GET", &path, &server.admin_bearer()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let mut page = answer.json();
        let rows = page["tenants"].as_array_mut().unwrap();
        assert!(rows.len() <= limit);
        all.append(rows);
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return all,
        }
    }
}

#[tokio::test]
async fn all_tenants_are_listed_once_whatever_the_page() {
    let server = Server::start_with(|config| {
        config.usage_flush = Duration::from_secs(1);
        let file = TenantId::parse("of-the-file").unwrap();
        config.tenants.insert(file, TenantSettings::default());
    })
    .await;
    let mut expected = vec!["of-the-file".to_owned(), "user".to_owned()];
    for number in 0..10 {
        let tenant = format!("tenant-{number}");
        put(&server, &tenant, json!({"suspended": true})).await;
        expected.push(tenant);
    }
    let mut user = server.bot("user", "bot_a").await;
    user.refused(message("bot_b", "x"), "bot_not_found").await;
    eventually("its usage is booked", async || {
        let rows = list(&server, 100).await;
        let user = rows.iter().find(|row| row["tenant"] == "user");
        user.is_some_and(|row| row["last_used"].is_string())
    })
    .await;
    expected.sort();
    for limit in [1, 3, 100] {
        let rows = list(&server, limit).await;
        let ids = rows.iter().map(|row| row["tenant"].as_str().unwrap());
        let mut ids: Vec<String> = ids.map(str::to_owned).collect();
        ids.sort();
        assert_eq!(ids, expected, "{limit}");
        let suspended = rows.iter().filter(|row| row["suspended"] == true);
        assert_eq!(suspended.count(), 10);
    }
    let path = "/admin/v1/tenants?limit=0";
    let bad = server.admin("GET", path, &server.admin_bearer()).await;
    assert_eq!(bad.status, 400);
}

#[tokio::test]
async fn a_deleted_tenant_is_out_and_its_usage_stays() {
    let server = server().await;
    let old = server.key("alice");
    let mut bot = server.bot("alice", "bot_a").await;
    let mut phone = server.client("alice", "phone").await;
    phone.tell("bot_a", "hello").await;
    bot.expect("message").await;
    let order = json!({"plan": "small", "labels": {"region": "eu"}});
    put(&server, "alice", order).await;
    // Its usage is not booked yet.
    let answer = ask(&server, "DELETE", "alice", "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!((phone.closed().await, bot.closed().await), (4401, 4401));
    let info = get(&server, "alice").await;
    assert_eq!((info.plan, info.generation), (None, 1));
    assert!(info.labels.is_empty());
    let mut again = server.open("/ws", Some(&old)).await;
    assert_eq!(again.closed().await, 4401);
    eventually("its usage is booked", async || {
        let path = "/admin/v1/usage?open=true&tenant=alice&meter=messages_accepted";
        let usage = server.admin("GET", path, &server.admin_bearer()).await;
        usage.json()["rows"][0]["value"] == 1
    })
    .await;
}
