//! Handshakes over a real HTTP server: each refusal, and what an acceptance says.

use crate::raw::{FIN, HEAD, Raw, TEXT, masked};
use crate::server::{Server, Setup};

async fn answer(setup: Setup, head: &str) -> String {
    let server = Server::start(setup).await;
    let (_, answer) = Raw::request(server.address, head).await;
    answer.to_ascii_lowercase()
}

#[tokio::test]
async fn the_answer_carries_the_accept_key_and_a_known_subprotocol_only() {
    let head = format!(
        "{HEAD}Sec-WebSocket-Protocol: t2b.auth.c2VjcmV0, t2b.v1\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
    );
    let answer = answer(Setup::default(), &head).await;
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    // RFC 6455 §1.3's own example.
    assert!(
        answer.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="),
        "{answer}"
    );
    assert!(
        answer.contains("sec-websocket-protocol: t2b.v1\r\n"),
        "{answer}"
    );
    assert!(
        !answer.contains("c2vjcmv0") && !answer.contains("extensions"),
        "{answer}"
    );
}

#[tokio::test]
async fn bad_heads_are_refused_with_the_status_that_names_the_fault() {
    let cases = [
        (
            "another version",
            "Version: 13",
            "Version: 8",
            "426",
            "sec-websocket-version: 13",
        ),
        (
            "no version",
            "Sec-WebSocket-Version: 13\r\n",
            "",
            "426",
            "sec-websocket-version: 13",
        ),
        (
            "no upgrade",
            "Upgrade: websocket\r\n",
            "",
            "426",
            "upgrade: websocket",
        ),
        ("no connection", "Connection: Upgrade\r\n", "", "400", ""),
        ("post", "GET ", "POST ", "400", ""),
        (
            "short key",
            "dGhlIHNhbXBsZSBub25jZQ==",
            "c2hvcnQ=",
            "400",
            "",
        ),
        (
            "no base64",
            "dGhlIHNhbXBsZSBub25jZQ==",
            "!!!!IHNhbXBsZSBub25jZQ==",
            "400",
            "",
        ),
        (
            "no key",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            "",
            "400",
            "",
        ),
        (
            "two keys",
            "Upgrade: web",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUpgrade: web",
            "400",
            "",
        ),
        ("no host", "Host: 127.0.0.1\r\n", "", "400", ""),
        (
            "foreign origin",
            "Host: 127.0.0.1\r\n",
            "Host: 127.0.0.1\r\nOrigin: http://evil.example\r\n",
            "403",
            "",
        ),
        (
            "foreign host",
            "Host: 127.0.0.1",
            "Host: evil.example",
            "421",
            "",
        ),
    ];
    for (what, from, to, status, header) in cases {
        let setup = Setup {
            hosts: Some(vec!["bots.example".parse().unwrap()]),
            ..Setup::default()
        };
        let answer = answer(setup, &HEAD.replacen(from, to, 1)).await;
        assert!(
            answer.starts_with(&format!("http/1.1 {status} ")),
            "{what}: {answer}"
        );
        assert!(answer.contains(header), "{what}: {answer}");
    }
}

#[tokio::test]
async fn frames_sent_together_with_the_head_are_not_lost() {
    let server = Server::start(Setup::default()).await;
    let mut head = format!("{HEAD}\r\n").into_bytes();
    head.extend(masked(FIN | TEXT, b"early"));
    let mut raw = Raw {
        stream: tokio::net::TcpStream::connect(server.address)
            .await
            .unwrap(),
    };
    raw.bytes(&head).await;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(
            tokio::io::AsyncReadExt::read_u8(&mut raw.stream)
                .await
                .unwrap(),
        );
    }
    raw.expect(FIN | TEXT, b"early").await;
}
