//! The life of one connection: read, tell the dialect, flush, and in the end close properly.
//!
//! ```text
//! parse all that has arrived -> dialect.on_message ...   then dialect.on_idle (flush), then read
//! a pause                    -> nothing is parsed or read until Connection::resume
//! close, error, peer's Close -> write the queue and Close (2 s), wait for the peer's Close or
//!                               end of stream (2 s), throwing away what else comes
//! ```

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use protocol::CloseCode;
use tokio::time::{Instant, timeout};

use super::connection::{BROKEN, CLOSE_WRITTEN, CLOSING, Connection, RESUMED};
use super::outgoing::Ended;
use super::reader::{Input, Message, Reader};

/// Longest wait for our last frames to leave, and again for the peer's Close.
pub const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// What is spoken on top of WebSocket messages.
pub trait Dialect: Send {
    /// Begins the conversation, before the first message.
    fn on_open(&mut self) -> Flow {
        Flow::Continue
    }

    /// Takes one message. Pings and pongs come for information; the peer's Close does not come.
    ///
    /// A panic in here closes this connection with 1011 and touches no other.
    fn on_message(&mut self, message: Message) -> Flow;

    /// All that has arrived was told: the time to flush every connection that was pushed to.
    fn on_idle(&mut self) {}

    /// The conversation is over; the closing handshake follows and may take seconds. Not called
    /// after a panic, nor when the task is aborted.
    fn on_end(&mut self, _why: Ended) {}
}

/// How to go on after a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// With the next message.
    Continue,
    /// Not before one call of [`Connection::resume`]; later frames wait.
    Pause,
    /// By closing, after all that is queued.
    Close(CloseCode),
}

/// Reads a connection to its end and closes it; the task may be aborted at any time.
///
/// `controls_per_second`: how many pings and pongs are heeded; the others are counted and ignored.
pub fn drive<D: Dialect>(
    reader: Reader,
    connection: Arc<Connection>,
    dialect: D,
    controls_per_second: u32,
) -> impl Future<Output = Ended> + Send {
    // Made outside: a task that is aborted before its first poll must let the socket go as well.
    let mut life = Life {
        dialect,
        reader,
        retire: Retire(connection),
    };
    // It is lent, not moved: what is moved into a future is kept twice.
    async move { live(&mut life, ControlRate::new(controls_per_second)).await }
}

/// What a connection has while it lives, in the order in which it lets go of it.
struct Life<D> {
    dialect: D,
    reader: Reader,
    retire: Retire,
}

/// Lets the socket go when the task ends, also when it is aborted.
struct Retire(Arc<Connection>);

impl Drop for Retire {
    fn drop(&mut self) {
        self.0.retire();
    }
}

async fn live<D: Dialect>(life: &mut Life<D>, controls: ControlRate) -> Ended {
    let Life {
        dialect,
        reader,
        retire: Retire(connection),
    } = life;
    let mut talk = Talk {
        reader,
        connection,
        dialect,
        controls,
    };
    let healthy = talk.run().await;
    let ended = connection.ended();
    if healthy {
        guarded(|| dialect.on_end(ended));
    }
    if ended != Ended::Lost {
        // Its timers are large, and in most lives of a connection not needed yet.
        Box::pin(finish(reader, connection)).await;
    }
    ended
}

struct Talk<'a, D> {
    reader: &'a mut Reader,
    connection: &'a Arc<Connection>,
    dialect: &'a mut D,
    controls: ControlRate,
}

/// What stops the parsing of messages.
enum Stop {
    /// Nothing more has arrived.
    Drained,
    Paused,
    Over,
    Panicked,
}

