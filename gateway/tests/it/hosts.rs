//! Which values of `Host` and `Origin` are let in, by how the configuration has them.

use crate::handshake::{UPGRADE, get};
use crate::harness::Server;

#[tokio::test]
async fn hosts_match_as_operators_write_them() {
    let listed = [
        "*.wild.example",
        "ported.example:8443",
        "default.example:443",
        "bücher.example",
        "Upper.Example",
    ];
    let server = Server::start_with(|config| {
        config.allowed_hosts = listed.map(|host| host.parse().unwrap()).to_vec();
    })
    .await;
    for (host, status) in [
        ("a.wild.example", 101),
        ("a.b.wild.example:3000", 101),
        ("wild.example", 421),
        ("awild.example", 421),
        ("a.wild.example.evil", 421),
        ("ported.example:8443", 101),
        ("ported.example", 421),
        ("ported.example:8444", 421),
        ("default.example", 101),
        ("default.example:443", 101),
        ("default.example:8443", 421),
        ("xn--bcher-kva.example", 101),
        ("upper.example.", 101),
        ("other.example", 421),
    ] {
        let lines = format!("host: {host}\r\n{UPGRADE}");
        assert_eq!(get(&server, "/ws", &lines).await.status, status, "{host}");
    }
    let any = Server::start_with(|config| config.allowed_hosts = vec!["*".parse().unwrap()]).await;
    let lines = format!("host: other.example\r\n{UPGRADE}");
    assert_eq!(get(&any, "/ws", &lines).await.status, 101);
}

#[tokio::test]
async fn origins_match_as_operators_write_them() {
    let listed = [
        "https://*.wild.example",
        "https://default.example:443",
        "http://ported.example:8080",
        "https://bücher.example",
        "HTTPS://Upper.Example",
        "null",
        "moz-extension://*",
        "app://.",
    ];
    let server = Server::start_with(|config| {
        config.allowed_origins = listed.map(|origin| origin.parse().unwrap()).to_vec();
    })
    .await;
    for (origin, status) in [
        ("https://a.wild.example", 101),
        ("https://a.b.wild.example", 101),
        ("https://a.wild.example:443", 101),
        ("https://a.wild.example:8443", 403),
        ("http://a.wild.example", 403),
        ("https://wild.example", 403),
        ("https://a.wild.example.evil", 403),
        ("https://evil/a.wild.example", 403),
        ("https://evil@a.wild.example", 403),
        ("https://default.example", 101),
        ("http://default.example", 403),
        ("http://ported.example:8080", 101),
        ("http://ported.example", 403),
        ("https://xn--bcher-kva.example", 101),
        ("https://upper.example", 101),
        ("null", 101),
        ("moz-extension://8bd27d35-28a8-4b05-b1fa-3d7a2a8f2d3c", 101),
        ("app://.", 101),
        ("app://other", 403),
    ] {
        let lines = format!("host: localhost:3000\r\n{UPGRADE}origin: {origin}\r\n");
        assert_eq!(get(&server, "/ws", &lines).await.status, status, "{origin}");
    }
}
