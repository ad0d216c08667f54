//! What every accepted socket has, so that the kernel holds little for a peer that does not read.
//!
//! Set on the listening socket: Linux gives them to each accepted one, without a system call. Source:
//! socket(7), tcp(7).
//!
//! | option | value | so that |
//! | --- | --- | --- |
//! | `SO_SNDBUF` | 64 KiB, which the kernel doubles | a peer that does not read costs 128 KiB, not 4 MiB |
//! | `TCP_NOTSENT_LOWAT` | 32 KiB | what waits for the network waits in a queue that is charged |
//! | `SO_RCVBUF` | 128 KiB, which the kernel doubles | a flood waits with its sender; the window can grow as far |
//! | `TCP_USER_TIMEOUT` | two heartbeats | a peer that acknowledges nothing is given up when the heartbeat gives it up |
//! | `TCP_NODELAY` | on | frames are written whole; to fill a segment would only delay them |
//!
//! An accepted socket has less of `SO_RCVBUF` for as long as it speaks HTTP: hyper does not read while a
//! request is handled. It is not set on the listening socket, as the scale of the window is chosen from
//! that one when a peer connects, for good.

use std::io;
use std::time::Duration;

use socket2::{SockRef, Socket};
use tokio::net::TcpStream;

use crate::ws::SEND_BUFFER_BYTES;

/// Bytes that are not sent yet beyond which the kernel takes no more.
const NOTSENT_BYTES: u32 = 32 * 1024;
/// Half of what the kernel may hold of bytes that we have not read.
const RECEIVE_BUFFER_BYTES: usize = 128 * 1024;
/// The same while the connection speaks HTTP: with less the kernel would drop some of the 64 KiB that a
/// peer may send before it learns of another window, and they come again 200 ms later.
const HTTP_RECEIVE_BUFFER_BYTES: usize = 64 * 1024;
/// Most bytes that the kernel holds for a WebSocket that is not read. The kernel doubles the size that is
/// set.
pub(crate) const UNREAD_BYTES_MAX: usize = 2 * RECEIVE_BUFFER_BYTES;

/// Sets them. Errors: the system does not have one of them.
pub(crate) fn set(listening: &Socket, user_timeout: Duration) -> io::Result<()> {
    // The kernel doubles the value for its own overhead.
    listening.set_send_buffer_size(SEND_BUFFER_BYTES / 2)?;
    listening.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    listening.set_tcp_nodelay(true)?;
    #[cfg(target_os = "linux")]
    {
        listening.set_tcp_notsent_lowat(NOTSENT_BYTES)?;
        listening.set_tcp_user_timeout(Some(user_timeout))?;
    }
    Ok(())
}

/// Has the kernel hold little that we have not read: the connection speaks HTTP.
pub(crate) fn for_http(accepted: &TcpStream) {
    // A socket that is broken already holds nothing.
    let _ = SockRef::from(accepted).set_recv_buffer_size(HTTP_RECEIVE_BUFFER_BYTES);
}

/// Gives the socket the receive buffer that it was accepted with: it has become a WebSocket.
pub(crate) fn for_websocket(accepted: &TcpStream) {
    let _ = SockRef::from(accepted).set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use socket2::{Domain, Protocol, Type};

    use super::*;

    #[test]
    fn accepted_sockets_have_them() {
        let listening = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        set(&listening, Duration::from_secs(50)).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        listening.bind(&any.into()).unwrap();
        listening.listen(1).unwrap();
        let address = listening.local_addr().unwrap().as_socket().unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        let (accepted, _) = listening.accept().unwrap();
        let accepted = SockRef::from(&accepted);
        assert_eq!(accepted.send_buffer_size().unwrap(), SEND_BUFFER_BYTES);
        assert_eq!(
            accepted.recv_buffer_size().unwrap(),
            2 * RECEIVE_BUFFER_BYTES
        );
        assert!(accepted.tcp_nodelay().unwrap());
        assert_eq!(accepted.tcp_notsent_lowat().unwrap(), NOTSENT_BYTES);
        let timeout = accepted.tcp_user_timeout().unwrap();
        assert_eq!(timeout, Some(Duration::from_secs(50)));
    }
}
