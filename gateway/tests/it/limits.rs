//! Limits at, below and above.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Server, Socket, eventually, message, raw_frame, register};

/// A ping frame of exactly so many bytes; its `data` is of no interest.
fn ping_of(bytes: usize) -> String {
    let empty = json!({"type": "ping", "data": ""}).to_string().len();
    json!({"type": "ping", "data": "x".repeat(bytes - empty)}).to_string()
}

#[tokio::test]
async fn frames_before_auth_ok_are_8_kib_at_most() {
    let server = Server::start().await;
    for (bytes, fits) in [
        (8 * 1024 - 1, true),
        (8 * 1024, true),
        (8 * 1024 + 1, false),
    ] {
        let mut socket = server.open("/ws", None).await;
        socket.expect("status").await;
        socket.send(ping_of(bytes)).await;
        match fits {
            true => drop(socket.expect("pong").await),
            false => assert_eq!(socket.closed().await, 1009),
        }
    }
}

#[tokio::test]
async fn frames_after_auth_ok_are_256_kib_at_most() {
    let server = Server::start().await;
    for (bytes, fits) in [
        (256 * 1024 - 1, true),
        (256 * 1024, true),
        (256 * 1024 + 1, false),
    ] {
        let mut socket = server.client("alice", "phone").await;
        socket.send(ping_of(bytes)).await;
        match fits {
            true => drop(socket.expect("pong").await),
            false => assert_eq!(socket.closed().await, 1009),
        }
    }
}

#[tokio::test]
async fn fragments_count_together() {
    let server = Server::start().await;
    for (more, fits) in [(0, true), (1, false)] {
        let mut socket = server.client("alice", "phone").await;
        let text = ping_of(256 * 1024 + more).into_bytes();
        let (first, last) = text.split_at(200 * 1024);
        socket.write_raw(&raw_frame(0x01, first)).await;
        socket.write_raw(&raw_frame(0x80, last)).await;
        match fits {
            true => drop(socket.expect("pong").await),
            false => assert_eq!(socket.closed().await, 1009),
        }
    }
    let idle = || async { server.metric("t2b_assembly_bytes").await == 0.0 };
    eventually("what was half assembled is given back", idle).await;
}

#[tokio::test]
async fn a_tenant_may_not_fill_the_memory_with_halves() {
    let server =
        Server::start_with(|config| config.limits.assembly_bytes_per_tenant = 150 * 1024).await;
    let mut first = server.client("alice", "first").await;
    let mut second = server.client("alice", "second").await;
    let mut foreign = server.client("bob", "phone").await;
    let half = raw_frame(0x01, &[b'x'; 100 * 1024]);
    first.write_raw(&half).await;
    let held = || async { server.metric("t2b_assembly_bytes").await >= 100.0 * 1024.0 };
    eventually("the first half is held", held).await;
    second.write_raw(&half).await;
    assert_eq!(second.closed().await, 1013);
    foreign.write_raw(&half).await;
    for socket in [&mut first, &mut foreign] {
        socket.write_raw(&raw_frame(0x80, b"")).await;
        assert_eq!(socket.expect("error").await["data"]["reason"], "bad_frame");
    }
}

/// A queue holds what fits its bytes, whoever reads how fast.
#[tokio::test]
async fn a_frame_larger_than_the_queue_finds_it_busy() {
    let server = Server::start_with(|config| config.limits.outbound_bytes = 4096).await;
    let mut tablet = server.client("alice", "tablet").await;
    let mut phone = server.client("alice", "phone").await;
    phone.tell("tablet", "measure").await;
    let overhead = tablet.next().await.unwrap().to_string().len() - "measure".len();
    for (bytes, fits) in [(4095, true), (4096, true), (4097, false)] {
        let text = "x".repeat(bytes - overhead);
        match fits {
            true => phone.tell("tablet", &text).await,
            false => drop(
                phone
                    .refused(message("tablet", &text), "recipient_busy")
                    .await,
            ),
        }
    }
}

