//! The admin API: which requests it takes, and what its orders do.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use protocol::TenantId;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::harness::{SOON, Server, eventually, message, within};
use crate::http::exchange;

#[tokio::test]
async fn only_the_token_opens_it() {
    let server = Server::start().await;
    let bearer = server.admin_bearer();
    let wrong = bearer.replace(&server.admin_token, "wrong");
    let short = bearer.replace(&server.admin_token, &server.admin_token[1..]);
    for (method, path, headers, status) in [
        ("GET", "/admin/v1/status", bearer.as_str(), 200),
        ("GET", "/admin/v1/status", "", 401),
        ("GET", "/admin/v1/status", &wrong, 401),
        ("GET", "/admin/v1/status", &short, 401),
        ("GET", "/admin/v1/nothing", "", 401),
        ("GET", "/admin/v1/nothing", &bearer, 404),
        ("GET", "/admin/v1/tenants/alice/revoke", &bearer, 404),
        ("POST", "/admin/v1/tenants/alice/revoke", "", 401),
        ("POST", "/admin/v1/tenants/-alice/revoke", &bearer, 400),
        ("GET", "/", &bearer, 404),
        ("GET", "/healthz", "origin: http://localhost\r\n", 403),
        (
            "GET",
            "/admin/v1/status",
            &format!("{bearer}origin: http://localhost\r\n"),
            403,
        ),
    ] {
        let answer = server.admin(method, path, headers).await;
        assert_eq!(
            answer.status, status,
            "{method} {path} {headers} {answer:?}"
        );
        assert_eq!(
            answer.head.contains("www-authenticate: bearer"),
            status == 401
        );
    }
    for host in ["rebound.example", "localhost.evil.example", ""] {
        let head = format!("GET /admin/v1/status HTTP/1.1\r\nhost: {host}\r\n{bearer}\r\n");
        assert_eq!(
            exchange(server.addresses.admin, head.as_bytes())
                .await
                .status,
            421,
            "{host}"
        );
    }
}

#[tokio::test]
async fn without_a_token_it_does_not_exist() {
    let server = Server::start_with(|config| config.admin_token = None).await;
    for headers in [
        "",
        "authorization: Bearer \r\n",
        "authorization: Bearer x\r\n",
    ] {
        assert_eq!(
            server
                .admin("GET", "/admin/v1/status", headers)
                .await
                .status,
            404
        );
    }
    assert_eq!(server.admin("GET", "/healthz", "").await.status, 200);
}

#[tokio::test]
async fn the_status_counts() {
    let server = Server::start().await;
    let _phone = server.client("alice", "phone").await;
    let _bot = server.bot("alice", "bot_a").await;
    let _other = server.client("bob", "phone").await;
    let status = server
        .admin("GET", "/admin/v1/status", &server.admin_bearer())
        .await
        .json();
    assert_eq!(
        (&status["connections"], &status["tenants"]),
        (&3.into(), &2.into())
    );
    assert_eq!(
        (&status["draining"], &status["store"]["kind"]),
        (&false.into(), &"memory".into())
    );
    assert!(status["uptime_ms"].is_u64() && status["version"].is_string());
    let (used, most) = (&status["store"]["bytes"], &status["store"]["bytes_max"]);
    assert!(used.as_u64().unwrap() > 0 && used.as_u64() < most.as_u64());
}

