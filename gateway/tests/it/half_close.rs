//! Clients that end their sending side once they have sent a request, as `nc -N` does.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::api::{head, lines_of};
use crate::harness::{Server, eventually, unlimited_rates};
use crate::http::{Answer, read_answer};
use crate::slow_http::{ask_for_much, narrow, read_slowly};

/// Sends the bytes and the end at once.
async fn exchange_closed(address: std::net::SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    read_answer(stream).await
}

#[tokio::test]
async fn the_answer_comes_after_the_end_of_the_requests() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let lines = lines_of(&server.key("alice"));
    let get = head("GET /v1/bots", &lines, 0);
    let body = r#"{"to":"bot_a","text":"hello"}"#;
    let post = head("POST /v1/messages", &lines, body.len()) + body;
    for (request, status) in [(get, 200), (post.clone(), 202)] {
        let answer = exchange_closed(server.addresses.public, &request).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(!answer.body.is_empty(), "{answer:?}");
    }
    bot.expect("message").await;
    let nowhere = exchange_closed(server.addresses.public, "GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(nowhere.status, 421, "{nowhere:?}");
    let bearer = server.admin_bearer();
    for path in ["/healthz", "/metrics", "/admin/v1/status"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{bearer}\r\n");
        let answer = exchange_closed(server.addresses.admin, &request).await;
        assert_eq!(answer.status, 200, "{path} {answer:?}");
    }
    let order =
        format!("POST /admin/v1/tenants/bob/suspend HTTP/1.1\r\nhost: localhost\r\n{bearer}\r\n");
    assert_eq!(
        exchange_closed(server.addresses.admin, &order).await.status,
        200
    );
}

#[tokio::test]
async fn a_large_answer_comes_whole() {
    let server = Server::start_with(|config| unlimited_rates(&mut config.limits)).await;
    let mut bot = server.bot("alice", "bot_a").await;
    let mut wire = narrow(&server).await;
    ask_for_much(&server, &mut bot, &mut wire).await;
    // The answer is on its way: it does not fit what the system holds.
    wire.shutdown().await.unwrap();
    let all = read_slowly(&mut wire, usize::MAX).await;
    assert!(all.len() > 920_000, "cut after {} bytes", all.len());
}

#[tokio::test]
async fn the_end_of_the_requests_ends_a_wait_without_a_reply() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let lines = lines_of(&server.key("alice"));
    let body = r#"{"to":"bot_a","text":"hello"}"#;
    let request = head("POST /v1/messages?waitMs=50000", &lines, body.len()) + body;
    let answer = exchange_closed(server.addresses.public, &request).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert!(answer.json()["reply"].is_null(), "{answer:?}");
    bot.expect("message").await;
}

#[tokio::test]
async fn half_of_a_request_is_none() {
    let limit = Duration::from_secs(2);
    let server = Server::start_with(|config| config.handshake_timeout = limit).await;
    let lines = lines_of(&server.key("alice"));
    let begun = std::time::Instant::now();
    let half = exchange_closed(server.addresses.public, "GET /v1/bots HTTP/1.1\r\nho").await;
    assert_eq!(half.head, "", "{half:?}");
    let body = head("POST /v1/messages", &lines, 100) + "{";
    let half = exchange_closed(server.addresses.public, &body).await;
    assert!([0, 400].contains(&half.status), "{half:?}");
    assert!(begun.elapsed() < limit, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn who_is_gone_is_noticed() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let lines = lines_of(&server.key("alice"));
    let body = r#"{"to":"bot_a","text":"hello"}"#;
    let request = head("POST /v1/messages?waitMs=50000", &lines, body.len()) + body;
    let mut stream = TcpStream::connect(server.addresses.public).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    bot.expect("message").await;
    // A reset.
    stream.set_zero_linger().unwrap();
    drop(stream);
    eventually("nobody waits", || async {
        server.metric("t2b_http_waits").await == 0.0
    })
    .await;
}

#[tokio::test]
async fn a_websocket_ends_with_its_sending_side() {
    let server = Server::start().await;
    let request = format!(
        "GET /ws HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
         authorization: Bearer {}\r\n\r\n",
        server.key("alice")
    );
    let answer = exchange_closed(server.addresses.public, &request).await;
    assert!([0, 101].contains(&answer.status), "{answer:?}");
    eventually("no connection is left", || async {
        server.metric("t2b_connections").await == 0.0
    })
    .await;
}
