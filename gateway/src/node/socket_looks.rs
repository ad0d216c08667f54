//! The looks at every connection: whether its peer is too slow, what the kernel holds of it, whether
//! its session is due.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::CloseCode;
use router_core::Millis;
use router_core::session::SessionInput;

use super::core::Node;
use super::entry::ConnectionEntry;
use super::work::DeferredWork;
use crate::sock_diag::SockDiag;
use crate::ws::{KernelAsk, SocketEnds};

/// A tick, or a look at the connections, that comes so late, milliseconds, comes after a pause of this
/// process.
pub(super) const PAUSE_MS: Millis = 1000;
/// Room for questions to the kernel that is kept between two looks.
const ASKS_KEPT: usize = 1024;

/// What the looks at connections share.
pub(super) struct SocketLooks {
    kernel: Option<SockDiag>,
    asks: Vec<(Arc<ConnectionEntry>, SocketEnds, KernelAsk)>,
    /// Those whose shared budget has had no room for long.
    starved: Vec<Arc<ConnectionEntry>>,
    /// What the kernel held at the last look.
    kernel_bytes: usize,
    last_ms: Millis,
}

impl SocketLooks {
    pub(super) fn new(node: &Node) -> Self {
        let kernel = SockDiag::open().inspect_err(|error| {
            tracing::warn!(%error, "sock_diag: the kernel's buffers of sockets are not counted");
        });
        Self {
            kernel: kernel.ok(),
            asks: Vec::new(),
            starved: Vec::new(),
            kernel_bytes: 0,
            last_ms: node.clock.now_ms(),
        }
    }

    /// How long this process stood still since the last look, beyond what is usual.
    fn paused_ms(&mut self, now_ms: Millis) -> Millis {
        let since_ms = now_ms.saturating_sub(std::mem::replace(&mut self.last_ms, now_ms));
        if since_ms < PAUSE_MS { 0 } else { since_ms }
    }

    /// Asks the kernel about the connections that were noted, and tells them.
    fn ask(&mut self, now_ms: Millis) {
        let about: Vec<SocketEnds> = self.asks.iter().map(|(_, ends, _)| *ends).collect();
        let answers = self.kernel.as_ref().map(|kernel| kernel.ask(&about));
        let answers = match answers {
            Some(Ok(answers)) => answers,
            // What it does not tell is taken to have arrived: nobody is closed for its silence.
            Some(Err(error)) => {
                tracing::debug!(%error, "sock_diag: no answer");
                vec![None; about.len()]
            }
            None => vec![None; about.len()],
        };
        self.kernel_bytes = 0;
        for ((entry, _, ask), held) in self.asks.drain(..).zip(answers) {
            entry.socket.kernel_told(ask, held, now_ms);
            self.kernel_bytes += entry.socket.kernel_bytes();
        }
        self.asks.shrink_to(ASKS_KEPT);
    }
}

impl Node {
    /// The process, or the machine under it, stood still: nobody is judged for that time.
    pub(super) fn resume_connections(&self) {
        tracing::warn!("this process stood still for a second or longer");
        let mut work = DeferredWork::default();
        self.connections.for_each(|entry| {
            self.input(entry, SessionInput::Resumed, &mut work);
            self.finish(&mut work);
        });
    }

    pub(super) fn wake_connections(&self, looks: &mut SocketLooks) {
        let now_ms = self.clock.now_ms();
        let paused_ms = looks.paused_ms(now_ms);
        let mut work = DeferredWork::default();
        self.connections.for_each(|entry: &Arc<ConnectionEntry>| {
            if entry.socket.take_moved() {
                entry.moved_ms.store(now_ms, Ordering::Relaxed);
            }
            let look = entry.socket.look(now_ms, paused_ms);
            if look.is_slow {
                entry.socket.close(CloseCode::SlowConsumer);
                work.touch(entry);
            }
            if look.is_starved {
                looks.starved.push(Arc::clone(entry));
            }
            if let Some(ask) = look.ask
                && let Some(ends) = entry.socket.ends()
            {
                looks.asks.push((Arc::clone(entry), ends, ask));
            }
            if entry.wake_ms.load(Ordering::Relaxed) <= now_ms {
                let at_ms = entry.moved_ms.load(Ordering::Relaxed);
                self.input(entry, SessionInput::Moved { at_ms }, &mut work);
                self.input(entry, SessionInput::Wake, &mut work);
                self.finish(&mut work);
            }
        });
        self.finish(&mut work);
        looks.ask(now_ms);
        self.shed_for(std::mem::take(&mut looks.starved));
        self.metrics
            .outbound_kernel_bytes
            .set(looks.kernel_bytes as f64);
    }
}
