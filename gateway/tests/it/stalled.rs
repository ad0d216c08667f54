//! A peer that stops reading, and what it takes to fill the way to it.

use tokio::net::TcpSocket;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, client_async};

use crate::harness::{Server, Socket, message};

/// What the system may hold for a socket that does not read, at most: messages of this size soon
/// fill it.
pub const BULK: usize = 250 * 1024;

impl Server {
    /// Opens a client whose system keeps little for it. It is read only when asked.
    pub async fn narrow(&self, user: &str, client: &str) -> Socket {
        self.narrow_with(&self.key(user), client).await
    }

    /// The same with any credential.
    pub async fn narrow_with(&self, credential: &str, client: &str) -> Socket {
        let tcp = TcpSocket::new_v4().unwrap();
        tcp.set_recv_buffer_size(4096).unwrap();
        let tcp = tcp.connect(self.addresses.public).await.unwrap();
        let url = format!("ws://{}/ws?clientId={client}", self.addresses.public);
        let mut request = url.into_client_request().unwrap();
        let value = format!("Bearer {credential}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
        let (socket, _) = client_async(request, MaybeTlsStream::Plain(tcp))
            .await
            .unwrap();
        let mut socket = Socket(socket);
        socket.greeted().await;
        socket
    }
}

/// Sends bulk to a name until its queue is full; says how many messages it took.
pub async fn fill(sender: &mut Socket, to: &str) -> usize {
    let bulk = message(to, &"x".repeat(BULK));
    for sent in 0..1000 {
        let answer = sender.ask(bulk.clone()).await;
        if answer["type"] == "error" {
            assert_eq!(answer["data"]["reason"], "recipient_busy", "{answer}");
            return sent;
        }
    }
    panic!("250 MB went to a peer that does not read");
}