#[tokio::test]
async fn pings_over_20_a_second_are_ignored() {
    let server = Server::start().await;
    let mut socket = server.client("alice", "phone").await;
    for i in 0..40u8 {
        socket.0.feed(Message::Ping(vec![i].into())).await.unwrap();
    }
    socket.0.flush().await.unwrap();
    socket.send(r#"{"type":"ping"}"#).await;
    let mut pongs = 0;
    loop {
        match socket.0.next().await.unwrap().unwrap() {
            Message::Pong(_) => pongs += 1,
            Message::Text(_) => break,
            Message::Ping(_) | Message::Binary(_) | Message::Close(_) | Message::Frame(_) => {}
        }
    }
    // A pong may be dropped for a newer one, 16 wait at most; the second may turn meanwhile.
    assert!((1..=40).contains(&pongs), "{pongs}");
    drop(socket);
    let counted = || async { server.metric("t2b_control_frames_ignored_total").await >= 1.0 };
    eventually("the ignored ones are counted", counted).await;
    let ignored = server.metric("t2b_control_frames_ignored_total").await;
    assert!(
        pongs as f64 + ignored <= 40.0 && ignored <= 20.0,
        "{pongs} {ignored}"
    );
}

#[tokio::test]
async fn counts_are_met_exactly() {
    let server = Server::start_with(|config| {
        config.limits.bots_per_socket = 2;
        config.limits.bots_per_tenant = 3;
        config.limits.sockets_per_tenant = 3;
    });
    let server = server.await;
    let mut one = server.bot("alice", "bot_1").await;
    assert_eq!(one.ask(register("bot_2")).await["type"], "bot_registered");
    one.refused(register("bot_3"), "quota_exceeded").await;
    assert_eq!(
        one.ask(register("bot_2")).await["type"],
        "bot_registered",
        "again is not more"
    );
    let mut two = server.bot("alice", "bot_3").await;
    two.refused(register("bot_4"), "quota_exceeded").await;
    let _three = server.client("alice", "phone").await;
    let mut four = server.open("/ws", Some(&server.key("alice"))).await;
    four.expect("status").await;
    four.expect("auth_error").await;
    assert_eq!(
        four.expect("error").await["data"]["reason"],
        "quota_exceeded"
    );
    assert_eq!(four.closed().await, 1013);
    server.bot("bob", "bot_1").await;
}

/// How many of the answers are this.
async fn count(socket: &mut Socket, answers: usize, is: impl Fn(&Value) -> bool) -> usize {
    let mut found = 0;
    for _ in 0..answers {
        found += usize::from(is(&socket.next().await.unwrap()));
    }
    found
}

#[tokio::test]
async fn rates_take_their_burst_and_then_say_when() {
    let server = Server::start_with(|config| {
        (config.limits.frames_per_second, config.limits.frames_burst) = (1, 10);
        (
            config.limits.registers_per_second,
            config.limits.registers_burst,
        ) = (1, 3);
    });
    let server = server.await;
    let is_limited = |frame: &Value| frame["data"]["reason"] == "rate_limited";
    let mut pinging = server.client("alice", "phone").await;
    for _ in 0..15 {
        pinging.send(r#"{"type":"ping","id":"p"}"#).await;
    }
    // One more may be taken if the second turns meanwhile.
    assert!((4..=5).contains(&count(&mut pinging, 15, is_limited).await));
    let error = pinging.refused(message("x", "hi"), "rate_limited").await;
    assert!((1..=1000).contains(&error["data"]["retryAfterMs"].as_u64().unwrap()));

    let mut registering = server.client("alice", "host").await;
    for _ in 0..6 {
        registering.send(register("bot_a")).await;
    }
    assert!((2..=3).contains(&count(&mut registering, 6, is_limited).await));
}

#[tokio::test]
async fn members_are_as_large_as_they_may_be() {
    let server = Server::start().await;
    let mut socket = server.client("alice", "phone").await;
    let texts = |n: usize| vec!["c".repeat(n)];
    for (member, fits, too_large) in [
        ("name", json!("n".repeat(128)), json!("n".repeat(129))),
        ("type", json!("t".repeat(32)), json!("t".repeat(33))),
        (
            "description",
            json!("d".repeat(1024)),
            json!("d".repeat(1025)),
        ),
        ("capabilities", json!(texts(64)), json!(texts(65))),
        ("capabilities", json!(vec!["c"; 32]), json!(vec!["c"; 33])),
        ("config", json!("x".repeat(4094)), json!("x".repeat(4095))),
    ] {
        let frame = |value: &Value| {
            let mut data = json!({"botId": "bot_a"});
            data[member] = value.clone();
            json!({"type": "register_bot", "data": data}).to_string()
        };
        assert_eq!(
            socket.ask(frame(&fits)).await["type"],
            "bot_registered",
            "{member}"
        );
        socket.refused(frame(&too_large), "too_large").await;
    }
}

#[tokio::test]
async fn nesting_is_64_deep_at_most() {
    let server = Server::start().await;
    let mut socket = server.client("alice", "phone").await;
    let deep = |levels: usize| {
        // The frame and its data are two of them.
        let (open, close) = ("[".repeat(levels - 2), "]".repeat(levels - 2));
        format!(r#"{{"type":"message","data":{{"to":"x","deep":{open}{close}}}}}"#)
    };
    socket.refused(deep(63), "bot_not_found").await;
    socket.refused(deep(64), "bot_not_found").await;
    socket.refused(deep(65), "bad_frame").await;
    socket.refused(deep(20_000), "bad_frame").await;
}
