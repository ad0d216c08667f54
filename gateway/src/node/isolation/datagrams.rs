//! The datagrams between nodes: does your store answer?
//!
//! A question that is not signed with one of this node's secrets gets no answer, so strangers learn nothing and cannot
//! make this node send. An answer counts only if it has the nonce of the last question to that node.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::BootId;
use protocol::lane::{PeerMessage, PeerWord};
use router_core::NodeView;
use socket2::{Domain, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::sleep;

use crate::node::core::Node;
use crate::node::lock::lock;

/// Wait after the socket failed, so that a broken one does not spin.
const PAUSE: Duration = Duration::from_millis(250);

/// The socket for questions of other nodes.
#[derive(Debug)]
pub(crate) struct PeerDatagrams {
    socket: UdpSocket,
    address: SocketAddr,
    /// The nonce of the last question to each node.
    asked: Mutex<HashMap<BootId, u64>>,
}

impl PeerDatagrams {
    /// Takes the address of the admin listener for datagrams. To be called inside the runtime.
    ///
    /// Errors: another process has it.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
        if address.is_ipv6() {
            // `[::]` reaches nodes by IPv4 too, whatever the system's default is.
            socket.set_only_v6(false)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok(Self {
            socket: UdpSocket::from_std(socket.into())?,
            address,
            asked: Mutex::default(),
        })
    }

    /// Where other nodes can ask. `local_ip`: the address of this machine towards Redis, for a socket that is bound to
    /// every address. `None`: it is not known.
    pub(crate) fn public_address(&self, local_ip: Option<IpAddr>) -> Option<SocketAddr> {
        match self.address.ip().is_unspecified() {
            true => local_ip.map(|ip| SocketAddr::new(ip, self.address.port())),
            false => Some(self.address),
        }
    }
}

impl Node {
    /// Asks another node whether its store answers. Silence says that it could not be asked.
    pub(super) async fn ask_peer(&self, socket: &PeerDatagrams, view: &NodeView, boot: BootId) {
        let hello = view.peers.get(&boot).and_then(|peer| peer.hello.as_ref());
        let address = hello.and_then(|hello| hello.peer_address.parse::<SocketAddr>().ok());
        let Some(address) = address else { return };
        let nonce = fastrand::u64(..);
        lock(&socket.asked).insert(boot, nonce);
        let question = PeerMessage {
            word: PeerWord::Question,
            boot: view.own,
            nonce,
        };
        let signer = view.terms(boot).ok().and_then(|terms| terms.key);
        let bytes = question.to_bytes(&self.lanes.keys(), signer);
        if let Err(error) = socket.socket.send_to(&bytes, address).await {
            tracing::debug!(%boot, %address, %error, "a node cannot be asked");
        }
    }

    /// Takes questions and answers, for as long as the node lives.
    pub(super) async fn answer_peers(self: Arc<Self>, socket: Arc<PeerDatagrams>) {
        let mut bytes = [0; PeerMessage::BYTES + 1];
        loop {
            let (length, from) = match socket.socket.recv_from(&mut bytes).await {
                Ok(received) => received,
                Err(error) => {
                    // Also if a node that was asked is gone.
                    tracing::debug!(%error, "no datagram was received");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let read = PeerMessage::from_bytes(&bytes[..length], &self.lanes.keys());
            let Some((message, signer)) = read else {
                continue;
            };
            let is_well = match message.word {
                PeerWord::Question => {
                    let answer = PeerMessage {
                        word: self.peer_word(),
                        boot: self.view().own,
                        nonce: message.nonce,
                    };
                    let answer = answer.to_bytes(&self.lanes.keys(), Some(signer));
                    // A lost answer is asked for again.
                    let _ = socket.socket.send_to(&answer, from).await;
                    continue;
                }
                PeerWord::Well => true,
                PeerWord::Unwell => false,
            };
            let is_asked = {
                let mut asked = lock(&socket.asked);
                let nonce = asked.get(&message.boot).copied();
                let is_it = nonce == Some(message.nonce);
                if is_it {
                    asked.remove(&message.boot);
                }
                is_it
            };
            if is_asked {
                let mut watch = lock(&self.isolation.watch);
                watch.answered(self.now_ms(), message.boot, is_well);
            }
        }
    }

    fn peer_word(&self) -> PeerWord {
        match self.view().degraded || self.is_draining() {
            true => PeerWord::Unwell,
            false => PeerWord::Well,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_of_every_address_speaks_with_one_of_ipv4() {
        let every = PeerDatagrams::bind("[::]:0".parse().unwrap()).unwrap();
        let one = PeerDatagrams::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let to = one.socket.local_addr().unwrap();
        every.socket.send_to(b"?", to).await.unwrap();
        let mut bytes = [0; 2];
        let (length, from) = one.socket.recv_from(&mut bytes).await.unwrap();
        assert_eq!(&bytes[..length], b"?");
        one.socket.send_to(b"!", from).await.unwrap();
        let (length, _) = every.socket.recv_from(&mut bytes).await.unwrap();
        assert_eq!(&bytes[..length], b"!");
    }

    #[tokio::test]
    async fn a_socket_of_every_address_is_named_by_the_way_to_redis() {
        let every = PeerDatagrams::bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let port = every.address.port();
        assert_eq!(every.public_address(None), None);
        let ip = "10.0.0.7".parse().unwrap();
        let named = every.public_address(Some(ip));
        assert_eq!(named, Some(SocketAddr::new(ip, port)));
        let one = PeerDatagrams::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(one.public_address(Some(ip)), Some(one.address));
    }
}
