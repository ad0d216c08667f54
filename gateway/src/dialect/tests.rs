//! A second dialect talks through a real node: clients that speak lines, and a bot and a client that
//! speak T2B.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::TenantId;
use router_core::auth::{Credential, Keyring, Source};
use router_core::session::OpenedConnection;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, duplex};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::{WebSocketStream, client_async};

use ::metrics::Counter;

use super::Dialect;
use super::line::LineDialect;
use crate::config::Config;
use crate::gate::{Gate, GateLimits};
use crate::gateway::{Gateway, ListenAddresses};
use crate::node::Node;
use crate::ws::{Connection, FrameReader, drive, split_boxed};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Longest wait for anything that must happen.
const SOON: Duration = Duration::from_secs(5);

/// A gateway that runs until this is dropped, with one tenant.
struct Server {
    node: Arc<Node>,
    keyring: Keyring,
    addresses: ListenAddresses,
    running: AbortHandle,
    _dir: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Server {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::for_test(dir.path()).unwrap();
        let keyring = config.keyring();
        let gateway = Gateway::bind(config).await.unwrap();
        let (node, addresses) = (Arc::clone(&gateway.node), gateway.addresses());
        Self {
            node,
            keyring,
            addresses,
            running: tokio::spawn(gateway.run()).abort_handle(),
            _dir: dir,
        }
    }

    fn key(&self) -> String {
        let tenant = TenantId::parse("alice").unwrap();
        self.keyring.issue_key(&tenant, 0).reveal().clone()
    }

    /// A client over TCP that has its `auth_ok`.
    async fn t2b(&self, client: &str) -> Peer<TcpStream> {
        let stream = TcpStream::connect(self.addresses.public).await.unwrap();
        let (address, key) = (self.addresses.public, self.key());
        let url = format!("ws://{address}/ws?clientId={client}&token={key}");
        let (socket, _) = client_async(url, stream).await.unwrap();
        let mut peer = Peer(socket);
        peer.frame("auth_ok").await;
        peer
    }

    /// A client that speaks lines.
    async fn line(&self, client: &str) -> Peer<impl AsyncRead + AsyncWrite + Unpin> {
        let (peer, ours) = duplex(1 << 16);
        let (read, write) = split_boxed(ours);
        let node = &self.node;
        let reader = FrameReader::new(read, &[], node.read_limits_unauthenticated());
        let gate = Gate::new(GateLimits::public(8));
        let open = gate.enter(LOOPBACK, false).unwrap().open;
        let opened = OpenedConnection {
            credential: Some(Credential::from_bearer(&self.key())),
            client: Some(client.to_owned()),
            ..OpenedConnection::default()
        };
        let handler = node.connect(
            Dialect::Line(LineDialect::default()),
            |limits| Connection::new(write, limits, Arc::new(Counter::noop())),
            (Source::of(LOOPBACK), open),
            opened,
        );
        tokio::spawn(drive(reader, handler.socket(), handler, 8));
        let mut peer = Peer(WebSocketStream::from_raw_socket(peer, Role::Client, None).await);
        assert_eq!(peer.text().await, format!("hello {client}"));
        peer
    }
}

struct Peer<S>(WebSocketStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    async fn say(&mut self, text: impl ToString) {
        let message = Message::text(text.to_string());
        self.0.send(message).await.unwrap();
    }

    async fn text(&mut self) -> String {
        let next = timeout(SOON, self.0.next()).await;
        let message = next.expect("nothing came").unwrap().unwrap();
        message.into_text().unwrap().to_string()
    }

    /// The `data` of the next frame of this type.
    async fn frame(&mut self, kind: &str) -> Value {
        loop {
            let frame: Value = serde_json::from_str(&self.text().await).unwrap();
            if frame["type"] == kind {
                return frame["data"].clone();
            }
        }
    }

    async fn register(&mut self, bot: &str) {
        self.say(json!({"type": "register_bot", "data": {"botId": bot}}))
            .await;
        self.frame("bot_registered").await;
    }
}

/// A message of the bot to the phone.
fn to_phone(text: &str) -> Value {
    json!({"type": "message", "data": {"from": "bot_a", "to": "phone", "text": text}})
}

#[tokio::test]
async fn a_client_that_speaks_lines_talks_with_a_bot_that_speaks_t2b() {
    let server = Server::start().await;
    let mut bot = server.t2b("process").await;
    bot.register("bot_a").await;
    let mut phone = server.line("phone").await;

    phone.say("bot_a\tIs that \"you\"?").await;
    let asked = bot.frame("message").await;
    assert_eq!(asked["from"], "phone");
    assert_eq!(asked["text"], "Is that \"you\"?");
    assert_eq!(phone.text().await, "ok 1\tdelivered");

    // The dialect has no words for the first two.
    let partial = json!({"to": "phone", "streamId": "s", "seq": 1, "text": "It"});
    bot.say(json!({"type": "message_partial", "data": partial}))
        .await;
    let typing = json!({"to": "phone", "active": true});
    bot.say(json!({"type": "typing", "data": typing})).await;
    bot.say(to_phone("It is.\n")).await;
    assert_eq!(phone.text().await, "bot_a\tIt is.\n");
    assert_eq!(bot.frame("message_ack").await["status"], "delivered");

    phone.say("nobody\thi").await;
    assert_eq!(phone.text().await, "no 2\tbot_not_found");
    phone.say("no tabulator").await;
    assert_eq!(phone.text().await, "no 3\tinvalid_id");
}

#[tokio::test]
async fn one_message_of_a_dialect_may_be_several_requests() {
    let server = Server::start().await;
    let mut bot = server.t2b("process").await;
    bot.register("bot_a").await;
    let mut phone = server.line("phone").await;
    phone.say("bot_a,nobody,bot_a\thi").await;
    for answer in ["ok 1\tdelivered", "no 2\tbot_not_found", "ok 3\tdelivered"] {
        assert_eq!(phone.text().await, answer);
    }
    for _ in 0..2 {
        assert_eq!(bot.frame("message").await["text"], "hi");
    }
}

#[tokio::test]
async fn the_devices_of_one_client_hear_a_message_each_in_its_own_dialect() {
    let server = Server::start().await;
    let mut bot = server.t2b("process").await;
    bot.register("bot_a").await;
    let (mut first, mut line, mut second) = (
        server.t2b("phone").await,
        server.line("phone").await,
        server.t2b("phone").await,
    );
    bot.say(to_phone("ä")).await;
    assert_eq!(line.text().await, "bot_a\tä");
    let (one, two) = (first.frame("message").await, second.frame("message").await);
    assert_eq!(one, two);
    assert_eq!((&one["from"], &one["text"]), (&json!("bot_a"), &json!("ä")));
}
