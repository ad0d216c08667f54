//! A client that sends without end, and comes back whenever it is closed.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use loadtest::wire::BlockingSocket;

use crate::peer::{ATTACKER, FrameFlood, discard, join};

/// Most frames that are pushed at once, so that others have their turn.
const AT_ONCE: usize = 64;

/// One connection after the other of one client id.
pub struct SteadySender {
    to: SocketAddr,
    key: String,
    client: String,
    link: Option<(BlockingSocket, FrameFlood)>,
    /// How often it was closed.
    pub closed: usize,
}

impl SteadySender {
    /// Connects for the first time. Errors: it was refused.
    pub fn begin(to: SocketAddr, key: &str, client: &str) -> Result<Self> {
        let mut sender = Self {
            to,
            key: key.to_owned(),
            client: client.to_owned(),
            link: None,
            closed: 0,
        };
        sender.link()?;
        Ok(sender)
    }

    /// Throws away what has arrived, and pushes the frame as often as the system takes it now; says how
    /// often that was.
    pub fn push(&mut self, text: &str) -> usize {
        self.push_up_to(AT_ONCE, text)
    }

    /// The same, once at most.
    pub fn push_once(&mut self, text: &str) -> bool {
        self.push_up_to(1, text) == 1
    }

    fn push_up_to(&mut self, most: usize, text: &str) -> usize {
        let pushed = self.try_push(most, text);
        if pushed.is_err() && self.link.take().is_some() {
            self.closed += 1;
        }
        pushed.unwrap_or(0)
    }

    fn try_push(&mut self, most: usize, text: &str) -> Result<usize> {
        let (socket, flood) = self.link()?;
        discard(socket)?;
        let mut count = 0;
        while count < most && flood.push(socket, text)? {
            count += 1;
        }
        Ok(count)
    }

    fn link(&mut self) -> Result<&mut (BlockingSocket, FrameFlood)> {
        if self.link.is_none() {
            let socket = join(ATTACKER, self.to, &self.key, &self.client)?;
            socket.stream.set_nonblocking(true)?;
            self.link = Some((socket, FrameFlood::new()));
        }
        self.link.as_mut().context("it was just set")
    }
}

/// How often all of them were closed.
pub fn closed(senders: &[SteadySender]) -> usize {
    senders.iter().map(|sender| sender.closed).sum()
}
