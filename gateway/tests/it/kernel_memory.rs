//! How much the kernel holds for peers of the HTTP API that do not read, and who pays for it.

use std::io::ErrorKind;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::api::{Wire, head, lines_of, say};
use crate::harness::{Server, Socket, eventually};
use crate::kernel_sockets::{has_ended, kernel_bytes, receive_buffers, unread_bytes};
use crate::slow_http::{ask_for_much, narrow};

/// A request of alice's that waits for `bot_a`; the bot has it.
async fn wait_for_bot(server: &Server, bot: &mut Socket, id: &str) -> Wire {
    let mut wire = server.wire().await;
    let body = json!({"to": "bot_a", "text": "hello", "messageId": id}).to_string();
    let request = "POST /v1/messages?waitMs=50000&clientId=script";
    wire.call(&server.key("alice"), request, &body).await;
    bot.expect("message").await;
    wire
}

/// Writes as long as the system takes it.
async fn flood(stream: &TcpStream) {
    while timeout(Duration::from_millis(100), stream.writable())
        .await
        .is_ok()
    {
        match stream.try_write(&[b'x'; 64 * 1024]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// Connections whose request waits, and whose peers go on writing: they are closed, and the kernel keeps
/// nothing.
#[tokio::test]
async fn the_kernel_holds_nothing_behind_a_request_that_waits() {
    let server = Server::start().await;
    let port = server.addresses.public.port();
    let mut bot = server.bot("alice", "bot_a").await;
    let mut wires = Vec::new();
    for i in 0..8 {
        let wire = wait_for_bot(&server, &mut bot, &format!("m{i}")).await;
        flood(&wire.stream).await;
        wires.push(wire);
    }
    eventually("nothing is unread", || async { unread_bytes(port) == 0 }).await;
    for wire in &mut wires {
        assert_eq!(wire.answer().await.map(|it| it.status), None, "closed");
    }
}

/// The same while the answer is taken slowly.
#[tokio::test]
async fn the_kernel_holds_nothing_behind_a_request_that_is_being_answered() {
    let server = Server::start().await;
    let port = server.addresses.public.port();
    let mut bot = server.bot("alice", "bot_a").await;
    let mut wire = narrow(&server).await;
    ask_for_much(&server, &mut bot, &mut wire).await;
    wire.readable().await.unwrap();
    flood(&wire).await;
    eventually("nothing is unread", || async { unread_bytes(port) == 0 }).await;
}

/// A request that comes in pieces while another waits is answered after it.
#[tokio::test]
async fn little_behind_a_request_that_waits_is_kept() {
    let server = Server::start().await;
    let port = server.addresses.public.port();
    let mut bot = server.bot("alice", "bot_a").await;
    let mut wire = wait_for_bot(&server, &mut bot, "m").await;
    let padding = format!("x-padding: {}\r\n", "x".repeat(5000));
    let lines = format!("{}{padding}", lines_of(&server.key("alice")));
    let next = head("GET /v1/bots", &lines, 0);
    for piece in next.as_bytes().chunks(1000) {
        wire.send(piece).await;
        eventually("it is read", || async { unread_bytes(port) == 0 }).await;
    }
    let data = json!({"to": "script", "from": "bot_a", "replyTo": "m", "text": "hi"});
    say(&mut bot, data).await;
    for _ in 0..2 {
        assert_eq!(wire.answer().await.unwrap().status, 200);
    }
}

/// What the kernel still holds of an answer that was written is charged to its tenant.
#[tokio::test]
async fn an_answer_is_charged_until_it_is_taken() {
    let server = Server::start().await;
    let port = server.addresses.public.port();
    let mut bot = server.bot("alice", "bot_a").await;
    let mut wire = narrow(&server).await;
    let body = r#"{"to":"bot_a","text":"hello","messageId":"m"}"#;
    let request = "POST /v1/messages?waitMs=50000&clientId=script";
    let head = head(request, &lines_of(&server.key("alice")), body.len());
    let text = format!("{head}{body}");
    wire.write_all(text.as_bytes()).await.unwrap();
    bot.expect("message").await;
    let reply = "x".repeat(56 * 1024);
    let data = json!({"to": "script", "from": "bot_a", "replyTo": "m", "text": reply});
    say(&mut bot, data).await;
    wire.readable().await.unwrap();
    eventually("it is charged", || async {
        let held = kernel_bytes(port);
        held > 0 && server.metric("t2b_outbound_bytes").await >= held as f64
    })
    .await;
    let mut all = vec![0; reply.len()];
    wire.read_exact(&mut all).await.unwrap();
    let none = || async { server.metric("t2b_outbound_bytes").await == 0.0 };
    eventually("it is given back", none).await;
}

/// The same of a connection that ends with the answer: the kernel would hold it for a closed socket.
#[tokio::test]
async fn an_answer_is_charged_until_it_is_taken_though_it_is_the_last() {
    let server = Server::start().await;
    let port = server.addresses.public.port();
    let mut bot = server.bot("alice", "bot_a").await;
    let mut wire = narrow(&server).await;
    let body = r#"{"to":"bot_a","text":"hello","messageId":"m"}"#;
    let request = "POST /v1/messages?waitMs=50000&clientId=script";
    let lines = format!("connection: close\r\n{}", lines_of(&server.key("alice")));
    let text = format!("{}{body}", head(request, &lines, body.len()));
    wire.write_all(text.as_bytes()).await.unwrap();
    bot.expect("message").await;
    let reply = "x".repeat(56 * 1024);
    let data = json!({"to": "script", "from": "bot_a", "replyTo": "m", "text": reply});
    say(&mut bot, data).await;
    eventually("its end is written", || async { has_ended(port) }).await;
    // In this order: what is held can only become less.
    let charged = server.metric("t2b_outbound_bytes").await;
    let held = kernel_bytes(port) as f64;
    assert!(held > 0.0 && charged >= held, "{charged} for {held}");
    let mut all = Vec::new();
    wire.read_to_end(&mut all).await.unwrap();
    assert!(all.len() > reply.len(), "whole");
    let none = || async { server.metric("t2b_outbound_bytes").await == 0.0 };
    eventually("it is given back", none).await;
}

/// The kernel receives little for a connection that speaks HTTP, and as much as before for a WebSocket.
#[tokio::test]
async fn a_websocket_has_the_larger_receive_buffer() {
    let server = Server::start().await;
    let port = server.addresses.public.port();
    let mut wire = server.wire().await;
    wire.call(&server.key("alice"), "GET /v1/bots", "").await;
    wire.answer().await.unwrap();
    assert_eq!(receive_buffers(port), [128 * 1024]);
    drop(wire);
    let _phone = server.client("alice", "phone").await;
    let buffers = || async { receive_buffers(port).contains(&(256 * 1024)) };
    eventually("a WebSocket has 256 KiB", buffers).await;
}
