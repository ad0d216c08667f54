//! How much memory peers that do not read may take, and who pays for it.

use std::time::{Duration, Instant};

use futures_util::SinkExt;
use gateway::memory::MemoryDivision;
use gateway::ws::SEND_BUFFER_BYTES;
use router_core::auth::TokenScope;
use serde_json::json;
use tokio::time::interval;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Server, Socket, eventually, message, raw_frame, register, unlimited_rates};
use crate::kernel_sockets::kernel_bytes;
use crate::stalled::{BULK, fill};

const SLOW: &str = r#"t2b_closes_total{code="4408"}"#;
/// When a peer that takes nothing must be closed: after 10 s, and more on a machine that is busy.
const CLOSED: Duration = Duration::from_secs(20);

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
