//! The accept loop: from a TCP connection to a request head, within limits of count and time.
//!
//! | too much, too late | then |
//! | --- | --- |
//! | what the [`Gate`] does not let in | 429 or 503 with `Retry-After` |
//! | TLS and first head not done within `handshake_timeout` | closed without an answer |
//! | an answer that is not taken on, or no next head, for `handshake_timeout`: see [`ConnectionTurns`] | closed |
//! | head over 16 KiB | 431 |
//! | bytes behind a request that is not answered: see [`PacedStream`] | closed |
//! | accept fails, as no file is free | a pause of 50 ms that doubles up to 1 s, and one line a minute |
//!
//! A connection is kept alive unless the answer says otherwise. A service bounds its own time.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use protocol::limits::HEAD_BYTES_MAX;
use router_core::auth::Source;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use crate::gate::{EnteredSocket, Gate, OpenGuard};
use crate::progress::{ConnectionTurns, PacedStream, Transport};
use crate::tls::ListenerTls;
use crate::ws::SocketEnds;

/// Wait after an accept that failed, so that a node without file descriptors does not spin; it
/// doubles up to [`ACCEPT_PAUSE_MAX`] until one succeeds.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Longest such wait: a client that retries connects within it once files are free.
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Between two lines about accepts that fail.
const ACCEPT_LOG_PERIOD: Duration = Duration::from_secs(60);
/// Connections that the system keeps for us to accept.
const BACKLOG: u32 = 4096;
/// Most refusals that are written at once.
const REFUSALS_MAX: usize = 256;
/// Longest time to tell one.
const REFUSAL_WAIT: Duration = Duration::from_secs(1);
/// When a refused client may come back, seconds.
pub(crate) const RETRY_AFTER_S: u32 = 1;

/// Answers the requests of a listener.
pub(crate) trait ListenerService: Send + Sync + 'static {
    /// Answers one request. `open` is to be kept for as long as the connection is, if it outlives
    /// the answer.
    fn call(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        open: OpenGuard,
    ) -> impl Future<Output = Response> + Send;

    /// Whether many handshakes may come from this address: a proxy that is trusted.
    fn is_crowd(&self, peer: IpAddr) -> bool;

    /// Notes a connection that never became a request: the status it was refused with, `failed`
    /// if it was given none.
    fn turned_away(&self, peer: IpAddr, result: &str);

    /// Notes that a socket of this source had to make room for a new one.
    fn displaced(&self, source: Source);
}

/// An address that is bound and does not listen yet: the system refuses connections to it.
pub(crate) struct BoundSocket {
    socket: socket2::Socket,
    address: SocketAddr,
}

impl BoundSocket {
    /// Takes an address. `user_timeout`: how long a peer may acknowledge nothing. Errors: the address
    /// is in use, or not ours.
    pub(crate) fn bind(address: SocketAddr, user_timeout: Duration) -> io::Result<Self> {
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(address),
            socket2::Type::STREAM,
            Some(socket2::Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            // `[::]` takes IPv4 too, whatever the system's default (net.ipv6.bindv6only).
            socket.set_only_v6(false)?;
        }
        socket.set_nonblocking(true)?;
        crate::socket_options::set(&socket, user_timeout)?;
        socket.bind(&address.into())?;
        let bound = socket.local_addr()?.as_socket();
        let address = bound.ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { socket, address })
    }

    /// The address; what was port 0 is a real port here.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// One listening address.
pub(crate) struct Listener {
    tcp: TcpListener,
    tls: Option<Arc<ListenerTls>>,
    handshake_timeout: Duration,
    gate: Arc<Gate>,
    /// Refusals that are being written. Beyond their limit connections are closed without an answer.
    refusals: Arc<Semaphore>,
}

impl Listener {
    /// Listens. Errors: another one listens there since the address was taken.
    pub(crate) fn listen(
        bound: BoundSocket,
        tls: Option<Arc<ListenerTls>>,
        handshake_timeout: Duration,
        gate: Arc<Gate>,
    ) -> io::Result<Self> {
        bound.socket.listen(BACKLOG.cast_signed())?;
        let tcp = TcpListener::from_std(bound.socket.into())?;
        Ok(Self {
            tcp,
            tls,
            handshake_timeout,
            gate,
            refusals: Arc::new(Semaphore::new(REFUSALS_MAX)),
        })
    }

    /// Accepts until the task is aborted.
    pub(crate) async fn serve<S: ListenerService>(self, service: Arc<S>) {
        let mut failures = AcceptFailures::default();
        loop {
            match self.tcp.accept().await {
                Ok((stream, peer)) => {
                    failures.ended();
                    self.accept(stream, peer, &service);
                }
                Err(error) => {
                    let (pause, count) = failures.next(Instant::now());
                    if let Some(count) = count {
                        tracing::warn!(%error, count, "accept failed");
                    }
                    sleep(pause).await;
                }
            }
        }
    }

