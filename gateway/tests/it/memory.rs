//! How much memory peers that do not read may take, and who pays for it.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use futures_util::SinkExt;
use gateway::memory::MemoryDivision;
use gateway::ws::SEND_BUFFER_BYTES;
use router_core::auth::TokenScope;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::api::{Wire, head, lines_of, say};
use crate::harness::{Server, Socket, eventually, message, raw_frame, register, unlimited_rates};
use crate::slow_http::{ask_for_much, narrow};
use crate::stalled::{BULK, fill};

const SLOW: &str = r#"t2b_closes_total{code="4408"}"#;
/// When a peer that takes nothing must be closed: after 10 s, and more on a machine that is busy.
const CLOSED: Duration = Duration::from_secs(20);

/// What the kernel tells of one connection of a port. Source: ss(8), whose filter the kernel applies: the
/// table of proc(5) has the sockets of all processes.
#[derive(Debug)]
struct KernelSocket {
    state: String,
    /// Bytes that we have not read.
    unread: usize,
    /// Bytes that the peer has not taken.
    untaken: usize,
    /// `SO_RCVBUF` as it reads back.
    receive_buffer: usize,
}

fn kernel_sockets(port: u16) -> Vec<KernelSocket> {
    let filter = format!("sport = :{port}");
    let mut ss = std::process::Command::new("ss");
    let output = ss.args(["-tmnHO", &filter]).output();
    let text = output.expect("ss, of iproute2, is installed").stdout;
    let of_line = |line: &str| {
        let mut columns = line.split_whitespace();
        Some(KernelSocket {
            state: columns.next()?.to_owned(),
            unread: columns.next()?.parse().ok()?,
            untaken: columns.next()?.parse().ok()?,
            receive_buffer: line.split_once(",rb")?.1.split(',').next()?.parse().ok()?,
        })
    };
    let text = String::from_utf8_lossy(&text);
    text.lines().filter_map(of_line).collect()
}

/// Bytes that the kernel holds for peers of this port which have not taken them.
fn kernel_bytes(port: u16) -> usize {
    kernel_sockets(port).iter().map(|it| it.untaken).sum()
}

/// Bytes of peers of this port that the kernel holds and nobody has read.
fn unread_bytes(port: u16) -> usize {
    kernel_sockets(port).iter().map(|it| it.unread).sum()
}

/// Whether our end of a connection of this port is written and not taken.
fn has_ended(port: u16) -> bool {
    kernel_sockets(port)
        .iter()
        .any(|it| it.state == "FIN-WAIT-1")
}

/// The receive buffers of a port's connections, bytes.
fn receive_buffers(port: u16) -> Vec<usize> {
    let sockets = kernel_sockets(port);
    sockets.iter().map(|it| it.receive_buffer).collect()
}

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

/// Waits for a metric to reach a value, in real time.
async fn reaches(server: &Server, series: &str, least: f64, limit: Duration) {
    let begun = Instant::now();
    let mut looks = interval(Duration::from_millis(50));
    while server.metric(series).await < least {
        assert!(begun.elapsed() < limit, "{series} is below {least}");
        looks.tick().await;
    }
}

/// Sockets of one client id that do not read, and how much was sent to each: the kernel holds no more
/// than its bounded buffer for each, and what it holds is charged.
#[tokio::test]
async fn the_kernel_holds_little_for_peers_that_do_not_read() {
    const SOCKETS: usize = 20;
    let server = Server::start().await;
    let mut tablets = Vec::new();
    for _ in 0..SOCKETS {
        tablets.push(server.narrow("alice", "tablet").await);
    }
    let mut phone = server.client("alice", "phone").await;
    for _ in 0..16 {
        phone.ask(message("tablet", &"x".repeat(BULK))).await;
    }
    let held = kernel_bytes(server.addresses.public.port());
    let most = SOCKETS * SEND_BUFFER_BYTES;
    assert!(held > 0 && held <= most, "{held} of {most} bytes");
    let least = (SOCKETS * 32 * 1024) as f64;
    reaches(&server, "t2b_outbound_kernel_bytes", least, CLOSED).await;
    drop(tablets);
    let none = || async { server.metric("t2b_outbound_bytes").await < 4096.0 };
    eventually("what they held is given back", none).await;
}

/// Its queue is not full, and it answers pings: it has to take something all the same.
#[tokio::test]
async fn a_peer_that_takes_nothing_is_closed_before_its_queue_is_full() {
    let server = Server::start().await;
    let mut tablet = server.narrow("alice", "tablet").await;
    let mut phone = server.client("alice", "phone").await;
    phone.tell("tablet", &"x".repeat(BULK)).await;
    let begun = Instant::now();
    reaches(&server, SLOW, 1.0, CLOSED).await;
    assert!(begun.elapsed() >= Duration::from_secs(9));
    assert_eq!(tablet.closed().await, 4408);
}

