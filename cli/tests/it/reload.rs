//! A gateway that reads its configuration again: what changes holds at once, and no socket closes.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fixtures::{DEADLINE, blocking_until};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::harness::{RunningGateway, TestHome, http, http_post};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NEXT_SECRET: &str = "fedcba9876543210fedcba9876543210";
const TOKEN: &str = "the-first-admin-token";
/// In which time what is new holds.
const SOON: Duration = Duration::from_secs(1);
/// The log says this when a reload is done.
const DONE: &str = "the configuration is read again";

/// A gateway whose configuration is in files.
struct ReloadRig {
    gateway: RunningGateway,
    home: TestHome,
}

impl ReloadRig {
    fn start(config: &str) -> Self {
        let home = TestHome::new();
        let path = |name: &str| home.path().join(name).display().to_string();
        fs::write(path("secrets"), SECRET).unwrap();
        fs::write(path("token"), TOKEN).unwrap();
        fs::write(path("t2b.toml"), config).unwrap();
        let gateway = home.gateway(&[
            ("T2B_CONFIG", &path("t2b.toml")),
            ("T2B_SECRETS_FILE", &path("secrets")),
            ("T2B_ADMIN_TOKEN_FILE", &path("token")),
        ]);
        blocking_until(DEADLINE, "it is ready", || {
            let ready = http(&gateway.admin, "GET /readyz HTTP/1.1");
            ready.contains(" 200 ").then_some(())
        });
        Self { gateway, home }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
    }

    fn post(&self, path: &str) -> String {
        http_post(&self.gateway.admin, path, TOKEN, "")
    }

    /// Reloads, and gives the answer.
    fn reload(&self) -> Value {
        body_of(&self.post("/admin/v1/reload"))
    }

    fn metric(&self, series: &str) -> f64 {
        let page = http(&self.gateway.admin, "GET /metrics HTTP/1.1");
        let line = page.lines().find_map(|line| line.strip_prefix(series));
        line.and_then(|value| value.trim().parse().ok())
            .unwrap_or_else(|| panic!("no {series}"))
    }

    fn key(&self, secret: &str) -> String {
        let variables = [("T2B_SECRETS", secret)];
        let args = ["keys", "issue", "alice"];
        self.home
            .run_with(&args, &variables)
            .stdout
            .trim()
            .to_owned()
    }

    async fn socket(&self, client: &str) -> TestSocket {
        let key = self.key(SECRET);
        TestSocket::open(&self.gateway, client, &key).await.unwrap()
    }
}

/// The JSON of an answer of 200.
fn body_of(answer: &str) -> Value {
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}

