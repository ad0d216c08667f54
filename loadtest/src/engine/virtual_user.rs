//! A virtual user: one socket with its state, its unread bytes and its unwritten bytes.

use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use crate::plan::UserPlan;

/// How far a socket has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SocketState {
    /// There is none.
    Away,
    /// TCP connects.
    Connecting,
    /// The request for the upgrade is sent.
    Upgrading,
    /// Upgraded, not authenticated.
    Greeting,
    /// Authenticated; `register_bot` was sent at this time.
    Registering(u64),
    /// It can be written to.
    Ready,
    /// A close frame was sent.
    Leaving,
}

/// One socket of the plan, whether it is open or not.
#[derive(Debug)]
pub(crate) struct VirtualUser {
    /// As it is to be.
    pub plan: UserPlan,
    /// Its group, in its thread.
    pub group: usize,
    /// How far it has come.
    pub state: SocketState,
    /// The connection.
    pub stream: Option<TcpStream>,
    /// The beginning of a frame whose end has not arrived.
    pub inbox: Vec<u8>,
    /// What is to be written.
    pub outbox: Vec<u8>,
    /// When it was dialled; tells this connection from an earlier one.
    pub dialed_at: u64,
    /// Failures since it was last ready.
    pub failures: u32,
    /// Whether it reads nothing.
    pub reads_nothing: bool,
    /// Whether it is on the list of those with something to write.
    pub is_dirty: bool,
}

impl VirtualUser {
    /// A socket that is not open yet.
    pub fn new(plan: UserPlan, group: usize) -> Self {
        Self {
            plan,
            group,
            state: SocketState::Away,
            stream: None,
            inbox: Vec::new(),
            outbox: Vec::new(),
            dialed_at: 0,
            failures: 0,
            reads_nothing: false,
            is_dirty: false,
        }
    }

    /// Closes the connection, if there is one, without a word.
    pub(crate) fn drop_connection(&mut self) {
        self.stream = None;
        self.state = SocketState::Away;
        self.inbox = Vec::new();
        self.outbox = Vec::new();
    }

    /// Writes what it can.
    pub fn flush(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        let mut written = 0;
        while written < self.outbox.len() {
            match stream.write(&self.outbox[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.outbox.drain(..written);
        Ok(())
    }
}

/// What the kernel keeps for a socket that will not read, bytes: little, so that it is felt soon.
const STALLED_BUFFER: usize = 4096;

/// Begins to connect, from `source` if one is given.
pub fn dial(address: SocketAddr, source: Option<IpAddr>, stalls: bool) -> io::Result<TcpStream> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    if stalls {
        socket.set_recv_buffer_size(STALLED_BUFFER)?;
    }
    if let Some(source) = source {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error)
            if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// Whether TCP has connected; none = not yet.
pub fn connected(stream: &TcpStream) -> Option<io::Result<()>> {
    match stream.take_error() {
        Ok(None) => {}
        Ok(Some(error)) | Err(error) => return Some(Err(error)),
    }
    match stream.peer_addr() {
        Ok(_) => Some(Ok(())),
        Err(error) if error.kind() == ErrorKind::NotConnected => None,
        Err(error) => Some(Err(error)),
    }
}