/// Watchers that do not read, while bots come and go and the tenant's budget is full: they are closed
/// like any slow reader, and one that reads hears everything in the end.
#[tokio::test]
async fn watchers_that_do_not_read_are_closed() {
    const WATCHERS: usize = 10;
    let server = Server::start_with(|config| {
        config.limits.outbound_bytes = 512 * 1024;
        config.limits.outbound_bytes_per_tenant = 1024 * 1024;
        config.limits.registers_burst = 1000;
        config.limits.bots_per_socket = 1000;
    });
    let server = server.await;
    let mut watchers = Vec::new();
    for i in 0..WATCHERS {
        watchers.push(server.narrow("alice", &format!("watcher{i}")).await);
    }
    let mut reader = server.client("alice", "reader").await;
    let mut phone = server.client("alice", "phone").await;
    let mut host = server.client("alice", "host").await;
    for i in 0..300 {
        let bot = json!({"botId": format!("bot_{i:03}"), "name": "n".repeat(128)});
        host.ask(json!({"type": "register_bot", "data": bot}).to_string())
            .await;
    }
    for i in 0..WATCHERS {
        fill(&mut phone, &format!("watcher{i}")).await;
    }
    host.0.close(None).await.unwrap();
    reaches(&server, SLOW, 1.0, CLOSED).await;
    let mut offline = std::collections::BTreeSet::new();
    while offline.len() < 300 {
        let told = reader.expect("bot_status").await;
        if told["data"]["status"] == "offline" {
            offline.insert(told["data"]["botId"].to_string());
        }
    }
    drop(watchers);
}

/// A client of a tenant that takes much: closed with 1013 if there is no room to answer it, it comes
/// back as soon as the ticker has made some.
async fn ask_or_come_back(server: &Server, tenant: &str, phone: &mut Socket, frame: String) {
    phone.send(frame).await;
    loop {
        match phone.next().await {
            Ok(frame) if frame["type"] == "message_ack" || frame["type"] == "error" => return,
            Ok(frame) => assert_eq!(frame["type"], "bot_status", "{frame}"),
            Err(close) => {
                let code = close.map(|close| u16::from(close.code));
                assert_eq!(code, Some(1013));
                break;
            }
        }
    }
    let begun = Instant::now();
    while begun.elapsed() < CLOSED {
        *phone = server
            .open("/ws?clientId=phone", Some(&server.key(tenant)))
            .await;
        let mut told = phone.next().await;
        while told
            .as_ref()
            .is_ok_and(|it| it["data"]["type"] != "bots_list")
        {
            told = phone.next().await;
        }
        if told.is_ok() {
            return;
        }
    }
    panic!("{tenant} does not come back");
}

