//! The way in: what is answered before the upgrade, and where a credential may stand.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::harness::{Server, Socket, eventually, message};
use crate::http::{Answer, exchange, read_answer};

/// A good upgrade, line by line; what a test changes is one of these.
pub const UPGRADE: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

pub async fn get(server: &Server, path: &str, lines: &str) -> Answer {
    let head = format!("GET {path} HTTP/1.1\r\n{lines}\r\n");
    exchange(server.addresses.public, head.as_bytes()).await
}

#[tokio::test]
async fn a_head_is_judged_before_the_upgrade() {
    let server = Server::start_with(|config| {
        config.allowed_origins = vec!["capacitor://localhost".parse().unwrap()];
    });
    let server = server.await;
    let with = |lines: &str| format!("host: localhost:3000\r\n{UPGRADE}{lines}");
    let without = |line: &str| with("").replace(line, "");
    for (status, path, lines) in [
        (101, "/ws", with("")),
        (101, "/", with("")),
        (101, "/ws?clientId=phone&acks=errors", with("")),
        (101, "/ws", with("origin: http://localhost:3000\r\n")),
        (101, "/ws", with("origin: capacitor://localhost\r\n")),
        (101, "/ws", with("").replace("localhost", "127.0.0.1")),
        (400, "/ws", without("connection: Upgrade\r\n")),
        (400, "/ws", with("").replace("dGhl", "short")),
        (400, "/ws", with("host: localhost\r\n")),
        (400, "/ws?acks=none", with("")),
        (403, "/ws", with("origin: http://evil.example\r\n")),
        (403, "/ws", with("origin: http://localhost:3001\r\n")),
        (403, "/ws", with("origin: null\r\n")),
        (404, "/wss", with("")),
        (404, "/", "host: localhost\r\n".to_owned()),
        (421, "/ws", with("").replace("localhost", "rebound.example")),
        (421, "/", "host: rebound.example\r\n".to_owned()),
        (426, "/ws", without("upgrade: websocket\r\n")),
        (426, "/ws", with("").replace("version: 13", "version: 8")),
        (
            431,
            "/ws",
            with(&format!("x: {}\r\n", "y".repeat(16 * 1024))),
        ),
    ] {
        let answer = get(&server, path, &lines).await;
        assert_eq!(answer.status, status, "{path} {lines} {answer:?}");
    }
    let old = get(
        &server,
        "/ws",
        &with("").replace("version: 13", "version: 8"),
    )
    .await;
    assert!(old.head.contains("sec-websocket-version: 13"), "{old:?}");
}

#[tokio::test]
async fn a_listed_host_is_ours() {
    let server =
        Server::start_with(|config| config.allowed_hosts = vec!["bots.example".parse().unwrap()])
            .await;
    let lines = format!("host: bots.example:8443\r\n{UPGRADE}");
    assert_eq!(get(&server, "/ws", &lines).await.status, 101);
    assert_eq!(
        get(&server, "/ws", &lines.replace("bots.", "x.bots."))
            .await
            .status,
        421
    );
}

