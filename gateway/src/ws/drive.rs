//! The life of one connection: read, tell the handler, flush, and in the end close properly.
//!
//! ```text
//! parse all that has arrived -> handler.on_message ...   then handler.on_idle (flush), then read
//! a pause                    -> nothing is parsed or read until Connection::resume
//! a wait                     -> nothing is parsed or read until it is over, or the connection closes
//! control frames too fast    -> ignored; far too fast, or of an unproven peer: 1008
//! close, error, peer's Close -> write the queue and Close (2 s), wait for the peer's Close or
//!                               end of stream (2 s), throwing away what else comes (4 MiB)
//! ```

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use protocol::CloseCode;
use tokio::time::sleep;

use super::closing::finish;
use super::connection::Connection;
use super::control_rate::ControlRate;
use super::handler::{ReadFlow, SocketHandler};
use super::message::Message;
use super::outgoing::ConnectionEnd;
use super::reader::{FrameReader, ReadState};
use super::signals::{BROKEN, CLOSING, RESUMED, ROOM};

/// Reads a connection to its end and closes it; the task may be aborted at any time.
///
/// `controls_per_second`: how many pings and pongs are heeded; the others are counted and ignored. Ten
/// times as many in one second close the connection with 1008.
pub fn drive<H: SocketHandler>(
    reader: FrameReader,
    connection: Arc<Connection>,
    handler: H,
    controls_per_second: u32,
) -> impl Future<Output = ConnectionEnd> + Send {
    // Made outside: a task that is aborted before its first poll must let the socket go as well.
    let mut life = ConnectionLife {
        handler,
        reader,
        retire: RetireGuard(connection),
    };
    // It is lent, not moved: what is moved into a future is kept twice.
    async move { live(&mut life, ControlRate::new(controls_per_second)).await }
}

/// What a connection has while it lives, in the order in which it is released.
struct ConnectionLife<H> {
    handler: H,
    reader: FrameReader,
    retire: RetireGuard,
}

/// Lets the socket go when the task ends, also when it is aborted.
struct RetireGuard(Arc<Connection>);

impl Drop for RetireGuard {
    fn drop(&mut self) {
        self.0.retire();
    }
}

async fn live<H: SocketHandler>(
    life: &mut ConnectionLife<H>,
    controls: ControlRate,
) -> ConnectionEnd {
    let ConnectionLife {
        handler,
        reader,
        retire: RetireGuard(connection),
    } = life;
    let mut talk = Conversation {
        reader,
        connection,
        handler,
        controls,
        assembling: 0,
    };
    let healthy = talk.run().await;
    let ended = connection.ended();
    if healthy {
        guarded(|| handler.on_end(ended));
    }
    if matches!(ended, ConnectionEnd::Us(_)) && reader.assembling() > 0 {
        reader.give_up();
    }
    if ended != ConnectionEnd::Lost {
        // Its timers are large, and in most lives of a connection not needed yet.
        Box::pin(finish(reader, connection)).await;
    }
    ended
}

struct Conversation<'a, H> {
    reader: &'a mut FrameReader,
    connection: &'a Arc<Connection>,
    handler: &'a mut H,
    controls: ControlRate,
    /// As others were told it last.
    assembling: usize,
}

/// What stops the parsing of messages.
enum ParseStop {
    /// Nothing more has arrived.
    Drained,
    Paused,
    Waits,
    Over,
    Panicked,
}

impl<H: SocketHandler> Conversation<'_, H> {
    /// Returns when the conversation is over; false: the handler panicked.
    async fn run(&mut self) -> bool {
        let mut stop = match guarded(|| self.handler.on_open()) {
            Some(flow) => self.stop_of(flow),
            None => Some(ParseStop::Panicked),
        };
        loop {
            let stop = stop.take().unwrap_or_else(|| self.tell_all());
            if matches!(stop, ParseStop::Panicked) || guarded(|| self.handler.on_idle()).is_none() {
                self.connection.close(CloseCode::Internal);
                return false;
            }
            if matches!(stop, ParseStop::Waits) && !self.reader.leave_unread() {
                self.connection.close(CloseCode::TooManyRefusals);
                return true;
            }
            if self.assembling != self.reader.assembling() {
                self.assembling = self.reader.assembling();
                self.connection.note_assembling(self.assembling);
            }
            match stop {
                ParseStop::Drained => self.read().await,
                ParseStop::Paused | ParseStop::Waits => self.pause().await,
                ParseStop::Over | ParseStop::Panicked => return true,
            }
            let lost = self.reader.input() == ReadState::Ended;
            if lost || self.connection.signals().any(CLOSING | BROKEN) {
                return true;
            }
        }
    }

    /// Tells the handler every message that has arrived.
    fn tell_all(&mut self) -> ParseStop {
        if self.connection.signals().take(ROOM) && guarded(|| self.handler.on_room()).is_none() {
            return ParseStop::Panicked;
        }
        let mut ponged = false;
        let stop = loop {
            if let Some(limits) = self.connection.take_read_limits() {
                self.reader.set_limits(limits);
            }
            let message = match self.reader.parse() {
                Ok(Some(message)) => message,
                Ok(None) => break ParseStop::Drained,
                Err(code) => {
                    self.connection.close(code);
                    break ParseStop::Over;
                }
            };
            match &message {
                Message::Close(close) => {
                    self.connection
                        .end(ConnectionEnd::Peer(close.as_ref().map(|(code, _)| *code)));
                    break ParseStop::Over;
                }
                Message::Ping(_) | Message::Pong(_) if !self.controls.admit() => {
                    self.connection.count_ignored_control();
                    let is_flood = self.controls.is_flood()
                        || guarded(|| self.handler.is_unproven()).unwrap_or(true);
                    if is_flood {
                        self.reader.give_up();
                        self.connection.close(CloseCode::PolicyViolation);
                        break ParseStop::Over;
                    }
                    continue;
                }
                Message::Ping(payload) => {
                    self.connection.pong(payload);
                    ponged = true;
                }
                Message::Pong(_) | Message::Text(_) | Message::Binary(_) => {}
            }
            match guarded(|| self.handler.on_message(message)) {
                Some(flow) => {
                    if let Some(stop) = self.stop_of(flow) {
                        break stop;
                    }
                }
                None => break ParseStop::Panicked,
            }
        };
        if ponged {
            self.connection.flush();
        }
        stop
    }

    fn stop_of(&self, flow: ReadFlow) -> Option<ParseStop> {
        match flow {
            ReadFlow::Continue => None,
            ReadFlow::Pause => Some(ParseStop::Paused),
            ReadFlow::Wait(time) => {
                let connection = Arc::clone(self.connection);
                // The timer runs in a task of its own: in this task it would enlarge the future of every
                // connection.
                tokio::spawn(async move {
                    sleep(time).await;
                    connection.resume();
                });
                Some(ParseStop::Waits)
            }
            ReadFlow::Close(code) => {
                self.connection.close(code);
                Some(ParseStop::Over)
            }
        }
    }

    async fn read(&mut self) {
        let signals = self.connection.signals();
        poll_fn(|cx| match signals.poll_any(cx, CLOSING | BROKEN | ROOM) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => self.reader.poll_fill(cx),
        })
        .await;
        if self.reader.input() != ReadState::Ended {
            self.connection.note_moved();
        }
    }

    async fn pause(&mut self) {
        let signals = self.connection.signals();
        poll_fn(|cx| signals.poll_any(cx, RESUMED | CLOSING | BROKEN)).await;
        signals.take(RESUMED);
    }
}

/// Calls into the handler; `None`: it panicked and must not be called again.
fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

#[cfg(test)]
mod tests;