/// What the server says to a credential: the type of the frame behind `connected`.
async fn met(server: &Server, credential: &str) -> String {
    let mut socket = server.open("/ws", Some(credential)).await;
    socket.expect("status").await;
    socket.next().await.unwrap()["type"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_revoked_key_stays_revoked_after_a_restart() {
    let first = Server::start().await;
    let (old, foreign) = (first.key("alice"), first.key("bob"));
    assert_eq!(first.order("alice", "revoke").await["generation"], 1);
    let new = first
        .keyring
        .issue_key(&TenantId::parse("alice").unwrap(), 1);
    let second = Server::start_in(Arc::clone(&first.dir), |_| {}, None).await;
    for server in [&first, &second] {
        assert_eq!(met(server, &old).await, "auth_error");
        assert_eq!(met(server, new.reveal()).await, "auth_ok");
        assert_eq!(met(server, &foreign).await, "auth_ok");
    }
    assert_eq!(second.order("alice", "revoke").await["generation"], 2);
    assert_eq!(met(&second, new.reveal()).await, "auth_error");
}

#[tokio::test]
async fn a_suspended_tenant_is_out_until_it_is_resumed() {
    let first = Server::start().await;
    let key = first.key("alice");
    let (mut phone, mut bot) = (
        first.client("alice", "phone").await,
        first.bot("alice", "bot_a").await,
    );
    let mut other = first.client("bob", "phone").await;
    assert_eq!(first.order("alice", "suspend").await["suspended"], true);
    assert_eq!((phone.closed().await, bot.closed().await), (4403, 4403));
    other.refused(message("bot_a", "hi"), "bot_not_found").await;
    let second = Server::start_in(Arc::clone(&first.dir), |_| {}, None).await;
    assert_eq!(met(&first, &key).await, "auth_error");
    assert_eq!(met(&second, &key).await, "auth_error");
    assert_eq!(second.order("alice", "resume").await["suspended"], false);
    assert_eq!(met(&second, &key).await, "auth_ok");
}

#[tokio::test]
async fn an_order_the_store_did_not_take_is_not_confirmed() {
    use protocol::ErrorCode;
    use router_core::store::StoreFailure;
    let away = Box::new(|_: &_| Some(Err(StoreFailure::Refused(ErrorCode::StoreUnavailable))));
    let server = Server::start_faulty(|_| {}, Some(away)).await;
    let answer = server
        .admin(
            "POST",
            "/admin/v1/tenants/alice/revoke",
            &server.admin_bearer(),
        )
        .await;
    assert_eq!(answer.status, 503);
    assert_eq!(
        server.admin("GET", "/healthz", "").await.status,
        200,
        "liveness never asks the store"
    );
}

#[tokio::test]
async fn wrong_tokens_are_throttled_and_the_right_one_passes() {
    let server = Server::start().await;
    let bearer = server.admin_bearer();
    let wrong = bearer.replace(&server.admin_token, "wrong");
    let status = async |headers: &str| server.admin("GET", "/admin/v1/status", headers).await;
    for _ in 0..10 {
        assert_eq!(status(&wrong).await.status, 401);
    }
    for _ in 0..2 {
        let throttled = status(&wrong).await;
        assert_eq!(throttled.status, 429);
        assert!(throttled.head.contains("retry-after: "), "{throttled:?}");
        assert_eq!(status(&bearer).await.status, 200);
    }
    assert_eq!(status("").await.status, 401, "no token is no guess");
}

#[tokio::test]
async fn silent_connections_do_not_fill_the_admin_listener() {
    let server = Server::start().await;
    let mut held = Vec::new();
    for i in 0..200u8 {
        let socket = TcpSocket::new_v4().unwrap();
        let source = IpAddr::from([127, 0, 0, 10 + i % 50]);
        socket.bind(SocketAddr::new(source, 0)).unwrap();
        held.push(socket.connect(server.addresses.admin).await.unwrap());
    }
    assert_eq!(server.admin("GET", "/healthz", "").await.status, 200);
    // What had to make room is closed.
    let mut closed = 0;
    for stream in &mut held {
        let mut byte = [0];
        if let Ok(Ok(0) | Err(_)) = timeout(Duration::ZERO, stream.read(&mut byte)).await {
            closed += 1;
        }
    }
    assert!((136..=137).contains(&closed), "{closed}");
}

#[tokio::test]
async fn one_address_has_half_of_the_admin_listener() {
    let server = Server::start().await;
    let mut held = Vec::new();
    for _ in 0..32 {
        held.push(TcpStream::connect(server.addresses.admin).await.unwrap());
    }
    assert_eq!(server.admin("GET", "/healthz", "").await.status, 429);
    drop(held);
    let again = || async { server.admin("GET", "/healthz", "").await.status == 200 };
    eventually("there is room again", again).await;
}

/// A state directory that cannot be written, whoever the process runs as.
fn replaced_by_a_file(server: &Server) {
    let dir = server.dir.path();
    std::fs::remove_dir_all(dir).unwrap();
    std::fs::write(dir, "").unwrap();
}

/// Room for the temporary directory's own clean-up.
fn made_again(server: &Server) {
    let dir = server.dir.path();
    std::fs::remove_file(dir).unwrap();
    std::fs::create_dir(dir).unwrap();
}

#[tokio::test]
async fn an_order_that_cannot_be_written_holds_in_memory_and_says_so() {
    let server = Server::start().await;
    let old = server.key("alice");
    let mut phone = server.client("alice", "phone").await;
    assert_eq!(server.order("bob", "suspend").await["persisted"], true);
    replaced_by_a_file(&server);
    let answer = server.order("alice", "revoke").await;
    assert_eq!(
        (&answer["generation"], &answer["persisted"]),
        (&1.into(), &false.into())
    );
    assert_eq!(phone.closed().await, 4401);
    assert_eq!(met(&server, &old).await, "auth_error");
    let answer = server.order("alice", "suspend").await;
    assert_eq!(
        (&answer["suspended"], &answer["persisted"]),
        (&true.into(), &false.into())
    );
    made_again(&server);
    assert_eq!(server.order("carol", "suspend").await["persisted"], true);
    let kept = std::fs::read_to_string(server.dir.path().join("policies.json")).unwrap();
    for tenant in ["alice", "bob", "carol"] {
        assert!(kept.contains(tenant), "{kept}");
    }
}

#[tokio::test]
async fn a_policy_is_written_once_the_directory_can_be() {
    let server = Server::start().await;
    replaced_by_a_file(&server);
    server.order("alice", "revoke").await;
    made_again(&server);
    let path = server.dir.path().join("policies.json");
    // It is tried again every 5 s.
    within(3 * SOON, "it is written", || async { path.exists() }).await;
}