#[tokio::test]
async fn a_full_node_says_503_until_a_socket_is_gone() {
    let server = Server::start_with(|config| config.sockets_max = 2).await;
    let _phone = server.client("alice", "phone").await;
    let tablet = server.client("alice", "tablet").await;
    let refused = read_answer(TcpStream::connect(server.addresses.public).await.unwrap()).await;
    assert_eq!(refused.status, 503);
    assert_eq!(
        server.metric(r#"t2b_handshakes_total{result="503"}"#).await,
        1.0
    );
    assert!(refused.head.contains("retry-after: "), "{refused:?}");
    assert_eq!(
        server.admin("GET", "/healthz", "").await.status,
        200,
        "the admin listener has room of its own"
    );
    drop(tablet);
    eventually("the tablet is gone", || async {
        server.metric("t2b_connections").await == 1.0
    })
    .await;
    server.client("alice", "tablet").await;
}

#[tokio::test]
async fn one_source_may_not_fill_the_listener() {
    let server = Server::start().await;
    let mut held = Vec::new();
    for _ in 0..256 {
        held.push(TcpStream::connect(server.addresses.public).await.unwrap());
    }
    let refused = read_answer(TcpStream::connect(server.addresses.public).await.unwrap()).await;
    assert_eq!(refused.status, 429);
    assert_eq!(
        server.metric(r#"t2b_handshakes_total{result="429"}"#).await,
        1.0
    );
    assert!(refused.head.contains("retry-after: "), "{refused:?}");
    drop(held);
    let again = || async {
        get(&server, "/ws", &format!("host: localhost\r\n{UPGRADE}"))
            .await
            .status
            == 101
    };
    eventually("there is room again", again).await;
}

#[tokio::test]
async fn a_slash_at_the_end_of_the_path_changes_nothing() {
    let server = Server::start().await;
    let mut phone = server
        .open("/ws/?clientId=phone", Some(&server.key("alice")))
        .await;
    phone.greeted().await;
    // A path of the HTTP API is what it is: `/v1/bots/` would be a bot without a name.
    let key = server.key("alice");
    for path in [
        "GET /v1/bots/",
        "GET /v1/bots/bot_a/",
        "GET /v1/openapi.json/",
    ] {
        server.call(&key, path, "").await.problem("not_found");
    }
    let lines = format!("host: localhost\r\n{UPGRADE}");
    assert_eq!(get(&server, "/ws//", &lines).await.status, 404);
}

#[tokio::test]
async fn a_slow_head_is_cut_off_without_a_word() {
    let limit = Duration::from_millis(300);
    let server = Server::start_with(|config| config.handshake_timeout = limit).await;
    let begun = Instant::now();
    let silent = read_answer(TcpStream::connect(server.addresses.public).await.unwrap());
    let loris = async {
        let mut stream = TcpStream::connect(server.addresses.public).await.unwrap();
        stream
            .write_all(b"GET /ws HTTP/1.1\r\nhost: localhost\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        let mut buffer = [0; 64];
        loop {
            // A byte of one endless header now and then, as a slow loris does.
            let mut pause = tokio::time::interval(Duration::from_millis(20));
            pause.tick().await;
            tokio::select! {
                read = stream.read(&mut buffer) => match read {
                    Ok(0) | Err(_) => return answer,
                    Ok(n) => answer.extend_from_slice(&buffer[..n]),
                },
                _ = pause.tick() => {
                    if stream.write_all(b"x").await.is_err() {
                        return answer;
                    }
                }
            }
        }
    };
    let (silent, loris) = tokio::join!(silent, loris);
    assert_eq!(
        (silent.head.as_str(), loris.as_slice()),
        ("", b"".as_slice())
    );
    assert!(
        (limit..limit * 5).contains(&begun.elapsed()),
        "{:?}",
        begun.elapsed()
    );
    let failed = r#"t2b_handshakes_total{result="failed"}"#;
    eventually("both are counted", || async {
        server.metric(failed).await == 2.0
    })
    .await;
}

#[tokio::test]
async fn a_draining_node_takes_nobody() {
    let server = Server::start().await;
    let mut stalled = server.narrow("alice", "tablet").await;
    let mut phone = server.client("alice", "phone").await;
    crate::stalled::fill(&mut phone, "tablet").await;
    // Its head is not complete yet when the drain begins.
    let mut late = TcpStream::connect(server.addresses.public).await.unwrap();
    late.write_all(b"GET /ws HTTP/1.1\r\nhost: localhost\r\n")
        .await
        .unwrap();
    server.metric("t2b_connections").await;
    server.shutdown.begin();
    phone.expect("migrate").await;
    late.write_all(format!("{UPGRADE}\r\n").as_bytes())
        .await
        .unwrap();
    let answer = read_answer(late).await;
    assert_eq!(answer.status, 503);
    assert!(answer.head.contains("retry-after: "), "{answer:?}");
    assert!(
        TcpStream::connect(server.addresses.public).await.is_err(),
        "the listener is full"
    );
    stalled.closed().await;
}

fn subprotocol(credential: &str) -> String {
    format!("t2b.auth.{}", URL_SAFE_NO_PAD.encode(credential))
}

/// Opens a socket with these places of credentials, and says which subprotocol came back.
async fn open(
    server: &Server,
    query: Option<&str>,
    header: Option<&str>,
    protocols: Option<&str>,
) -> (Socket, String) {
    let query = query
        .map(|token| format!("?token={token}"))
        .unwrap_or_default();
    let url = format!("ws://{}/ws{query}", server.addresses.public);
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    if let Some(key) = header {
        headers.insert("authorization", format!("bearer {key}").parse().unwrap());
    }
    if let Some(protocols) = protocols {
        headers.insert("sec-websocket-protocol", protocols.parse().unwrap());
    }
    let (socket, response) = connect_async(request).await.unwrap();
    let chosen = response.headers().get("sec-websocket-protocol");
    let chosen = chosen.map(|value| value.to_str().unwrap().to_owned());
    let mut socket = Socket(socket);
    socket.expect("status").await;
    (socket, chosen.unwrap_or_default())
}

#[tokio::test]
async fn the_first_credential_found_is_the_only_one_tried() {
    let server = Server::start().await;
    let (good, bad) = (server.key("alice"), "t2b_alice_0123456789abcdef");
    let offer = |credential: &str| format!("t2b.v1, {}", subprotocol(credential));
    for (query, header, protocols, ok) in [
        (None, Some(good.as_str()), None, true),
        (Some(good.as_str()), None, None, true),
        (None, None, Some(offer(&good)), true),
        (Some(bad), Some(good.as_str()), Some(offer(bad)), true),
        (Some(good.as_str()), None, Some(offer(bad)), true),
        (Some(good.as_str()), Some(bad), None, false),
        (Some(bad), None, Some(offer(&good)), false),
    ] {
        let (mut socket, chosen) = open(&server, query, header, protocols.as_deref()).await;
        let answer = socket.next().await.unwrap();
        assert_eq!(
            answer["type"],
            if ok { "auth_ok" } else { "auth_error" },
            "{query:?} {header:?} {protocols:?}"
        );
        assert_eq!(
            chosen,
            if protocols.is_some() { "t2b.v1" } else { "" },
            "no credential comes back"
        );
    }
}

#[tokio::test]
async fn keys_in_queries_can_be_refused() {
    let server = Server::start_with(|config| config.query_keys = false).await;
    let key = server.key("alice");
    let (mut refused, _) = open(&server, Some(&key), None, None).await;
    assert_eq!(refused.closed().await, 4401);
    let (mut taken, _) = open(&server, None, Some(&key), None).await;
    taken.expect("auth_ok").await;
}

#[tokio::test]
async fn the_query_says_the_rest() {
    let server = Server::start().await;
    let mut bot = server.bot("alice", "bot_a").await;
    let mut phone = server
        .open(
            "/ws?clientId=my.phone&acks=errors",
            Some(&server.key("alice")),
        )
        .await;
    phone.expect("status").await;
    assert_eq!(
        phone.expect("auth_ok").await["data"]["clientId"],
        "my.phone"
    );
    phone.expect("status").await;
    phone.send(message("bot_a", "hi")).await;
    bot.expect("message").await;
    assert_eq!(
        phone.ask(r#"{"type":"ping"}"#).await["type"],
        "pong",
        "no message_ack came first"
    );
    phone
        .refused(message("bot_nobody", "hi"), "bot_not_found")
        .await;

    let mut nameless = server.open("/ws", Some(&server.key("alice"))).await;
    nameless.expect("status").await;
    assert_eq!(
        nameless.expect("auth_ok").await["data"]["clientId"],
        "client_alice"
    );
    let mut wrong = server
        .open("/ws?clientId=-x", Some(&server.key("alice")))
        .await;
    wrong.expect("status").await;
    assert_eq!(wrong.expect("error").await["data"]["reason"], "invalid_id");
}

#[tokio::test]
async fn a_proxy_is_believed_only_if_it_is_trusted() {
    for trusted in [true, false] {
        let server = Server::start_with(|config| {
            if trusted {
                config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
            }
        });
        let server = server.await;
        let from = async |source: &str, key: &str| {
            let url = format!("ws://{}/ws", server.addresses.public);
            let mut request = url.into_client_request().unwrap();
            let headers = request.headers_mut();
            headers.insert("authorization", format!("Bearer {key}").parse().unwrap());
            headers.insert(
                "x-forwarded-for",
                format!("6.6.6.6, {source}").parse().unwrap(),
            );
            let mut socket = Socket(connect_async(request).await.unwrap().0);
            socket.expect("status").await;
            socket.next().await.unwrap()["type"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        for _ in 0..10 {
            assert_eq!(
                from("192.0.2.1", "t2b_alice_0123456789abcdef").await,
                "auth_error"
            );
        }
        let bad = "t2b_alice_0123456789abcdef";
        from("192.0.2.1", bad).await;
        from("192.0.2.2", bad).await;
        // Only the first of them is throttled, if they are two sources.
        let throttled = r#"t2b_auth_failures_total{reason="throttled"}"#;
        let expected = if trusted { 1.0 } else { 2.0 };
        assert_eq!(server.metric(throttled).await, expected);
        assert_eq!(from("192.0.2.1", &server.key("alice")).await, "auth_ok");
    }
}