/// A machine of 1 GiB, shrunk: what four tenants of slow readers take is not missing to a fifth.
#[tokio::test]
async fn slow_readers_of_some_tenants_refuse_nobody_else() {
    let memory_max = 128 * 1024 * 1024;
    let server = Server::start_with(|config| {
        config.memory_max = memory_max;
        unlimited_rates(&mut config.limits);
    })
    .await;
    let mut bot = server.bot("eve", "bot_a").await;
    let mut victim = server.client("eve", "phone").await;
    let mut sockets = Vec::new();
    for tenant in ["a", "b", "c", "d"] {
        let mut phone = server.client(tenant, "phone").await;
        for i in 0..6 {
            sockets.push(server.narrow(tenant, &format!("tablet{i}")).await);
        }
        for round in 0..30 {
            let bulk = message(&format!("tablet{}", round % 6), &"x".repeat(BULK));
            ask_or_come_back(&server, tenant, &mut phone, bulk).await;
            victim.tell("bot_a", &"y".repeat(BULK)).await;
            assert_eq!(bot.expect("message").await["data"]["from"], "phone");
            let pool = MemoryDivision::of(memory_max).outbound as f64;
            assert!(server.metric("t2b_outbound_bytes").await <= pool);
        }
        sockets.push(phone);
    }
    reaches(&server, r#"t2b_shed_total{pool="outbound"}"#, 1.0, CLOSED).await;
    server.client("frank", "phone").await;
}

/// The same for messages that do not arrive as a whole.
#[tokio::test]
async fn halves_of_some_tenants_refuse_nobody_else() {
    let memory_max = 128 * 1024 * 1024;
    let server = Server::start_with(|config| config.memory_max = memory_max).await;
    let mut victim = server.client("eve", "phone").await;
    let half = raw_frame(0x01, &[b'x'; 200 * 1024]);
    let mut sockets = Vec::new();
    for tenant in ["a", "b", "c", "d"] {
        for i in 0..16 {
            let mut socket = server.client(tenant, &format!("phone{i}")).await;
            socket.write_raw(&half).await;
            sockets.push(socket);
        }
        victim.write_raw(&half).await;
        victim.write_raw(&raw_frame(0x80, b"")).await;
        assert_eq!(victim.expect("error").await["data"]["reason"], "bad_frame");
    }
    reaches(&server, r#"t2b_shed_total{pool="assembly"}"#, 1.0, CLOSED).await;
    let pool = MemoryDivision::of(memory_max).assembly as f64;
    assert!(server.metric("t2b_assembly_bytes").await <= pool);
}

/// Many sockets of one weak token that ask and do not read: the rest of the tenant goes on.
#[tokio::test]
async fn one_client_id_cannot_take_the_whole_tenant() {
    let server = Server::start_with(|config| {
        config.limits.outbound_bytes_per_client = 1024 * 1024;
        config.limits.outbound_bytes_per_tenant = 4 * 1024 * 1024;
    });
    let server = server.await;
    let mut phone = server.client("alice", "phone").await;
    let mut bot = server.bot("alice", "bot_a").await;
    let token = server.token("alice", "weak", TokenScope::Chat, None, 60);
    let mut weak = Vec::new();
    for _ in 0..8 {
        weak.push(server.narrow_with(&token, "weak").await);
    }
    for _ in 0..8 {
        phone.ask(message("weak", &"x".repeat(BULK))).await;
    }
    let held = server.metric("t2b_outbound_bytes").await;
    let most = 1024.0 * 1024.0 + (8 * SEND_BUFFER_BYTES + BULK) as f64;
    assert!(held <= most, "{held} of {most}");
    phone.tell("bot_a", &"y".repeat(BULK)).await;
    bot.expect("message").await;
    drop(weak);
}

/// Connections of the HTTP API that wait for another request count as sockets of their tenant.
#[tokio::test]
async fn kept_connections_count_as_sockets() {
    let server = Server::start_with(|config| config.limits.sockets_per_tenant = 2).await;
    let key = server.key("alice");
    let mut wires = Vec::new();
    for i in 0..3 {
        let mut wire = server.wire().await;
        wire.call(&key, "GET /v1/bots", "").await;
        let answer = wire.answer().await.unwrap();
        let (status, is_last) = (answer.status, answer.head.contains("connection: close"));
        match i {
            0 | 1 => assert_eq!((status, is_last), (200, false)),
            _ => assert_eq!(
                (status, is_last),
                (429, true),
                "there is no place for its call"
            ),
        }
        wires.push(wire);
    }
    // A kept one may ask again: it counts once.
    wires[0].call(&key, "GET /v1/bots", "").await;
    assert_eq!(wires[0].answer().await.unwrap().status, 200);
    let mut socket = server.open("/ws", Some(&key)).await;
    assert_eq!(socket.closed().await, 1013);
    drop(wires);
    eventually("there is room again", || async {
        let mut socket = server.open("/ws", Some(&key)).await;
        socket.expect("status").await;
        socket
            .next()
            .await
            .is_ok_and(|frame| frame["type"] == "auth_ok")
    })
    .await;
    server.client("bob", "phone").await;
}

#[tokio::test]
async fn subscriptions_are_bounded() {
    let server = Server::start_with(|config| {
        config.limits.subscription_bytes_per_tenant = 2 * (64 + "bot_0".len() as u64);
    });
    let server = server.await;
    let mut host = server.client("alice", "host").await;
    for i in 0..3 {
        host.ask(register(&format!("bot_{i}"))).await;
    }
    let about = |i: usize| {
        json!({"type": "subscribe", "data": {"botId": format!("bot_{i}")}, "id": "s"}).to_string()
    };
    let mut first = server.client("alice", "first").await;
    let mut second = server.client("alice", "second").await;
    for (socket, i) in [(&mut first, 0), (&mut second, 1)] {
        assert_eq!(socket.ask(about(i)).await["data"]["type"], "subscribed");
    }
    second.refused(about(2), "quota_exceeded").await;
    assert_eq!(
        second.ask(about(1)).await["data"]["type"],
        "subscribed",
        "again is not more"
    );
    first.0.send(Message::Close(None)).await.unwrap();
    // It is answered after its tenant has released it.
    first.closed().await;
    assert_eq!(second.ask(about(2)).await["data"]["type"], "subscribed");
}
