//! Who gets in while others try to keep them out: places before `auth_ok`, and failed credentials.

use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, connect_async};

use crate::harness::{SOON, Server, Socket, raw_frame};
use crate::http::read_answer;

/// An address of loopback that is not the one the other tests connect from.
fn loopback(third: u8, last: u8) -> IpAddr {
    IpAddr::from([127, 0, third, last])
}

/// A TCP connection from an address of our choice.
async fn connect_from(source: IpAddr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(source, 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// A WebSocket from an address of our choice; its greeting is not read.
async fn open_from(source: IpAddr, server: &Server, bearer: Option<&str>) -> Socket {
    let stream = connect_from(source, server.addresses.public).await;
    let mut request = format!("ws://{}/ws", server.addresses.public)
        .into_client_request()
        .unwrap();
    if let Some(key) = bearer {
        let value = format!("Bearer {key}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
    }
    let stream = MaybeTlsStream::Plain(stream);
    Socket(client_async(request, stream).await.unwrap().0)
}

/// A WebSocket through a proxy that says this of where it comes from; its greeting is not read.
async fn open_behind(server: &Server, forwarded: &str, key: &str) -> Socket {
    let mut request = format!("ws://{}/ws", server.addresses.public)
        .into_client_request()
        .unwrap();
    let headers = request.headers_mut();
    headers.insert("authorization", format!("Bearer {key}").parse().unwrap());
    headers.insert("x-forwarded-for", forwarded.parse().unwrap());
    Socket(connect_async(request).await.unwrap().0)
}

/// What the server says to a credential: `auth_ok`, or the code of the error.
async fn verdict(mut socket: Socket) -> String {
    socket.expect("status").await;
    let answer = socket.next().await.unwrap();
    match answer["type"].as_str() {
        Some("auth_error") => socket.expect("error").await["data"]["code"].to_string(),
        kind => kind.unwrap_or_default().to_owned(),
    }
}

#[tokio::test]
async fn a_valid_key_passes_after_ten_bad_keys_of_its_user_from_its_address() {
    let server = Server::start().await;
    let bad = "t2b_victim_0123456789abcdef";
    for _ in 0..10 {
        assert_eq!(verdict(server.open("/ws", Some(bad)).await).await, "401");
    }
    for _ in 0..2 {
        assert_eq!(verdict(server.open("/ws", Some(bad)).await).await, "429");
        let good = server.open("/ws", Some(&server.key("victim"))).await;
        assert_eq!(verdict(good).await, "auth_ok");
    }
    let failures = |reason: &str| format!(r#"t2b_auth_failures_total{{reason="{reason}"}}"#);
    assert_eq!(server.metric(&failures("invalid")).await, 10.0);
    assert_eq!(server.metric(&failures("throttled")).await, 2.0);
}

#[tokio::test]
async fn a_valid_key_passes_after_600_invented_users_from_its_address() {
    let server = Server::start().await;
    for i in 0..600 {
        let bad = format!("t2b_user{i}_0123456789abcdef");
        assert_eq!(server.call(&bad, "GET /v1/bots", "").await.status, 401);
    }
    let bad = "t2b_new_0123456789abcdef";
    let answer = server.call(bad, "GET /v1/bots", "").await;
    assert_eq!(answer.status, 429);
    assert!(answer.head.contains("retry-after: "), "{answer:?}");
    let good = server.key("victim");
    assert_eq!(server.call(&good, "GET /v1/bots", "").await.status, 200);
    let socket = server.open("/ws", Some(&good)).await;
    assert_eq!(verdict(socket).await, "auth_ok");
}

/// The places of a node in these tests.
const PLACES: usize = 768;

/// A good upgrade without a credential.
fn upgrade(lines: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n{lines}\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// The status that a stream is answered with; 0 if it was closed.
async fn status_of(stream: &mut TcpStream) -> u16 {
    let mut line = [0; 12];
    match timeout(SOON, stream.read_exact(&mut line)).await.unwrap() {
        Ok(_) => String::from_utf8_lossy(&line[9..]).parse().unwrap(),
        Err(_) => 0,
    }
}

#[tokio::test]
async fn one_address_cannot_take_every_place() {
    let server = Server::start_with(|config| config.sockets_max = PLACES).await;
    let (mut held, mut upgraded) = (Vec::new(), 0);
    for _ in 0..PLACES {
        let mut stream = connect_from(loopback(0, 2), server.addresses.public).await;
        // It may be refused before this is read.
        let _ = stream.write_all(upgrade("").as_bytes()).await;
        match status_of(&mut stream).await {
            101 => {
                upgraded += 1;
                held.push(stream);
            }
            // The others are dropped: only so many are refused with an answer at once.
            status => assert_eq!(status, 429),
        }
    }
    assert_eq!(upgraded, PLACES / 8, "half of the share");
    let last = connect_from(loopback(0, 2), server.addresses.public).await;
    let refused = read_answer(last).await;
    assert_eq!(refused.status, 429);
    assert!(refused.head.contains("retry-after: "), "{refused:?}");
    server.client("alice", "phone").await;
    let other = open_from(loopback(0, 3), &server, Some(&server.key("alice"))).await;
    assert_eq!(verdict(other).await, "auth_ok");
}

#[tokio::test]
async fn a_full_share_gives_way_to_a_valid_key() {
    let server = Server::start_with(|config| config.sockets_max = PLACES).await;
    let staying = server.client("alice", "first").await;
    let mut held = Vec::new();
    // 16 addresses, more than a node of this size takes before `auth_ok` altogether.
    for i in 0..PLACES {
        let source = loopback(1, (i % 16) as u8 + 1);
        held.push(connect_from(source, server.addresses.public).await);
    }
    for i in 0..20 {
        server.client("alice", &format!("phone{i}")).await;
    }
    drop((held, staying));
}

#[tokio::test]
async fn an_authenticated_socket_is_never_displaced() {
    let server = Server::start_with(|config| config.sockets_max = 64).await;
    let mut phones = Vec::new();
    for i in 0..20 {
        phones.push(server.client("alice", &format!("phone{i}")).await);
    }
    let mut held = Vec::new();
    for i in 0..200u8 {
        held.push(connect_from(loopback(2, i + 1), server.addresses.public).await);
    }
    server.client("alice", "late").await;
    for phone in &mut phones {
        assert_eq!(phone.ask(r#"{"type":"ping"}"#).await["type"], "pong");
    }
}

#[tokio::test]
async fn behind_a_proxy_the_forwarded_address_is_the_source() {
    let server = Server::start_with(|config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let bad = "t2b_alice_0123456789abcdef";
    // One address, written in four ways.
    let spellings = [
        "192.0.2.1",
        "192.0.2.1:5555",
        "192.0.2.1:1",
        "6.6.6.6, 192.0.2.1:80",
    ];
    for i in 0..10 {
        let spelling = spellings[i % spellings.len()];
        let socket = open_behind(&server, spelling, bad).await;
        assert_eq!(verdict(socket).await, "401", "{spelling}");
    }
    for spelling in spellings {
        let socket = open_behind(&server, spelling, bad).await;
        assert_eq!(verdict(socket).await, "429", "{spelling}");
    }
    for other in ["192.0.2.2:5555", "[2001:db8::1]:5555", "[2001:db8:1::1]"] {
        let socket = open_behind(&server, other, bad).await;
        assert_eq!(verdict(socket).await, "401", "{other}");
    }
}

#[tokio::test]
async fn one_client_behind_a_proxy_cannot_take_the_places_of_the_others() {
    let server = Server::start_with(|config| {
        config.sockets_max = 64;
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let mut held = Vec::new();
    let mut refused = 0;
    for _ in 0..64 {
        let mut stream = TcpStream::connect(server.addresses.public).await.unwrap();
        let head = upgrade("x-forwarded-for: 192.0.2.1\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        refused += usize::from(status_of(&mut stream).await == 429);
        held.push(stream);
    }
    assert_eq!(refused, 64 - 8, "the forwarded address has a limit");
    let other = open_behind(&server, "192.0.2.2", &server.key("alice")).await;
    assert_eq!(verdict(other).await, "auth_ok");
}

#[tokio::test]
async fn a_revoked_or_suspended_credential_is_a_failure() {
    for (order, reason, status) in [
        ("revoke", "revoked", "401"),
        ("suspend", "suspended", "403"),
    ] {
        let server = Server::start().await;
        let key = server.key("alice");
        server.order("alice", order).await;
        for _ in 0..10 {
            assert_eq!(verdict(server.open("/ws", Some(&key)).await).await, status);
        }
        let mut late = server.open("/ws", Some(&key)).await;
        late.expect("status").await;
        late.expect("auth_error").await;
        assert_eq!(late.expect("error").await["data"]["code"], 429, "{order}");
        assert_eq!(late.closed().await, 4429);
        assert_eq!(server.call(&key, "GET /v1/bots", "").await.status, 429);
        let failures = |reason: &str| format!(r#"t2b_auth_failures_total{{reason="{reason}"}}"#);
        assert_eq!(server.metric(&failures(reason)).await, 10.0);
        assert_eq!(server.metric(&failures("throttled")).await, 2.0);
        let other = server.open("/ws", Some(&server.key("bob"))).await;
        assert_eq!(verdict(other).await, "auth_ok");
    }
}

/// 100 pings, with a mask of zeros.
fn pings() -> Vec<u8> {
    raw_frame(0x89, b"p").repeat(100)
}

#[tokio::test]
async fn control_frames_before_the_credential_close_the_socket() {
    let server = Server::start().await;
    for flood in [pings(), raw_frame(0x8a, b"p").repeat(100)] {
        let mut socket = server.open("/ws", None).await;
        socket.expect("status").await;
        socket.write_raw(&flood).await;
        assert_eq!(socket.closed().await, 1008);
    }
}

#[tokio::test]
async fn a_flood_of_control_frames_closes_the_socket() {
    let server = Server::start().await;
    let mut socket = server.client("alice", "phone").await;
    // At most 20 of them are answered; nothing else is sent, so the close comes next.
    socket.write_raw(&pings().repeat(50)).await;
    assert_eq!(socket.closed().await, 1008);
}
