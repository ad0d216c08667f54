//! What the log says of connections, and how often.

use tracing::subscriber::DefaultGuard;

use crate::harness::{Server, eventually};
use crate::http::exchange;
use crate::leaks::Output;

/// Gathers what this thread logs; one thread serves all of a test.
fn gather() -> (Output, DefaultGuard) {
    let output = Output::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .with_writer(output.clone());
    let guard = tracing::subscriber::set_default(subscriber.finish());
    (output, guard)
}

/// The lines that hold all of these words.
fn lines(output: &Output, words: &[&str]) -> Vec<String> {
    let text = output.text();
    let lines = text
        .lines()
        .filter(|line| words.iter().all(|word| line.contains(word)));
    lines.map(str::to_owned).collect()
}

async fn line(output: &Output, words: &[&str]) -> String {
    eventually(&format!("{words:?} is logged"), || async {
        !lines(output, words).is_empty()
    })
    .await;
    let found = lines(output, words);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

#[tokio::test]
async fn a_connection_has_a_line_for_each_thing_that_happens() {
    let (output, _guard) = gather();
    let server = Server::start().await;
    let bot = server.bot("alice", "bot_a").await;
    let connected = line(&output, &["INFO", ": connected "]).await;
    for field in [
        "source=127.0.0.1",
        "connection=conn_",
        r#"tenant="alice""#,
        r#"client="bot_a-process""#,
    ] {
        assert!(connected.contains(field), "{field} is not in {connected}");
    }
    let registered = line(&output, &["INFO", "bot registered", "bot=bot_a"]).await;
    assert!(registered.contains(r#"tenant="alice""#), "{registered}");
    drop(bot);
    let gone = line(&output, &["INFO", "disconnected", r#"by="lost""#]).await;
    assert!(gone.contains(r#"tenant="alice""#), "{gone}");
    let mut revoked = server.client("bob", "phone").await;
    server.order("bob", "revoke").await;
    assert_eq!(revoked.closed().await, 4401);
    let words = [
        "disconnected",
        r#"tenant="bob""#,
        "code=4401",
        "unauthorized",
    ];
    let gone = line(&output, &words).await;
    assert!(gone.contains(r#"by="gateway""#), "{gone}");
}

#[tokio::test]
async fn a_refusal_and_a_failed_credential_are_told_with_their_source() {
    let (output, _guard) = gather();
    let server = Server::start().await;
    let request = b"GET /nowhere HTTP/1.1\r\nhost: localhost\r\n\r\n";
    assert_eq!(exchange(server.addresses.public, request).await.status, 404);
    let words = ["INFO", "refused", r#"status="404""#, "source=127.0.0.1"];
    line(&output, &words).await;
    for (head, status) in [
        ("GET /v1/bots HTTP/1.1\r\nhost: evil.example", 421),
        (
            "GET /v1/bots HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.example",
            403,
        ),
        ("PUT /v1/bots HTTP/1.1\r\nhost: localhost", 405),
    ] {
        let request = format!("{head}\r\n\r\n");
        let answer = exchange(server.addresses.public, request.as_bytes()).await;
        assert_eq!(answer.status, status);
        line(&output, &["refused", &format!(r#"status="{status}""#)]).await;
    }
    let wrong = "t2b_alice_0123456789abcdef";
    server.open("/ws", Some(wrong)).await.closed().await;
    let words = ["INFO", "credential refused", "source=127.0.0.1"];
    let refused = line(&output, &words).await;
    assert!(refused.contains(r#"claimed="alice""#), "{refused}");
    let wrapped = "t2b_t2b_alice_0123456789abcdef_0123456789abcdef";
    server.open("/ws", Some(wrapped)).await.closed().await;
    assert_eq!(lines(&output, &["credential refused"]).len(), 2);
    assert!(!output.text().contains("0123456789abcdef"));
}

#[tokio::test]
async fn a_revoked_credential_is_told_as_a_failure() {
    let (output, _guard) = gather();
    let server = Server::start().await;
    let key = server.key("alice");
    server.order("alice", "revoke").await;
    server.open("/ws", Some(&key)).await.closed().await;
    let words = ["credential refused", r#"reason="revoked""#];
    let refused = line(&output, &words).await;
    assert!(refused.contains(r#"claimed="alice""#), "{refused}");
    let order = line(&output, &["policy changed", r#"order="revoke""#]).await;
    assert!(order.contains("peer=127.0.0.1:") && order.contains("admin_token"));
    server.order("alice", "suspend").await;
    server.open("/ws", Some(&key)).await.closed().await;
    line(&output, &["credential refused", r#"reason="suspended""#]).await;
}

#[tokio::test]
async fn throttling_is_told_once_with_source_and_count() {
    let (output, _guard) = gather();
    let server = Server::start().await;
    for _ in 0..15 {
        let wrong = "t2b_alice_0123456789abcdef";
        server.call(wrong, "GET /v1/bots", "").await;
    }
    let words = ["WARN", "credentials throttled", "source=127.0.0.1"];
    let throttled = line(&output, &words).await;
    assert!(throttled.contains("failures=11"), "{throttled}");
    assert_eq!(lines(&output, &["credential refused"]).len(), 10);
}

#[tokio::test]
async fn a_source_has_so_many_lines_a_minute() {
    let (output, _guard) = gather();
    let server = Server::start().await;
    for i in 0..25 {
        server.client("alice", &format!("phone{i}")).await;
    }
    eventually("all are gone", || async {
        server.metric("t2b_connections").await == 0.0
    })
    .await;
    assert_eq!(lines(&output, &[": connected "]).len(), 20);
    assert_eq!(lines(&output, &["disconnected"]).len(), 20);
}

#[tokio::test]
async fn a_proxy_that_is_not_listed_is_warned_about_once() {
    let (output, _guard) = gather();
    let server = Server::start().await;
    let request = "GET /v1/bots HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 192.0.2.1\r\n\r\n";
    for _ in 0..3 {
        exchange(server.addresses.public, request.as_bytes()).await;
    }
    line(&output, &["WARN", "X-Forwarded-For", "trusted_proxies"]).await;
}

#[tokio::test]
async fn a_node_with_few_sockets_says_so() {
    for (sockets_max, expected) in [(63, 1), (64, 0)] {
        let (output, _guard) = gather();
        Server::start_with(|config| config.sockets_max = sockets_max).await;
        let found = lines(&output, &["WARN", "sockets_max"]);
        assert_eq!(found.len(), expected, "{sockets_max} {found:?}");
    }
}
