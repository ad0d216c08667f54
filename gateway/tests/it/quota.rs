//! Monthly allowances of plans, over sockets and the HTTP API.

use std::sync::Arc;
use std::time::Duration;

use protocol::{Allowance, Allowances, PlanName, UsageMeter};
use router_core::terms::Plan;
use serde_json::{Value, json};

use crate::harness::{Server, eventually, message};
use crate::http::{Answer, exchange};

/// A server with a plan for all tenants, which flushes usage every second.
async fn server(allowances: &[(UsageMeter, Allowance)]) -> Server {
    let allowances: Allowances = allowances.iter().copied().collect();
    Server::start_with(|config| {
        let name = PlanName::parse("free").unwrap();
        let plan = Plan {
            limits: Arc::new(config.limits.clone()),
            allowances: Arc::new(allowances),
        };
        config.plans.insert(name.clone(), plan);
        config.default_plan = Some(name);
        config.usage_flush = Duration::from_secs(1);
    })
    .await
}

async fn call(server: &Server, method: &str, path: &str, body: Option<Value>) -> Answer {
    let key = server.key("alice");
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(server.addresses.public, request.as_bytes()).await
}

fn quota_header(answer: &Answer) -> Option<&str> {
    let mut lines = answer.head.lines();
    lines.find_map(|line| line.strip_prefix("t2b-quota: "))
}

#[tokio::test]
async fn a_hard_allowance_refuses_with_meter_and_reset() {
    let both = Allowance {
        soft: Some(2),
        hard: Some(3),
    };
    let server = server(&[(UsageMeter::MessagesAccepted, both)]).await;
    let mut bot = server.bot("alice", "bot_a").await;
    let mut phone = server.client("alice", "phone").await;
    let none = call(&server, "GET", "/v1/bots", None).await;
    assert_eq!((none.status, quota_header(&none)), (200, None));
    for _ in 0..3 {
        phone.tell("bot_a", "hello").await;
        bot.expect("message").await;
    }
    let refused = phone
        .refused(message("bot_a", "hello"), "quota_exceeded")
        .await;
    assert_eq!(refused["data"]["meter"], "messages_accepted");
    assert_eq!(refused["data"]["retryable"], false);
    let resets_ms = refused["data"]["resetsAt"].as_u64().unwrap();
    assert_eq!(resets_ms % 86_400_000, 0, "a month begins with a day");

    let sent = json!({"to": "bot_a", "text": "hello"});
    let problem = call(&server, "POST", "/v1/messages", Some(sent)).await;
    assert_eq!(problem.status, 429, "{}", problem.body);
    let problem: Value = serde_json::from_str(&problem.body).unwrap();
    assert_eq!(problem["reason"], "quota_exceeded");
    assert_eq!(problem["meter"], "messages_accepted");
    assert_eq!(
        problem["detail"],
        "the monthly allowance of messages_accepted is used up"
    );
    assert_eq!(problem["resetsAt"], json!(resets_ms));

    let listed = call(&server, "GET", "/v1/bots", None).await;
    assert_eq!(listed.status, 200, "what is no message is answered");
    let resets_s = resets_ms / 1000;
    let told = format!("messages_accepted;used=3;allowed=2;hard=3;resets={resets_s}");
    assert_eq!(quota_header(&listed), Some(told.as_str()));
    let mut newcomer = server.client("alice", "tablet").await;
    let quota = newcomer.expect("status").await;
    assert_eq!(quota["data"]["type"], "quota");
    assert_eq!(quota["data"]["used"], 3);

    let (path, bearer) = ("/admin/v1/tenants/alice/why", server.admin_bearer());
    let why = server.admin("GET", path, &bearer).await.json();
    let limits = why["limits"].as_array().unwrap();
    let month = json!({"limit": "month.messages_accepted", "used": 3, "most": 3, "reached": true});
    assert!(limits.contains(&month), "{why}");

    let mut other = server.bot("bob", "bot_a").await;
    let mut friend = server.client("bob", "phone").await;
    friend.tell("bot_a", "hello").await;
    other.expect("message").await;
}

#[tokio::test]
async fn a_soft_allowance_is_told_to_open_sockets_once_and_counted() {
    let soft = Allowance {
        soft: Some(2),
        hard: None,
    };
    let server = server(&[(UsageMeter::MessagesAccepted, soft)]).await;
    let reached = r#"t2b_allowances_reached_total{meter="messages_accepted"}"#;
    let mut bot = server.bot("alice", "bot_a").await;
    let mut phone = server.client("alice", "phone").await;
    assert_eq!(server.metric(reached).await, 0.0);
    for _ in 0..3 {
        phone.tell("bot_a", "hello").await;
        bot.expect("message").await;
    }
    let quota = phone.expect("status").await;
    assert_eq!(quota["data"]["type"], "quota");
    let booked = r#"t2b_usage_flush_total{result="booked"}"#;
    let flushes = server.metric(booked).await;
    eventually("two more flushes", async || {
        server.metric(booked).await >= flushes + 2.0
    })
    .await;
    assert_eq!(server.metric(reached).await, 1.0);
}

#[tokio::test]
async fn an_allowance_of_no_requests_closes_the_http_api() {
    let none = Allowance {
        soft: None,
        hard: Some(0),
    };
    let server = server(&[(UsageMeter::HttpRequests, none)]).await;
    let refused = call(&server, "GET", "/v1/bots", None).await;
    assert_eq!(refused.status, 429, "{}", refused.body);
    assert!(refused.body.contains("\"meter\":\"http_requests\""));
    server.bot("alice", "bot_a").await;
}
