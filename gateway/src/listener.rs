//! The accept loop: from a TCP connection to a request head, within limits of count and time.
//!
//! | too much, too late | then |
//! | --- | --- |
//! | sockets open: `sockets_max` | 503 with `Retry-After` |
//! | handshakes under way: 4,096 on the node | 503 with `Retry-After` |
//! | handshakes under way: 256 from one address | 429 with `Retry-After` |
//! | TLS and first head not done within `handshake_timeout` | closed without a word |
//! | an answer not taken, or no next head, within `handshake_timeout` of it | closed |
//! | head over 16 KiB | 431 |
//!
//! A connection is kept alive unless the answer says otherwise. A service bounds its own time.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use protocol::limits::{HANDSHAKES_MAX, HANDSHAKES_PER_SOURCE, HEAD_BYTES_MAX};
use smol_str::SmolStr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::node::{KeptPlace, counted_as};

/// Wait after an accept that failed, so that a node without file descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections that the system keeps for us to accept.
const BACKLOG: u32 = 4096;
/// Most refusals that are being told at once.
const REFUSALS_MAX: usize = 256;
/// Longest time to tell one.
const REFUSAL_WAIT: Duration = Duration::from_secs(1);
/// When a refused client may come back, seconds.
const RETRY_AFTER_S: u32 = 1;

/// What answers requests.
pub(crate) trait Service: Send + Sync + 'static {
    /// Answers one request. `open` is to be kept for as long as the connection is, if it outlives
    /// the answer.
    fn call(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        open: Open,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send;

    /// Whether many handshakes may come from this address: a proxy that is trusted.
    fn is_crowd(&self, peer: IpAddr) -> bool;

    /// Counts a connection that never became a request: the status it was refused with, `failed`
    /// if it was given none.
    fn turned_away(&self, result: &str);
}

/// One listening address.
pub(crate) struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    handshake_timeout: Duration,
    gate: Arc<Gate>,
}

/// Counts what is open and what is on its way.
pub(crate) struct Gate {
    sockets_max: usize,
    sockets: AtomicUsize,
    handshakes: Mutex<Handshakes>,
    /// Refusals that are being told; beyond them connections are dropped without a word.
    refusals: Arc<Semaphore>,
}

#[derive(Default)]
struct Handshakes {
    all: usize,
    by_source: HashMap<SmolStr, usize>,
}

/// A socket that counts as open until this is dropped; clones count once.
#[derive(Clone)]
pub(crate) struct Open(Arc<OpenSocket>);

struct OpenSocket {
    gate: Arc<Gate>,
    /// Whose it is between two requests of a kept-alive connection.
    kept: Mutex<Option<KeptPlace>>,
}

impl Open {
    /// Counts the connection for a tenant until the next call or its end.
    pub(crate) fn keep(&self, place: Option<KeptPlace>) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *kept, place);
        // Its drop takes a lock of the node.
        drop(kept);
        drop(before);
    }
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        self.gate.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Handshake {
    gate: Arc<Gate>,
    source: SmolStr,
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let mut handshakes = self.gate.handshakes();
        handshakes.all -= 1;
        if let Some(count) = handshakes.by_source.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                handshakes.by_source.remove(&self.source);
            }
        }
    }
}

impl Gate {
    /// A gate that lets this many sockets be open.
    pub(crate) fn new(sockets_max: usize) -> Self {
        Self {
            sockets_max,
            sockets: AtomicUsize::new(0),
            handshakes: Mutex::default(),
            refusals: Arc::new(Semaphore::new(REFUSALS_MAX)),
        }
    }

    fn handshakes(&self) -> std::sync::MutexGuard<'_, Handshakes> {
        self.handshakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a connection in, or says with which status not.
    fn enter(self: &Arc<Self>, peer: IpAddr, is_crowd: bool) -> Result<(Open, Handshake), u16> {
        let source = counted_as(peer);
        let mut handshakes = self.handshakes();
        let from_there = handshakes
            .by_source
            .get(&source)
            .copied()
            .unwrap_or_default();
        if from_there >= HANDSHAKES_PER_SOURCE && !is_crowd {
            return Err(429);
        }
        let is_full = self.sockets.load(Ordering::Relaxed) >= self.sockets_max;
        if handshakes.all >= HANDSHAKES_MAX || is_full {
            return Err(503);
        }
        handshakes.all += 1;
        *handshakes.by_source.entry(source.clone()).or_default() += 1;
        drop(handshakes);
        self.sockets.fetch_add(1, Ordering::Relaxed);
        let open = Open(Arc::new(OpenSocket {
            gate: Arc::clone(self),
            kept: Mutex::default(),
        }));
        Ok((
            open,
            Handshake {
                gate: Arc::clone(self),
                source,
            },
        ))
    }
}