struct TestSocket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl TestSocket {
    /// Errors: the code that it was closed with.
    async fn open(gateway: &RunningGateway, client: &str, key: &str) -> Result<Self, u16> {
        let url = format!("ws://{}/ws?clientId={client}", gateway.public);
        let mut request = url.into_client_request().unwrap();
        let bearer = format!("Bearer {key}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let (stream, _) = connect_async(request).await.unwrap();
        let mut socket = Self(stream);
        socket.receive(|frame| frame["type"] == "auth_ok").await?;
        Ok(socket)
    }

    /// The next such frame. Errors: the code that it was closed with.
    async fn receive(&mut self, is_it: impl Fn(&Value) -> bool) -> Result<Value, u16> {
        let wait = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => {
                        let frame = serde_json::from_str(&text).unwrap();
                        if is_it(&frame) {
                            return Ok(frame);
                        }
                    }
                    Some(Ok(Message::Close(close))) => {
                        return Err(close.map_or(1005, |close| close.code.into()));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Err(1006),
                }
            }
        };
        timeout(DEADLINE, wait).await.expect("a frame in time")
    }

    /// What a request is answered with: `ok`, or the reason of a refusal.
    async fn ask(&mut self, kind: &str, data: Value) -> String {
        let request = json!({"type": kind, "id": "asked", "data": data});
        self.0
            .send(Message::text(request.to_string()))
            .await
            .unwrap();
        let answer = self.receive(|frame| frame["id"] == "asked").await;
        let answer = answer.expect("the socket is open");
        let reason = answer["data"]["reason"].as_str();
        match answer["type"] == "error" {
            true => reason.unwrap_or_default().to_owned(),
            false => "ok".to_owned(),
        }
    }

    async fn register(&mut self, bot: &str) -> String {
        self.ask("register_bot", json!({"botId": bot})).await
    }

    async fn say(&mut self, to: &str) -> String {
        self.ask("message", json!({"to": to, "text": "hello"}))
            .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_limits_hold_for_open_sockets_and_close_none() {
    let mut rig = ReloadRig::start("");
    let mut sockets = Vec::new();
    for number in 0..20 {
        let mut socket = rig.socket(&format!("phone-{number}")).await;
        assert_eq!(socket.register(&format!("bot-{number}")).await, "ok");
        sockets.push(socket);
    }
    for (limits, answer) in [
        ("[limits]\nbots_per_tenant = 20\n", "quota_exceeded"),
        ("[limits]\nbots_per_tenant = 21\n", "ok"),
        // Fewer than there are.
        (
            "[tenants.alice.limits]\nbots_per_tenant = 2\n",
            "quota_exceeded",
        ),
    ] {
        rig.write("t2b.toml", limits);
        rig.gateway.process.signal("-HUP");
        rig.gateway.process.wait_for(DONE);
        let began = Instant::now();
        let further = format!("further-{}", limits.len());
        assert_eq!(sockets[0].register(&further).await, answer, "{limits}");
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        for (number, socket) in sockets.iter_mut().enumerate() {
            let to = format!("bot-{}", (number + 1) % 20);
            assert_eq!(socket.say(&to).await, "ok", "{limits} {number}");
        }
    }
    assert_eq!(rig.metric("t2b_connections "), 20.0);
    assert_eq!(rig.metric(r#"t2b_reloads_total{result="changed"} "#), 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_changes_nothing() {
    let mut rig = ReloadRig::start("[limits]\nbots_per_tenant = 1\n");
    let mut socket = rig.socket("phone").await;
    assert_eq!(socket.register("one").await, "ok");
    for broken in [
        "[limits]\nbots_per_tenant = \"many\"\n",
        "[limits",
        "lisen = \"127.0.0.1:1\"\n",
    ] {
        rig.write("t2b.toml", broken);
        let answer = rig.post("/admin/v1/reload");
        assert!(answer.starts_with("HTTP/1.1 422"), "{answer}");
        let config = rig.file("t2b.toml").display().to_string();
        let printed = rig.home.run(&["gateway", "config", "--config", &config]);
        let printed = printed.with(64);
        let (_, text) = answer.split_once("\r\n\r\n").unwrap();
        assert!(printed.contains(text.trim()), "{text} is not in {printed}");
        rig.gateway.process.signal("-HUP");
        let line = rig.gateway.process.wait_for("by=SIGHUP");
        assert!(
            line.contains("WARN") && line.contains(text.trim()),
            "{line}"
        );
        assert_eq!(socket.register("two").await, "quota_exceeded");
    }
    assert_eq!(rig.metric(r#"t2b_reloads_total{result="refused"} "#), 6.0);
    fs::remove_file(rig.file("t2b.toml")).unwrap();
    assert!(rig.post("/admin/v1/reload").contains(" 422 "));
    rig.write("t2b.toml", "");
    assert_eq!(rig.reload()["changed"], json!(["limits"]));
    assert_eq!(socket.register("two").await, "ok");
}

#[test]
fn hosts_origins_query_keys_and_the_admin_token_apply() {
    let rig = ReloadRig::start("");
    let unchanged = json!({"changed": [], "needs_restart": [], "unchanged": true});
    assert_eq!(rig.reload(), unchanged);
    let upgrade = |host: &str, origin: &str| {
        let head = format!(
            "GET /ws?token=nonsense HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        );
        status_of(&raw(&rig.gateway.public, &head))
    };
    let page = "https://app.example";
    assert_eq!(upgrade("bots.example", page), 421);
    assert_eq!(upgrade("127.0.0.1", page), 403);
    rig.write(
        "t2b.toml",
        "allowed_hosts = [\"bots.example\"]\nallowed_origins = [\"https://app.example\"]\nready_when_degraded = false\n",
    );
    let changed = json!(["allowed_hosts", "allowed_origins", "ready_when_degraded"]);
    assert_eq!(rig.reload()["changed"], changed);
    assert_eq!(upgrade("bots.example", page), 101);
    assert_eq!(upgrade("bots.example", "https://other.example"), 403);
    let admin = raw(
        &rig.gateway.admin,
        "GET /metrics/tenants HTTP/1.1\r\nHost: bots.example",
    );
    assert_ne!(status_of(&admin), 421, "{admin}");

    rig.write("token", "the-second-admin-token");
    assert_eq!(rig.reload()["changed"], json!(["admin_token_file"]));
    assert!(rig.post("/admin/v1/reload").contains(" 401 "));
    let answer = http_post(
        &rig.gateway.admin,
        "/admin/v1/reload",
        "the-second-admin-token",
        "",
    );
    assert_eq!(body_of(&answer), unchanged);
}

#[test]
fn what_needs_a_restart_is_named_until_it_is_taken_back() {
    let mut rig = ReloadRig::start("");
    rig.write(
        "t2b.toml",
        "heartbeat = \"7s\"\nredis_prefix = \"other\"\nlog = \"debug\"\n",
    );
    let told = rig.reload();
    assert_eq!(told["needs_restart"], json!(["heartbeat", "redis_prefix"]));
    assert_eq!(told["changed"], json!(["log"]));
    assert_eq!(told["unchanged"], false);
    // A request is a line of the log at this level.
    http(&rig.gateway.public, "GET /nothing HTTP/1.1");
    rig.gateway.process.wait_for("DEBUG");
    let token = rig.file("token").display().to_string();
    let printed = rig.home.run(&[
        "gateway",
        "reload",
        "--admin-listen",
        &rig.gateway.admin,
        "--admin-token-file",
        &token,
    ]);
    assert_eq!(printed.stdout, "needs a restart: heartbeat, redis_prefix\n");
    rig.write("t2b.toml", "log = \"info\"\n");
    let told = rig.reload();
    assert_eq!(
        told,
        json!({"changed": ["log"], "needs_restart": [], "unchanged": false})
    );
    assert_eq!(rig.metric(r#"t2b_reloads_total{result="unchanged"} "#), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_secret_of_open_sockets_is_dropped_by_force_only() {
    let mut rig = ReloadRig::start("");
    let mut socket = rig.socket("phone").await;
    assert_eq!(socket.register("one").await, "ok");
    let old_key = rig.key(SECRET);
    rig.write("secrets", NEXT_SECRET);
    let answer = rig.post("/admin/v1/reload");
    assert!(answer.starts_with("HTTP/1.1 409"), "{answer}");
    assert!(answer.contains("1 open sockets use it"), "{answer}");
    assert!(
        !answer.contains(SECRET) && !answer.contains(NEXT_SECRET),
        "{answer}"
    );
    rig.gateway.process.signal("-HUP");
    rig.gateway.process.wait_for("is not reloaded");
    assert!(
        TestSocket::open(&rig.gateway, "other", &old_key)
            .await
            .is_ok()
    );

    let token = rig.file("token").display().to_string();
    let args = [
        "gateway",
        "reload",
        "--admin-listen",
        &rig.gateway.admin,
        "--admin-token-file",
        &token,
    ];
    let refused = rig.home.run(&args).with(1);
    assert!(refused.contains("force it"), "{refused}");
    let forced = rig.home.run(&[&args[..], &["--force"]].concat());
    assert_eq!(forced.stdout, "changed: secrets_file\n");
    let closed = TestSocket::open(&rig.gateway, "late", &old_key).await.err();
    assert_eq!(closed, Some(4401));
    let new_key = rig.key(NEXT_SECRET);
    let opened = TestSocket::open(&rig.gateway, "new", &new_key).await;
    assert_eq!(opened.err(), None);
    assert_eq!(socket.say("one").await, "ok", "it stays open");
    let old = r#"t2b_connections_by_secret{secret="other"} "#;
    blocking_until(DEADLINE, "one socket uses the old secret", || {
        (rig.metric(old) == 1.0).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_the_file_suspends_is_closed_and_may_come_back() {
    let rig = ReloadRig::start("");
    let mut socket = rig.socket("phone").await;
    rig.write("t2b.toml", "[tenants.alice]\nsuspended = true\n");
    assert_eq!(rig.reload()["changed"], json!(["tenants.alice"]));
    assert_eq!(socket.receive(|_| false).await.err(), Some(4403));
    rig.write("t2b.toml", "");
    assert_eq!(rig.reload()["changed"], json!(["tenants.alice"]));
    rig.socket("phone").await;
}

/// The status of an answer.
fn status_of(answer: &str) -> u16 {
    answer
        .get(9..12)
        .and_then(|code| code.parse().ok())
        .unwrap_or_default()
}

/// One request with a `Host` of its own, and the head of its answer.
fn raw(address: &str, head: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(stream, "{head}\r\n\r\n").unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}
