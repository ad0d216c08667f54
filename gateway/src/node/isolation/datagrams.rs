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
        let socket = std::net::UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: UdpSocket::from_std(socket)?,
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
