//! The handle of a link: writes each request as text, checks its size and numbers it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use protocol::t2b::encode;
use protocol::t2b::frames::{ClientFrame, ClientMessage, ServerMessage};
use tokio::sync::{mpsc, oneshot};

use crate::error::ClientError;
use crate::link::{LinkCommand, QueuedFrame};

/// Requests that wait for a link's task. Full: the caller waits.
const COMMANDS_MAX: usize = 1024;

/// The way to one link. Clones share its numbers.
#[derive(Debug, Clone)]
pub(crate) struct LinkHandle {
    commands: mpsc::Sender<LinkCommand>,
    /// Largest frame that the gateway takes.
    frame_bytes: usize,
    requests: Arc<AtomicU64>,
}

impl LinkHandle {
    /// An outlet, and what its link reads.
    pub fn new(frame_bytes: usize) -> (Self, mpsc::Receiver<LinkCommand>) {
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let outlet = Self {
            commands,
            frame_bytes,
            requests: Arc::default(),
        };
        (outlet, inbox)
    }

    /// Sends a request and waits for its answer. Errors: `TooLarge`, before anything is sent; the
    /// refusal; the connection ended.
    pub async fn ask(&self, message: ClientMessage) -> Result<ServerMessage, ClientError> {
        let id = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let id = id.to_string();
        let text = self.written(message, Some(id.clone()))?;
        let (answer, answered) = oneshot::channel();
        let answer = Some((id, answer));
        self.command(LinkCommand::Send(QueuedFrame { text, answer }))
            .await?;
        answered.await.map_err(|_| ClientError::Lost)?
    }

    /// Sends what has no answer. Errors: `TooLarge`; the connection ended.
    pub async fn tell(&self, message: ClientMessage) -> Result<(), ClientError> {
        let text = self.written(message, None)?;
        let answer = None;
        self.command(LinkCommand::Send(QueuedFrame { text, answer }))
            .await
    }

    /// Lets the link wait for the answers that are due, then close.
    pub async fn retire(&self) {
        // A link that is gone already needs no telling.
        let _ = self.command(LinkCommand::Retire).await;
    }

    fn written(&self, message: ClientMessage, id: Option<String>) -> Result<String, ClientError> {
        let text = encode::client(&ClientFrame { message, id });
        let (bytes, max) = (text.len(), self.frame_bytes);
        if bytes > max {
            return Err(ClientError::TooLarge { bytes, max });
        }
        Ok(text)
    }

    async fn command(&self, command: LinkCommand) -> Result<(), ClientError> {
        self.commands
            .send(command)
            .await
            .map_err(|_| ClientError::Lost)
    }
}
