//! One connection of a client, blocking and bare, so that it can misbehave.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use loadtest::wire::{self, BlockingSocket};
use socket2::{Domain, SockRef, Type};

/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Where attackers connect from.
pub const ATTACKER: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Where the victim connects from, unless a case wants both behind one address.
pub const VICTIM: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Connects from an address of this machine.
pub fn connect(from: Ipv4Addr, to: SocketAddr) -> Result<TcpStream> {
    let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(IpAddr::V4(from), 0).into())?;
    socket.connect_timeout(&to.into(), ANSWER)?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    Ok(stream)
}

/// A WebSocket that asked for its upgrade; `path` has the query.
pub fn upgrade(
    from: Ipv4Addr,
    to: SocketAddr,
    path: &str,
    bearer: Option<&str>,
) -> Result<BlockingSocket> {
    let mut stream = connect(from, to)?;
    let request = wire::upgrade_request(&to.to_string(), path, bearer);
    stream.write_all(request.as_bytes())?;
    let mut socket = BlockingSocket {
        stream,
        buffer: Vec::new(),
    };
    socket.upgraded()?;
    Ok(socket)
}

/// A WebSocket of a client that has read its greeting.
pub fn join(from: Ipv4Addr, to: SocketAddr, key: &str, client: &str) -> Result<BlockingSocket> {
    let path = format!("/ws?clientId={client}&acks=errors");
    let mut socket = upgrade(from, to, &path, Some(key))?;
    socket.expect("auth_ok")?;
    socket.expect("bots_list")?;
    Ok(socket)
}

/// Makes the socket read nothing: its system takes as little as it can for it.
pub fn stop_reading(socket: &BlockingSocket) -> Result<()> {
    SockRef::from(&socket.stream).set_recv_buffer_size(4096)?;
    socket.stream.set_nonblocking(true)?;
    Ok(())
}

/// Registers bots and reads the answers.
pub fn register(
    socket: &mut BlockingSocket,
    bots: impl Iterator<Item = String>,
    name: &str,
) -> Result<()> {
    for bot in bots {
        socket.send(&format!(
            r#"{{"type":"register_bot","data":{{"botId":"{bot}","name":"{name}"}}}}"#
        ))?;
        socket.expect("bot_registered")?;
    }
    Ok(())
}

/// Writes as far as the system takes it now; what it does not take is thrown away with the frame's
/// rest kept, so that frames stay whole.
pub struct FrameFlood {
    /// What is not written yet of the last frame.
    rest: Vec<u8>,
}

impl FrameFlood {
    pub fn new() -> Self {
        Self { rest: Vec::new() }
    }

    /// Writes one more text frame if the last one is out. False: the system takes nothing now.
    pub fn push(&mut self, socket: &mut BlockingSocket, text: &str) -> Result<bool> {
        self.push_frame(socket, wire::TEXT, text.as_bytes())
    }

    /// The same, of any kind of frame.
    pub fn push_frame(
        &mut self,
        socket: &mut BlockingSocket,
        opcode: u8,
        payload: &[u8],
    ) -> Result<bool> {
        if self.rest.is_empty() {
            wire::push(&mut self.rest, opcode, payload);
        }
        match socket.stream.write(&self.rest) {
            Ok(written) => {
                self.rest.drain(..written);
                Ok(self.rest.is_empty())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns the text that arrived unexpectedly, usually a refusal.
pub fn unread(socket: &mut BlockingSocket) -> String {
    let mut chunk = [0; 4096];
    let _ = socket.stream.set_nonblocking(true);
    let read = socket.stream.read(&mut chunk).unwrap_or_default();
    socket.buffer.extend_from_slice(&chunk[..read]);
    String::from_utf8_lossy(&socket.buffer).into_owned()
}

/// Throws away what has arrived. Errors: the peer closed.
pub fn discard(socket: &mut BlockingSocket) -> Result<()> {
    let mut chunk = [0; 64 * 1024];
    loop {
        match socket.stream.read(&mut chunk) {
            Ok(0) => anyhow::bail!("closed"),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// One request over HTTP/1.1 on a connection that stays open; the status and the body.
pub fn request(
    stream: &mut TcpStream,
    method: &str,
    path: &str,
    bearer: &str,
    body: &str,
) -> Result<(u16, String)> {
    let length = body.len();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bearer}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes())?;
    let mut answer = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        if let Some(end) = wire::head_end(&answer) {
            let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
            let lengths = head.split("content-length: ").nth(1);
            let length = lengths.and_then(|it| it.lines().next()?.trim().parse::<usize>().ok());
            let wanted = end + length.unwrap_or(0);
            if answer.len() >= wanted {
                let status = wire::status_of(&answer).context("no status")?;
                let body = String::from_utf8_lossy(&answer[end..wanted]);
                return Ok((status, body.into_owned()));
            }
        }
        let count = stream.read(&mut chunk)?;
        ensure!(count > 0, "closed before the answer ended");
        answer.extend_from_slice(&chunk[..count]);
    }
}
