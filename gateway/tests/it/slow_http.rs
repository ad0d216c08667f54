//! HTTP at the pace of its peer: what moves on is not cut, what stands still is.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::api::{head, lines_of, say};
use crate::harness::{SOON, Server, Socket, eventually, unlimited_rates};

/// How long a peer may stand still.
const LIMIT: Duration = Duration::from_millis(500);
/// Texts of a reply, bytes: more than the kernel holds for both ends.
const REPLY_BYTES: usize = 4 * 230 * 1024;

async fn server() -> Server {
    Server::start_with(|config| {
        config.handshake_timeout = LIMIT;
        unlimited_rates(&mut config.limits);
    })
    .await
}

/// A client whose system holds little that it has not read.
pub async fn narrow(server: &Server) -> TcpStream {
    let tcp = TcpSocket::new_v4().unwrap();
    tcp.set_recv_buffer_size(32 * 1024).unwrap();
    tcp.connect(server.addresses.public).await.unwrap()
}

/// A request of alice's whose answer has [`REPLY_BYTES`], and the bot gives it.
pub async fn ask_for_much(server: &Server, bot: &mut Socket, wire: &mut (impl AsyncWrite + Unpin)) {
    let body = r#"{"to":"bot_a","text":"hello","messageId":"m"}"#;
    let path = "POST /v1/messages?waitMs=50000&clientId=script";
    let head = head(path, &lines_of(&server.key("alice")), body.len());
    wire.write_all(format!("{head}{body}").as_bytes())
        .await
        .unwrap();
    wire.flush().await.unwrap();
    bot.expect("message").await;
    for part in 1..=4 {
        let text = "x".repeat(REPLY_BYTES / 4);
        let data = json!({"to": "script", "from": "bot_a", "replyTo": "m", "text": text, "part": part, "parts": 4});
        assert_eq!(say(bot, data).await["data"]["status"], "delivered");
    }
}

/// Reads 16 KiB each 50 ms, which is 320 KB/s, until the text of the whole reply is there.
pub async fn read_slowly(wire: &mut (impl AsyncRead + Unpin), bytes: usize) -> Vec<u8> {
    let mut pace = interval(Duration::from_millis(50));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut all = Vec::new();
    let mut room = vec![0; 16 * 1024];
    while all.len() < bytes {
        pace.tick().await;
        match timeout(SOON, wire.read(&mut room)).await.expect("in time") {
            Ok(0) | Err(_) => break,
            Ok(read) => all.extend_from_slice(&room[..read]),
        }
    }
    all
}

#[tokio::test]
async fn an_answer_that_is_taken_slowly_arrives_whole() {
    let server = server().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let mut wire = narrow(&server).await;
    ask_for_much(&server, &mut bot, &mut wire).await;
    let begun = Instant::now();
    let all = read_slowly(&mut wire, REPLY_BYTES).await;
    assert!(begun.elapsed() > 2 * LIMIT, "{:?}", begun.elapsed());
    assert!(all.len() >= REPLY_BYTES, "cut after {} bytes", all.len());
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_given_up() {
    let server = server().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let mut wire = narrow(&server).await;
    ask_for_much(&server, &mut bot, &mut wire).await;
    let part = read_slowly(&mut wire, REPLY_BYTES / 3).await;
    assert!(part.len() >= REPLY_BYTES / 3, "cut after {}", part.len());
    let stopped = Instant::now();
    eventually("what it cost is given back", || async {
        server.metric("t2b_outbound_bytes").await == 0.0
    })
    .await;
    let waited = stopped.elapsed();
    // The limit, and what it takes to notice it here.
    assert!((LIMIT / 2..LIMIT * 2).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn a_body_that_moves_on_is_read_to_its_end() {
    let server = server().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let mut wire = server.wire().await;
    let body = json!({"to": "bot_a", "text": "x".repeat(200 * 1024)}).to_string();
    let lines = lines_of(&server.key("alice"));
    wire.send(head("POST /v1/messages", &lines, body.len()))
        .await;
    let begun = Instant::now();
    let mut pace = interval(Duration::from_millis(80));
    for piece in body.as_bytes().chunks(16 * 1024) {
        pace.tick().await;
        // The gateway may have given up.
        let _ = wire.stream.write_all(piece).await;
    }
    let answer = wire.answer().await.unwrap();
    assert!(begun.elapsed() > LIMIT * 3 / 2, "{:?}", begun.elapsed());
    assert_eq!(answer.status, 202, "{answer:?}");
    bot.expect("message").await;
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up() {
    let server = server().await;
    let mut wire = server.wire().await;
    let lines = lines_of(&server.key("alice"));
    wire.send(head("POST /v1/messages", &lines, 10_000)).await;
    let begun = Instant::now();
    let (mut read, mut write) = wire.stream.split();
    let trickle = async {
        let mut pace = interval(Duration::from_millis(20));
        loop {
            pace.tick().await;
            if write.write_all(b"x").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let mut answer = vec![0; 512];
    let answered = async { read.read(&mut answer).await.unwrap() };
    let bytes = tokio::select! {
        () = trickle => unreachable!("it never ends"),
        bytes = timeout(SOON, answered) => bytes.expect("in time"),
    };
    let text = String::from_utf8_lossy(&answer[..bytes]);
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    let waited = begun.elapsed();
    assert!((LIMIT / 2..LIMIT * 3).contains(&waited), "{waited:?}");
}