impl<D: Dialect> Talk<'_, D> {
    /// Returns when the conversation is over; false: the dialect panicked.
    async fn run(&mut self) -> bool {
        let mut stop = match guarded(|| self.dialect.on_open()) {
            Some(flow) => self.stop_of(flow),
            None => Some(Stop::Panicked),
        };
        loop {
            let stop = stop.take().unwrap_or_else(|| self.tell_all());
            if matches!(stop, Stop::Panicked) || guarded(|| self.dialect.on_idle()).is_none() {
                self.connection.close(CloseCode::Internal);
                return false;
            }
            match stop {
                Stop::Drained => self.read().await,
                Stop::Paused => self.pause().await,
                Stop::Over | Stop::Panicked => return true,
            }
            let lost = self.reader.input() == Input::Ended;
            if lost || self.connection.signals().any(CLOSING | BROKEN) {
                return true;
            }
        }
    }

    /// Tells the dialect every message that has arrived.
    fn tell_all(&mut self) -> Stop {
        let mut ponged = false;
        let stop = loop {
            if let Some(limits) = self.connection.take_read_limits() {
                self.reader.set_limits(limits);
            }
            let message = match self.reader.parse() {
                Ok(Some(message)) => message,
                Ok(None) => break Stop::Drained,
                Err(code) => {
                    self.connection.close(code);
                    break Stop::Over;
                }
            };
            match &message {
                Message::Close(close) => {
                    self.connection
                        .end(Ended::Peer(close.as_ref().map(|(code, _)| *code)));
                    break Stop::Over;
                }
                Message::Ping(_) | Message::Pong(_) if !self.controls.admit() => {
                    self.connection.count_ignored_control();
                    continue;
                }
                Message::Ping(payload) => {
                    self.connection.pong(payload);
                    ponged = true;
                }
                Message::Pong(_) | Message::Text(_) | Message::Binary(_) => {}
            }
            match guarded(|| self.dialect.on_message(message)) {
                Some(flow) => {
                    if let Some(stop) = self.stop_of(flow) {
                        break stop;
                    }
                }
                None => break Stop::Panicked,
            }
        };
        if ponged {
            self.connection.flush();
        }
        stop
    }

    fn stop_of(&self, flow: Flow) -> Option<Stop> {
        match flow {
            Flow::Continue => None,
            Flow::Pause => Some(Stop::Paused),
            Flow::Close(code) => {
                self.connection.close(code);
                Some(Stop::Over)
            }
        }
    }

    async fn read(&mut self) {
        let signals = self.connection.signals();
        poll_fn(|cx| match signals.poll_any(cx, CLOSING | BROKEN) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => self.reader.poll_fill(cx),
        })
        .await;
        if self.reader.input() != Input::Ended {
            self.connection.note_moved();
        }
    }

    async fn pause(&mut self) {
        let signals = self.connection.signals();
        poll_fn(|cx| signals.poll_any(cx, RESUMED | CLOSING | BROKEN)).await;
        signals.take(RESUMED);
    }
}

/// Calls into the dialect; `None`: it panicked and must not be called again.
fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

/// The closing handshake. Source: RFC 6455 §7.1.
///
/// What the peer still sends is read to the end of the stream: closing a socket with unread bytes
/// sends a reset, which may overtake our Close frame.
async fn finish(reader: &mut Reader, connection: &Arc<Connection>) {
    connection.flush();
    let written = timeout(CLOSE_WAIT, close_written(reader, connection)).await;
    if written.is_err() || connection.signals().any(BROKEN) {
        return;
    }
    let farewell = async {
        discard(reader, |input| input != Input::Open).await;
        poll_fn(|cx| connection.poll_shutdown(cx)).await;
        discard(reader, |input| input == Input::Ended).await;
    };
    // Late or not, the socket is let go.
    let _ = timeout(CLOSE_WAIT, farewell).await;
}

/// Waits until the Close frame is written; reads meanwhile, lest both sides wait to write.
async fn close_written(reader: &mut Reader, connection: &Connection) {
    poll_fn(|cx| {
        if connection
            .signals()
            .poll_any(cx, CLOSE_WRITTEN | BROKEN)
            .is_ready()
        {
            return Poll::Ready(());
        }
        while reader.input() != Input::Ended && reader.poll_discard(cx).is_ready() {}
        Poll::Pending
    })
    .await;
}

async fn discard(reader: &mut Reader, until: impl Fn(Input) -> bool) {
    while !until(reader.input()) {
        poll_fn(|cx| reader.poll_discard(cx)).await;
    }
}

/// Counts control frames by the second.
struct ControlRate {
    per_second: u32,
    since: Instant,
    count: u32,
}

impl ControlRate {
    fn new(per_second: u32) -> Self {
        Self {
            per_second,
            since: Instant::now(),
            count: 0,
        }
    }

    fn admit(&mut self) -> bool {
        if self.since.elapsed() >= Duration::from_secs(1) {
            self.since = Instant::now();
            self.count = 0;
        }
        self.count += 1;
        self.count <= self.per_second
    }
}

#[cfg(test)]
mod tests;
