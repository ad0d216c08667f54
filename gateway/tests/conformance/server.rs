//! A server on a free loopback port that speaks a test dialect through the product's `ws/` module.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use gateway::config::{HostPattern, OriginPattern};
use gateway::ws::handshake::{UpgradePolicy, judge};
use gateway::ws::{
    Budget, Connection, ConnectionEnd, FrameReader, Message, OutgoingFrame, PushOutcome,
    QueueClass, ReadFlow, ReadLimits, SocketHandler, WriteLimits, drive, split_upgraded,
};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use protocol::CloseCode;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// The values that a node would pass in.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) message_bytes: usize,
    pub(crate) assembly: Budget,
    pub(crate) write: WriteLimits,
    pub(crate) controls_per_second: u32,
    pub(crate) origins: Vec<OriginPattern>,
    pub(crate) hosts: Option<Vec<HostPattern>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            message_bytes: 256 * 1024,
            assembly: Budget::new(16 << 20, None),
            write: write_limits(1 << 20, 4096),
            controls_per_second: 20,
            origins: Vec::new(),
            hosts: None,
        }
    }
}

pub(crate) fn write_limits(bytes: usize, frames: u32) -> WriteLimits {
    WriteLimits {
        bytes,
        frames,
        budget: Budget::new(1 << 30, None),
    }
}

/// A running server; each accepted connection and how it ended can be awaited.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    opened: mpsc::UnboundedReceiver<Arc<Connection>>,
    ended: mpsc::UnboundedReceiver<ConnectionEnd>,
    _accept: AbortOnDrop,
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Server {
    pub(crate) async fn start(setup: Setup) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (opened_in, opened) = mpsc::unbounded_channel();
        let (ended_in, ended) = mpsc::unbounded_channel();
        let accept = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (setup, opened, ended) = (setup.clone(), opened_in.clone(), ended_in.clone());
                tokio::spawn(serve(socket, setup, opened, ended));
            }
        });
        Self {
            address,
            opened,
            ended,
            _accept: AbortOnDrop(accept.abort_handle()),
        }
    }

    pub(crate) async fn connection(&mut self) -> Arc<Connection> {
        self.opened.recv().await.unwrap()
    }

    pub(crate) async fn ended(&mut self) -> ConnectionEnd {
        self.ended.recv().await.unwrap()
    }
}

async fn serve(
    socket: TcpStream,
    setup: Setup,
    opened: mpsc::UnboundedSender<Arc<Connection>>,
    ended: mpsc::UnboundedSender<ConnectionEnd>,
) {
    socket.set_nodelay(true).unwrap();
    let service = service_fn(move |request: Request<Incoming>| {
        let (setup, opened, ended) = (setup.clone(), opened.clone(), ended.clone());
        async move { Ok::<_, std::convert::Infallible>(upgrade(request, setup, opened, ended)) }
    });
    let mut builder = http1::Builder::new();
    let connection = builder
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(socket), service);
    // How the HTTP part ends is no concern of these tests.
    let _ = connection.with_upgrades().await;
}

fn upgrade(
    request: Request<Incoming>,
    setup: Setup,
    opened: mpsc::UnboundedSender<Arc<Connection>>,
    ended: mpsc::UnboundedSender<ConnectionEnd>,
) -> Response<Empty<Bytes>> {
    let (mut parts, _) = request.into_parts();
    let policy = UpgradePolicy {
        subprotocols: &["t2b.v1"],
        allowed_origins: &setup.origins,
        hosts: setup.hosts.as_deref(),
    };
    let response = match judge(&parts, &policy) {
        Ok(accepted) => accepted.response(),
        Err(refusal) => return refusal.response().map(|()| Empty::new()),
    };
    let upgrade = parts
        .extensions
        .remove::<hyper::upgrade::OnUpgrade>()
        .unwrap();
    tokio::spawn(async move {
        let (read, write, buffered) = split_upgraded(upgrade.await.unwrap());
        let limits = ReadLimits {
            message_bytes: setup.message_bytes,
            assembly: setup.assembly.clone(),
        };
        let reader = FrameReader::new(read, &buffered, limits);
        let connection = Connection::new(
            write,
            setup.write.clone(),
            Arc::new(metrics::Counter::noop()),
        );
        // The test may not be interested.
        let _ = opened.send(connection.clone());
        let echo = Echo {
            connection: connection.clone(),
        };
        let _ = ended.send(drive(reader, connection, echo, setup.controls_per_second).await);
    });
    response.map(|()| Empty::new())
}

/// Says back what it hears; a few texts are orders.
struct Echo {
    connection: Arc<Connection>,
}

impl SocketHandler for Echo {
    fn on_message(&mut self, message: Message) -> ReadFlow {
        let frame = match message {
            Message::Text(text) if &text[..] == b"!panic" => panic!("the planted fault"),
            Message::Text(text) if &text[..] == b"!close" => {
                return ReadFlow::Close(CloseCode::Restart);
            }
            Message::Text(text) if &text[..] == b"!pause" => return ReadFlow::Pause,
            Message::Text(text) => OutgoingFrame::text(text, QueueClass::Answer),
            Message::Binary(bytes) => OutgoingFrame::binary(bytes, QueueClass::Answer),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return ReadFlow::Continue,
        };
        match self.connection.push(frame, 0) {
            PushOutcome::Queued | PushOutcome::Gone => ReadFlow::Continue,
            PushOutcome::Full => ReadFlow::Close(CloseCode::SlowConsumer),
        }
    }

    fn on_idle(&mut self) {
        self.connection.flush();
    }
}
