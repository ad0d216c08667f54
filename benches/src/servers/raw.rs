//! The yardstick: what fastwebsockets and tokio cost by themselves.
//!
//! One map look-up a message, no check of anything, nothing counted. A reader task a connection
//! hands the payload, uncopied, to the recipient's writer task, which writes what waits in one call.
//! A socket's name is its path, the recipient's stands at a fixed place of the frame.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fastwebsockets::{
    FragmentCollectorRead, Frame, OpCode, Payload, Role, WebSocketError, after_handshake_split,
};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::load::template::{NAME_BYTES, TO_AT};
use crate::process::{SERVER_CORE, ServerProcess, pinned_self};

/// Most messages in one write.
const BATCH_FRAMES: usize = 64;
const HEAD_BYTES_MAX: usize = 16;
/// Source: RFC 6455 §1.3.
const ACCEPT_SALT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

type SocketName = [u8; NAME_BYTES];

/// Who is reached how.
#[derive(Debug, Clone, Default)]
pub struct RawRoutes {
    here: Arc<Mutex<HashMap<SocketName, UnboundedSender<Bytes>>>>,
    /// What is for nobody here goes there, if there is another node.
    elsewhere: Option<UnboundedSender<Bytes>>,
}

impl RawRoutes {
    /// For a node that gives away what is for nobody here.
    pub(crate) fn with_other(elsewhere: UnboundedSender<Bytes>) -> Self {
        Self {
            elsewhere: Some(elsewhere),
            ..Self::default()
        }
    }

    /// Hands messages that came from the other node to their writers.
    pub fn deliver(&self, messages: impl Iterator<Item = Bytes>) {
        let here = lock(&self.here);
        for message in messages {
            if let Some(recipient) = recipient(&message).and_then(|to| here.get(to)) {
                // As in `converse`.
                let _ = recipient.send(message);
            }
        }
    }
}

/// The name at its fixed place.
fn recipient(message: &[u8]) -> Option<&SocketName> {
    message.get(TO_AT..TO_AT + NAME_BYTES)?.try_into().ok()
}

/// Starts one on the servers' core.
pub fn start() -> Result<(ServerProcess, SocketAddr)> {
    let mut command = pinned_self(SERVER_CORE)?;
    command.arg("serve-raw");
    ServerProcess::announced(command)
}

/// Serves until it is killed; the first line of stdout is its address.
pub fn serve() -> Result<()> {
    runtime()?.block_on(accept(RawRoutes::default()))
}

/// A runtime of one thread.
pub fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

/// Says its address and accepts connections for ever.
pub async fn accept(routes: RawRoutes) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(converse(stream, routes.clone()));
    }
}

async fn converse(mut stream: TcpStream, routes: RawRoutes) -> Result<()> {
    let name = shake_hands(&mut stream).await?;
    let (sender, inbox) = unbounded_channel();
    lock(&routes.here).insert(name, sender);
    let (read, write) = stream.into_split();
    tokio::spawn(write_to(write, inbox));
    // Its own writer would write frame by frame; ours does not use it.
    let (read, _) = after_handshake_split(read, tokio::io::sink(), Role::Server);
    let mut read = FragmentCollectorRead::new(read);
    let mut no_control = async |_: Frame<'_>| Err(WebSocketError::ConnectionClosed);
    while let Ok(frame) = read.read_frame(&mut no_control).await {
        let payload = match frame.payload {
            Payload::Bytes(bytes) => bytes.freeze(),
            other @ (Payload::BorrowedMut(_) | Payload::Borrowed(_) | Payload::Owned(_)) => {
                Bytes::copy_from_slice(&other)
            }
        };
        let here = lock(&routes.here);
        let to = recipient(&payload).and_then(|to| here.get(to));
        if let Some(recipient) = to.or(routes.elsewhere.as_ref()) {
            // A recipient that is gone loses the message: the load generator would see it.
            let _ = recipient.send(payload);
        }
    }
    lock(&routes.here).remove(&name);
    Ok(())
}

async fn write_to(mut half: OwnedWriteHalf, mut inbox: UnboundedReceiver<Bytes>) -> Result<()> {
    let mut waiting = Vec::with_capacity(BATCH_FRAMES);
    let mut batch = Vec::new();
    while inbox.recv_many(&mut waiting, BATCH_FRAMES).await > 0 {
        batch.clear();
        for payload in waiting.drain(..) {
            let mut head = [0; HEAD_BYTES_MAX];
            let mut frame = Frame::new(true, OpCode::Text, None, Payload::Borrowed(&payload));
            let head_bytes = frame.fmt_head(&mut head);
            batch.extend_from_slice(&head[..head_bytes]);
            batch.extend_from_slice(&payload);
        }
        half.write_all(&batch).await?;
    }
    Ok(())
}

/// Reads a request head and accepts it; its path is the socket's name.
async fn shake_hands(stream: &mut TcpStream) -> Result<SocketName> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            bail!("no request");
        }
    }
    let head = String::from_utf8(head)?;
    let name = head
        .strip_prefix("GET /")
        .and_then(|rest| rest.as_bytes().get(..NAME_BYTES));
    let name = name.context("no name")?.try_into()?;
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let salted = Sha1::new()
        .chain_update(key.context("no key")?)
        .chain_update(ACCEPT_SALT);
    let accept = STANDARD.encode(salted.finalize());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    Ok(name)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