    fn accept<S: ListenerService>(&self, stream: TcpStream, peer: SocketAddr, service: &Arc<S>) {
        // Frames are written whole; waiting to fill a segment would only delay them.
        let _ = stream.set_nodelay(true);
        let entered = self.gate.enter(peer.ip(), service.is_crowd(peer.ip()));
        let EnteredSocket { open, displaced } = match entered {
            Ok(entered) => entered,
            Err(refusal) => {
                let status = refusal.status();
                service.turned_away(peer.ip(), if status == 429 { "429" } else { "503" });
                if self.tls.is_none()
                    && let Ok(turn) = Arc::clone(&self.refusals).try_acquire_owned()
                {
                    tokio::spawn(async move {
                        refuse(stream, status).await;
                        drop(turn);
                    });
                }
                return;
            }
        };
        if let Some(source) = displaced {
            service.displaced(source);
        }
        crate::socket_options::for_http(&stream);
        let tls = self.tls.as_ref().map(|tls| tls.acceptor());
        let service = Arc::clone(service);
        let limit = self.handshake_timeout;
        let ends = stream.local_addr().ok();
        let ends = ends.map(|ours| SocketEnds::new(ours, peer));
        let turns = Arc::new(ConnectionTurns::new(ends));
        let held = open.clone();
        let task = tokio::spawn(async move {
            let served = async {
                let (service, turns) = (Arc::clone(&service), Arc::clone(&turns));
                match tls {
                    None => serve(stream, peer, open, service, turns).await,
                    Some(tls) => serve(tls.accept(stream).await?, peer, open, service, turns).await,
                }
            };
            tokio::select! {
                served = served => match served {
                    Ok(()) => return,
                    Err(error) => tracing::debug!(%peer, %error, "connection failed"),
                },
                () = turns.peer_too_slow(limit) => tracing::debug!(%peer, "peer took too long"),
            }
            if !turns.has_begun() {
                service.turned_away(peer.ip(), "failed");
            }
        });
        held.served_by(task.abort_handle());
    }
}

/// Accepts that fail one after another.
#[derive(Debug, Default)]
struct AcceptFailures {
    pause: Option<Duration>,
    since_logged: u64,
    logged: Option<Instant>,
}

impl AcceptFailures {
    /// How long to wait after one more, and how many to tell of, if it is time to.
    fn next(&mut self, now: Instant) -> (Duration, Option<u64>) {
        let pause = self.pause.unwrap_or(ACCEPT_PAUSE);
        self.pause = Some((pause * 2).min(ACCEPT_PAUSE_MAX));
        self.since_logged += 1;
        let is_told = |then: Instant| now.duration_since(then) < ACCEPT_LOG_PERIOD;
        if self.logged.is_some_and(is_told) {
            return (pause, None);
        }
        self.logged = Some(now);
        (pause, Some(std::mem::take(&mut self.since_logged)))
    }

    /// One succeeded.
    fn ended(&mut self) {
        self.pause = None;
    }
}

async fn serve<S: ListenerService>(
    stream: impl Transport,
    peer: SocketAddr,
    open: OpenGuard,
    service: Arc<S>,
    turns: Arc<ConnectionTurns>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let stream = PacedStream::new(stream, Arc::clone(&turns));
    let answer = service_fn(move |mut request: Request<Incoming>| {
        let (service, open, turns) = (Arc::clone(&service), open.clone(), Arc::clone(&turns));
        request.extensions_mut().insert(Arc::clone(&turns));
        async move {
            turns.ours(request.body().is_end_stream());
            let response = service.call(request, peer, open).await;
            turns.peers();
            Ok::<_, Infallible>(response)
        }
    });
    let served = http1::Builder::new()
        // `ConnectionTurns` limits the time, for the answer and for what is between two requests as well.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades();
    Ok(served.await?)
}

/// Refuses without reading the request; under TLS there is no way to say it.
async fn refuse(mut stream: TcpStream, status: u16) {
    let text = if status == 429 {
        "Too Many Requests"
    } else {
        "Service Unavailable"
    };
    let answer = format!(
        "HTTP/1.1 {status} {text}\r\nretry-after: {RETRY_AFTER_S}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    // The peer may be gone, or slow: then it does not learn why.
    let told = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // Closing a socket with unread bytes sends a reset, which may overtake the answer.
        tokio::io::copy(
            &mut stream.take(HEAD_BYTES_MAX as u64),
            &mut tokio::io::sink(),
        )
        .await
    };
    let _ = timeout(REFUSAL_WAIT, told).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_that_fail_pause_longer_and_are_logged_once_a_minute() {
        let mut failures = AcceptFailures::default();
        let mut now = Instant::now();
        let mut told = Vec::new();
        let mut pauses = Vec::new();
        for _ in 0..100 {
            let (pause, count) = failures.next(now);
            told.extend(count);
            pauses.push(pause.as_millis());
            now += pause;
        }
        assert_eq!(pauses[..7], [50, 100, 200, 400, 800, 1000, 1000]);
        // The second line is a minute later.
        assert_eq!(told, [1, 64], "in {pauses:?}");
        failures.ended();
        let (pause, count) = failures.next(now);
        assert_eq!(
            (pause.as_millis(), count),
            (50, None),
            "still the same minute"
        );
    }
}
