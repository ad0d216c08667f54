//! What balancers and monitors send: HEAD, HTTP/1.0 without a `Host`, OPTIONS.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::harness::{Server, eventually};
use crate::http::{Answer, exchange};

/// Header lines in order, without `date` and without the values of what may differ between two answers.
fn shape(answer: &Answer) -> Vec<String> {
    let lines = answer.head.lines().skip(1);
    let lines = lines.filter(|line| !line.starts_with("date: "));
    let mut lines: Vec<_> = lines.map(str::to_owned).collect();
    lines.sort();
    lines
}

async fn is_like_get(address: SocketAddr, path: &str, headers: &str) {
    let ask = async |method: &str| {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        exchange(address, head.as_bytes()).await
    };
    let (get, head) = (ask("GET").await, ask("HEAD").await);
    assert_eq!(head.status, get.status, "{path}: {head:?}");
    assert_eq!(head.body, "", "{path}");
    let length = |answer: &Answer| {
        let length = answer.head.split("content-length: ").nth(1);
        length.map(|rest| rest.lines().next().unwrap().parse::<usize>().unwrap())
    };
    assert_eq!(length(&get), Some(get.body.len()), "{path}: {get:?}");
    // Numbers in these grow between the two.
    if !["/metrics", "/admin/v1/status", "/admin/v1/nodes"].contains(&path) {
        assert_eq!(shape(&head), shape(&get), "{path}");
    }
    assert!(length(&head).is_some(), "{path}: {head:?}");
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let server = Server::start().await;
    let _bot = server.bot("alice", "bot_a").await;
    let key = server.key("alice");
    let bearer = format!("authorization: Bearer {key}\r\nconnection: close\r\n");
    for path in [
        "/v1/bots",
        "/v1/bots/bot_a",
        "/v1/bots/bot_x",
        "/v1/openapi.json",
        "/v1/messages",
        "/",
        "/ws",
        "/nothing",
    ] {
        is_like_get(server.addresses.public, path, &bearer).await;
    }
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/admin/v1/status",
        "/admin/v1/nodes",
        "/admin/v1/keys/using-old",
        "/admin/v1/tenants/alice/revoke",
        "/nothing",
    ] {
        is_like_get(server.addresses.admin, path, &server.admin_bearer()).await;
    }
    let (head, key) = (
        server.call(&key, "HEAD /v1/messages", "").await,
        server.key("alice"),
    );
    assert!(head.head.contains("allow: post, options"), "{head:?}");
    let post = server.call(&key, "POST /v1/bots", "").await;
    assert!(post.head.contains("allow: get, head, options"), "{post:?}");
}

#[tokio::test]
async fn probes_need_no_host() {
    let server = Server::start().await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        for method in ["GET", "HEAD", "OPTIONS"] {
            for rest in [
                "HTTP/1.0\r\n\r\n",
                "HTTP/1.1\r\nhost: gateway.example\r\n\r\n",
                "HTTP/1.1\r\nhost:\r\n\r\n",
            ] {
                let request = format!("{method} {path} {rest}");
                let answer = exchange(server.addresses.admin, request.as_bytes()).await;
                assert_eq!(answer.status, 200, "{request:?} {answer:?}");
            }
        }
        let page = "origin: http://gateway.example\r\n";
        assert_eq!(server.admin("GET", path, page).await.status, 403, "{path}");
        assert_eq!(server.admin("POST", path, "").await.status, 404, "{path}");
    }
    let status = format!(
        "GET /admin/v1/status HTTP/1.0\r\n{}\r\n",
        server.admin_bearer()
    );
    for request in [status.as_str(), "GET / HTTP/1.0\r\n\r\n"] {
        let answer = exchange(server.addresses.admin, request.as_bytes()).await;
        assert_eq!(answer.status, 421, "{answer:?}");
    }
}

/// haproxy, as `TEST_HAPROXY` or the system has it.
fn haproxy() -> Option<PathBuf> {
    let named = std::env::var_os("TEST_HAPROXY").map(PathBuf::from);
    let usual = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"].map(PathBuf::from);
    let found = named.or_else(|| usual.into_iter().find(|path| path.exists()));
    if found.is_none() {
        eprintln!("skipped: there is no haproxy; TEST_HAPROXY names one");
    }
    found
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn haproxy_finds_a_node_well() {
    let Some(program) = haproxy() else { return };
    let server = Server::start().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stats = free.local_addr().unwrap();
    drop(free);
    let (public, admin) = (server.addresses.public, server.addresses.admin.port());
    let backend = |name: &str, check: &str| {
        format!(
            "backend {name}\n  mode http\n  option httpchk {check}\n  server {name} {public} check inter 100 port {admin}\n"
        )
    };
    let config = format!(
        "defaults\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n\
         frontend stats\n  mode http\n  bind {stats}\n  stats enable\n  stats uri /\n{}{}{}{}{}",
        backend("get", "GET /readyz"),
        backend("head", "HEAD /healthz"),
        backend("options", "/readyz"),
        backend("plain", ""),
        backend("public", "").replace(&format!(" port {admin}"), ""),
    );
    let file = server.dir.path().join("haproxy.cfg");
    std::fs::write(&file, config).unwrap();
    let command = Command::new(program)
        .arg("-db")
        .arg("-f")
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _running = Ended(command.unwrap());
    let csv = async || {
        let request = b"GET /;csv HTTP/1.0\r\n\r\n";
        let Ok(stream) = tokio::net::TcpStream::connect(stats).await else {
            return String::new();
        };
        drop(stream);
        exchange(stats, request).await.body
    };
    for name in ["get", "head", "options", "plain", "public"] {
        let line = format!("{name},{name},");
        // `check_status` and `check_code`: a check that the node answered with 200 or 204.
        eventually(name, || async {
            let table = csv().await;
            let mut lines = table.lines();
            lines.any(|it| it.starts_with(&line) && it.contains(",UP,") && it.contains("L7OK,20"))
        })
        .await;
    }
}
