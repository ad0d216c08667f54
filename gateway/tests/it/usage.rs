//! What tenants used, over the admin API, the HTTP API and `/metrics/tenants`.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::UsageMeter;
use protocol::http::UsagePage;
use router_core::auth::TokenScope;

use crate::harness::{Server, eventually, message};
use crate::http::{Answer, exchange};

pub const FLUSH: Duration = Duration::from_secs(1);

pub async fn server() -> Server {
    Server::start_with(|config| config.usage_flush = FLUSH).await
}

pub async fn ask(server: &Server, path: &str) -> Answer {
    let path = format!("/admin/v1/{path}");
    server.admin("GET", &path, &server.admin_bearer()).await
}

pub async fn call(server: &Server, path: &str, credential: &str) -> Answer {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {credential}\r\n\r\n"
    );
    exchange(server.addresses.public, request.as_bytes()).await
}

pub async fn page(server: &Server, query: &str) -> UsagePage {
    let answer = ask(server, &format!("usage?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

/// Each meter of a tenant, once everything is booked.
pub async fn booked(server: &Server, tenant: &str) -> BTreeMap<UsageMeter, u64> {
    eventually("all usage is booked", async || {
        let metrics = server.admin("GET", "/metrics", "").await.body;
        metrics.contains("t2b_usage_unflushed_seconds 0\n")
    })
    .await;
    let rows = page(server, &format!("open=true&tenant={tenant}"))
        .await
        .rows;
    let mut sums = BTreeMap::new();
    for row in rows {
        *sums.entry(row.meter).or_default() += row.amount().unwrap();
    }
    sums
}

/// Three messages are delivered, and one is refused.
pub async fn talk(server: &Server, tenant: &str) {
    let mut bot = server.bot(tenant, "bot_a").await;
    let mut phone = server.client(tenant, "phone").await;
    for _ in 0..3 {
        phone.tell("bot_a", "hello").await;
        bot.expect("message").await;
    }
    phone
        .refused(message("bot_b", "hello"), "bot_not_found")
        .await;
}

#[tokio::test]
async fn every_outcome_is_counted_once() {
    let server = server().await;
    talk(&server, "alice").await;
    let listed = call(&server, "/v1/bots", &server.key("alice")).await;
    assert_eq!(listed.status, 200, "{}", listed.body);
    let booked = booked(&server, "alice").await;
    let of = |meter| booked.get(&meter).copied().unwrap_or(0);
    assert_eq!(of(UsageMeter::MessagesSent), 4);
    assert_eq!(of(UsageMeter::MessagesAccepted), 3);
    assert_eq!(of(UsageMeter::MessagesDelivered), 3);
    assert_eq!(of(UsageMeter::MessagesRefusedClient), 1);
    assert_eq!(of(UsageMeter::HttpRequests), 1);
    let register = r#"{"type":"register_bot","data":{"botId":"bot_a"},"id":"r"}"#;
    let frames = 3 * message("bot_a", "hello").len() + message("bot_b", "hello").len();
    assert_eq!(of(UsageMeter::BytesIn), (frames + register.len()) as u64);
    assert!(of(UsageMeter::BytesOut) > 0);
    assert!(page(&server, "open=true&tenant=bob").await.rows.is_empty());
    let check = ask(&server, "usage/check").await.json();
    assert_eq!(check["faults"], serde_json::json!([]));
    // What Prometheus is shown is the same.
    let metrics = server.admin("GET", "/metrics/tenants", "").await.body;
    for line in [
        r#"t2b_tenant_messages_total{tenant="alice",outcome="accepted"} 3"#.to_owned(),
        r#"t2b_tenant_refusals_total{tenant="alice",class="client"} 1"#.to_owned(),
        format!(
            r#"t2b_tenant_bytes_total{{tenant="alice",direction="out"}} {}"#,
            of(UsageMeter::BytesOut)
        ),
        r#"t2b_tenant_connections{tenant="alice",kind="bot"} 0"#.to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }
}

#[tokio::test]
async fn a_partial_and_a_repeat_are_counted_as_such() {
    let server = server().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let mut phone = server.client("alice", "phone").await;
    let partial =
        r#"{"type":"message_partial","data":{"to":"phone","text":"he","seq":1,"streamId":"s"}}"#;
    bot.send(partial).await;
    phone.expect("message_partial").await;
    let repeat =
        r#"{"type":"message","data":{"to":"bot_a","text":"x","messageId":"one"},"id":"m"}"#;
    for status in ["delivered", "duplicate"] {
        assert_eq!(phone.ask(repeat).await["data"]["status"], status);
    }
    drop((bot, phone));
    let booked = booked(&server, "alice").await;
    assert_eq!(booked[&UsageMeter::PartialsDelivered], 1);
    assert_eq!(booked[&UsageMeter::MessagesDuplicate], 1);
    assert_eq!(booked[&UsageMeter::MessagesDelivered], 1);
}

#[tokio::test]
async fn the_owner_sees_the_rows_of_the_own_account() {
    let server = server().await;
    talk(&server, "alice").await;
    talk(&server, "bob").await;
    let right = booked(&server, "alice").await;
    let usage = async |credential: String, query: &str| {
        let path = format!("/v1/usage?open=true&{query}");
        call(&server, &path, &credential).await
    };
    let answer = usage(server.key("alice"), "meter=messages_sent").await;
    let own: UsagePage = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(own.rows.len(), 1);
    assert_eq!(own.rows[0].tenant, "alice");
    assert_eq!(own.rows[0].amount(), Some(right[&UsageMeter::MessagesSent]));
    // The tenant is that of the credential: nobody may ask for another one.
    let other = usage(server.key("alice"), "tenant=bob&meter=messages_sent").await;
    assert_eq!(
        (other.status, &other.json()["field"]),
        (400, &serde_json::json!("query"))
    );
    let token = server.token("alice", "phone", TokenScope::Chat, None, 60);
    let refused = usage(token, "").await;
    assert_eq!(
        (refused.status, refused.json()["reason"].as_str()),
        (403, Some("forbidden_scope"))
    );
}

#[tokio::test]
async fn what_is_wrong_is_a_problem_that_names_the_member() {
    let server = Server::start().await;
    for (query, field) in [
        ("meter=messages", "meter"),
        ("tenant=a%2Fb", "tenant"),
        ("step=week", "step"),
        ("from=2026-11-28&to=2026-11-28", "to"),
        ("from=2026-01-01&to=2026-12-01", "to"),
        ("limit=0", "limit"),
        ("meter=bytes_in&limit=0", "limit"),
        ("cursor=abc", "cursor"),
        ("opne=true", "query"),
        ("limit=1&limit=2", "query"),
    ] {
        // A check is of whole hours and all their meters.
        let has_none = ["meter", "step", "limit"].contains(&field);
        let of_check = if has_none { "query" } else { field };
        for (path, field) in [("usage", field), ("usage/check", of_check)] {
            let answer = ask(&server, &format!("{path}?{query}")).await;
            let problem = answer.json();
            assert_eq!(answer.status, 400, "{query}");
            assert_eq!(problem["field"], field, "{query}");
            assert_eq!(problem["reason"], "bad_request");
        }
    }
}

#[tokio::test]
async fn pages_have_every_row_once_in_each_format() {
    let server = server().await;
    for tenant in ["alice", "bob", "carol"] {
        talk(&server, tenant).await;
    }
    booked(&server, "carol").await;
    let today = page(&server, "open=true&step=day&tenant=alice").await.rows;
    let from = today[0].from.trim_end_matches("T00:00:00Z").to_owned();
    let query = format!("open=true&step=day&from={from}");
    let all = page(&server, &query).await;
    assert_eq!(all.next_cursor, None);
    let ids: Vec<&str> = all.rows.iter().map(|row| row.id.as_str()).collect();
    assert!(ids.len() > 15, "{ids:?}");
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let next = page(&server, &format!("{query}&limit=5{cursor}")).await;
        assert!(next.rows.len() <= 5);
        paged.extend(next.rows.into_iter().map(|row| row.id));
        match next.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(paged, ids);
    // A range without usage has pages without rows, and an end.
    let (mut pages, mut cursor) = (0, String::new());
    loop {
        let empty = "open=true&step=day&from=2020-01-01&to=2020-03-01";
        let next = page(&server, &format!("{empty}{cursor}")).await;
        assert!(next.rows.is_empty());
        pages += 1;
        match next.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!((2..20).contains(&pages), "{pages} pages");
    for (accept, first) in [
        (
            "text/csv",
            "id,tenant,meter,unit,from,to,value,late,closed\r",
        ),
        ("application/x-ndjson", r#"{"id":"t2b:"#),
    ] {
        let head = format!("{}accept: {accept}\r\n", server.admin_bearer());
        let path = format!("/admin/v1/usage?{query}");
        let answer = server.admin("GET", &path, &head).await;
        assert!(answer.body.starts_with(first), "{}", answer.body);
        let rows = answer.body.lines().filter(|line| line.contains("t2b:"));
        assert_eq!(rows.count(), ids.len());
        assert!(answer.head.contains("t2b-as-of: 20"), "{}", answer.head);
        assert!(
            answer.head.contains("t2b-closed-until: 20"),
            "{}",
            answer.head
        );
    }
}

#[tokio::test]
async fn tenants_beyond_the_first_share_a_series() {
    let one = |config: &mut gateway::config::Config| {
        config.usage_flush = FLUSH;
        config.tenant_series_max = 1;
    };
    let server = Server::start_with(one).await;
    talk(&server, "alice").await;
    booked(&server, "alice").await;
    for tenant in ["bob", "carol"] {
        talk(&server, tenant).await;
    }
    booked(&server, "carol").await;
    let metrics = server.admin("GET", "/metrics/tenants", "").await.body;
    let line = r#"t2b_tenant_messages_total{tenant="_other",outcome="accepted"} 6"#;
    assert!(metrics.contains(line), "{metrics}");
    assert!(!metrics.contains("bob") && metrics.contains("alice"));
    let off = Server::start_with(|config| config.tenant_series_max = 0).await;
    assert_eq!(off.admin("GET", "/metrics/tenants", "").await.status, 404);
}