impl Listener {
    /// Listens. `user_timeout`: how long a peer may acknowledge nothing. Errors: the address is taken, or not ours.
    pub(crate) fn bind(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        handshake_timeout: Duration,
        user_timeout: Duration,
        gate: Arc<Gate>,
    ) -> io::Result<Self> {
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(address),
            socket2::Type::STREAM,
            Some(socket2::Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        crate::socket_options::set(&socket, user_timeout)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG.cast_signed())?;
        let tcp = TcpListener::from_std(socket.into())?;
        Ok(Self {
            tcp,
            tls,
            handshake_timeout,
            gate,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Accepts until the task is aborted.
    pub(crate) async fn serve<S: Service>(self, service: Arc<S>) {
        loop {
            match self.tcp.accept().await {
                Ok((stream, peer)) => self.accept(stream, peer, &service),
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn accept<S: Service>(&self, stream: TcpStream, peer: SocketAddr, service: &Arc<S>) {
        let (open, handshake) = match self.gate.enter(peer.ip(), service.is_crowd(peer.ip())) {
            Ok(entered) => entered,
            Err(status) => {
                service.turned_away(if status == 429 { "429" } else { "503" });
                if self.tls.is_none()
                    && let Ok(turn) = Arc::clone(&self.gate.refusals).try_acquire_owned()
                {
                    tokio::spawn(async move {
                        refuse(stream, status).await;
                        drop(turn);
                    });
                }
                return;
            }
        };
        let (tls, service) = (self.tls.clone(), Arc::clone(service));
        let limit = self.handshake_timeout;
        let turns = Arc::new(Turns::new(handshake));
        tokio::spawn(async move {
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
                service.turned_away("failed");
            }
        });
    }
}

/// Whose turn it is on a connection: the peer's, to take an answer and send the next head, or ours.
struct Turns {
    ours: watch::Sender<bool>,
    /// Given back with the first head.
    handshake: Mutex<Option<Handshake>>,
}

impl Turns {
    fn new(handshake: Handshake) -> Self {
        Self {
            ours: watch::Sender::new(false),
            handshake: Mutex::new(Some(handshake)),
        }
    }

    fn handshake(&self) -> std::sync::MutexGuard<'_, Option<Handshake>> {
        self.handshake
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A head has come.
    fn ours(&self) {
        self.handshake().take();
        self.ours.send_replace(true);
    }

    /// The answer goes.
    fn peers(&self) {
        self.ours.send_replace(false);
    }

    fn has_begun(&self) -> bool {
        self.handshake().is_none()
    }

    /// Returns once one turn of the peer's has taken longer than `limit`.
    async fn peer_too_slow(&self, limit: Duration) {
        let mut turns = self.ours.subscribe();
        loop {
            let is_ours = *turns.borrow_and_update();
            // The sender is `self`: it outlives this.
            if is_ours {
                let _ = turns.changed().await;
            } else if timeout(limit, turns.changed()).await.is_err() {
                return;
            }
        }
    }
}

async fn serve<S: Service>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    peer: SocketAddr,
    open: Open,
    service: Arc<S>,
    turns: Arc<Turns>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let answer = service_fn(move |request| {
        let (service, open, turns) = (Arc::clone(&service), open.clone(), Arc::clone(&turns));
        async move {
            turns.ours();
            let response = service.call(request, peer, open).await;
            turns.peers();
            Ok::<_, Infallible>(response)
        }
    });
    let served = http1::Builder::new()
        // `Turns` limits the time, for the answer and for what is between two requests as well.
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

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    #[test]
    fn one_source_may_not_fill_the_gate() {
        let gate = Arc::new(Gate::new(usize::MAX));
        let held: Vec<_> = (0..HANDSHAKES_PER_SOURCE)
            .map(|_| gate.enter(ip(1), false))
            .collect();
        assert!(held.iter().all(Result::is_ok));
        assert_eq!(gate.enter(ip(1), false).err(), Some(429));
        assert!(gate.enter(ip(2), false).is_ok());
        assert!(gate.enter(ip(1), true).is_ok(), "a proxy speaks for many");
        drop(held);
        assert!(gate.enter(ip(1), false).is_ok());
        assert!(gate.handshakes().by_source.is_empty());
    }

    #[test]
    fn a_full_node_refuses_until_a_socket_is_gone() {
        let gate = Arc::new(Gate::new(1));
        let (open, handshake) = gate.enter(ip(1), false).ok().unwrap();
        drop(handshake);
        assert_eq!(
            gate.enter(ip(1), false).err(),
            Some(503),
            "open sockets count, not handshakes"
        );
        drop(open);
        assert!(gate.enter(ip(1), false).is_ok());
    }

    #[test]
    fn handshakes_of_a_node_are_bounded() {
        let gate = Arc::new(Gate::new(usize::MAX));
        let sources = (0..HANDSHAKES_MAX / HANDSHAKES_PER_SOURCE).map(|i| ip(i as u8));
        let held: Vec<_> = sources
            .flat_map(|from| (0..HANDSHAKES_PER_SOURCE).map(move |_| from))
            .map(|from| gate.enter(from, false))
            .collect();
        assert!(held.iter().all(Result::is_ok));
        assert_eq!(gate.enter(ip(200), false).err(), Some(503));
    }
}
