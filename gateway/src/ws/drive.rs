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
use std::time::Duration;

use protocol::CloseCode;
use tokio::time::{Instant, sleep, timeout};

use super::connection::{BROKEN, CLOSE_WRITTEN, CLOSING, Connection, RESUMED, ROOM};
use super::outgoing::Ended;
use super::reader::{Input, Message, Reader};

/// Longest wait for our last frames to leave, and again for the peer's Close.
pub const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// Bytes thrown away while a connection closes; a peer that sends more is let go at once.
///
/// What it had sent before it could see our Close is read, lest a reset overtakes that; this is
/// more than is usually under way. A flood goes on for as long as somebody reads it.
const DISCARD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many times its rate of control frames a proven peer may exceed before it is closed.
const CONTROL_FLOOD: u32 = 10;

/// Who is told what happens on a socket.
pub trait SocketHandler: Send {
    /// Begins the conversation, before the first message.
    fn on_open(&mut self) -> Flow {
        Flow::Continue
    }

    /// Takes one message. Pings and pongs come for information; the peer's Close does not come.
    ///
    /// A panic in here closes this connection with 1011 and touches no other.
    fn on_message(&mut self, message: Message) -> Flow;

    /// Presence that was refused with `Push::Full` has room now.
    fn on_room(&mut self) {}
    /// Whether the peer has shown no credential yet: then it is closed with 1008 as soon as its control
    /// frames are too fast.
    fn is_unproven(&self) -> bool {
        false
    }

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
    /// Not before this time has passed; later frames wait.
    Wait(Duration),
    /// By closing, after all that is queued.
    Close(CloseCode),
}

impl Flow {
    /// How to go on after two requests of one message: as the stricter of both says.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Flow::Close(code), _) | (_, Flow::Close(code)) => Flow::Close(code),
            (Flow::Pause, _) | (_, Flow::Pause) => Flow::Pause,
            (Flow::Wait(one), Flow::Wait(two)) => Flow::Wait(one.max(two)),
            (Flow::Wait(time), Flow::Continue) | (Flow::Continue, Flow::Wait(time)) => {
                Flow::Wait(time)
            }
            (Flow::Continue, Flow::Continue) => Flow::Continue,
        }
    }
}

/// Reads a connection to its end and closes it; the task may be aborted at any time.
///
/// `controls_per_second`: how many pings and pongs are heeded; the others are counted and ignored. Ten
/// times as many in one second close the connection with 1008.
pub fn drive<H: SocketHandler>(
    reader: Reader,
    connection: Arc<Connection>,
    handler: H,
    controls_per_second: u32,
) -> impl Future<Output = Ended> + Send {
    // Made outside: a task that is aborted before its first poll must let the socket go as well.
    let mut life = Life {
        handler,
        reader,
        retire: Retire(connection),
    };
    // It is lent, not moved: what is moved into a future is kept twice.
    async move { live(&mut life, ControlRate::new(controls_per_second)).await }
}

/// What a connection has while it lives, in the order in which it lets go of it.
struct Life<H> {
    handler: H,
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

async fn live<H: SocketHandler>(life: &mut Life<H>, controls: ControlRate) -> Ended {
    let Life {
        handler,
        reader,
        retire: Retire(connection),
    } = life;
    let mut talk = Talk {
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
    if matches!(ended, Ended::Us(_)) && reader.assembling() > 0 {
        reader.give_up();
    }
    if ended != Ended::Lost {
        // Its timers are large, and in most lives of a connection not needed yet.
        Box::pin(finish(reader, connection)).await;
    }
    ended
}

struct Talk<'a, H> {
    reader: &'a mut Reader,
    connection: &'a Arc<Connection>,
    handler: &'a mut H,
    controls: ControlRate,
    /// As others were told it last.
    assembling: usize,
}

/// What stops the parsing of messages.
enum Stop {
    /// Nothing more has arrived.
    Drained,
    Paused,
    Waits,
    Over,
    Panicked,
}

impl<H: SocketHandler> Talk<'_, H> {
    /// Returns when the conversation is over; false: the handler panicked.
    async fn run(&mut self) -> bool {
        let mut stop = match guarded(|| self.handler.on_open()) {
            Some(flow) => self.stop_of(flow),
            None => Some(Stop::Panicked),
        };
        loop {
            let stop = stop.take().unwrap_or_else(|| self.tell_all());
            if matches!(stop, Stop::Panicked) || guarded(|| self.handler.on_idle()).is_none() {
                self.connection.close(CloseCode::Internal);
                return false;
            }
            if matches!(stop, Stop::Waits) && !self.reader.leave_unread() {
                self.connection.close(CloseCode::TooManyRefusals);
                return true;
            }
            if self.assembling != self.reader.assembling() {
                self.assembling = self.reader.assembling();
                self.connection.note_assembling(self.assembling);
            }
            match stop {
                Stop::Drained => self.read().await,
                Stop::Paused | Stop::Waits => self.pause().await,
                Stop::Over | Stop::Panicked => return true,
            }
            let lost = self.reader.input() == Input::Ended;
            if lost || self.connection.signals().any(CLOSING | BROKEN) {
                return true;
            }
        }
    }

    /// Tells the handler every message that has arrived.
    fn tell_all(&mut self) -> Stop {
        if self.connection.signals().take(ROOM) && guarded(|| self.handler.on_room()).is_none() {
            return Stop::Panicked;
        }
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
                    let is_flood = self.controls.is_flood()
                        || guarded(|| self.handler.is_unproven()).unwrap_or(true);
                    if is_flood {
                        self.reader.give_up();
                        self.connection.close(CloseCode::PolicyViolation);
                        break Stop::Over;
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
            Flow::Wait(time) => {
                let connection = Arc::clone(self.connection);
                // The timer runs in a task of its own: in this task it would enlarge the future of every
                // connection.
                tokio::spawn(async move {
                    sleep(time).await;
                    connection.resume();
                });
                Some(Stop::Waits)
            }
            Flow::Close(code) => {
                self.connection.close(code);
                Some(Stop::Over)
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

/// Calls into the handler; `None`: it panicked and must not be called again.
fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

/// The closing handshake. Source: RFC 6455 §7.1.
///
/// What the peer still sends is read to the end of the stream: closing a socket with unread bytes
/// sends a reset, which may overtake our Close frame.
async fn finish(reader: &mut Reader, connection: &Arc<Connection>) {
    connection.flush();
    let mut room = DISCARD_BYTES_MAX;
    let written = timeout(CLOSE_WAIT, close_written(reader, connection, &mut room)).await;
    if written.is_err() || connection.signals().any(BROKEN) {
        return connection.abort();
    }
    let farewell = async {
        discard(reader, &mut room, |input| input != Input::Open).await;
        poll_fn(|cx| connection.poll_shutdown(cx)).await;
        discard(reader, &mut room, |input| input == Input::Ended).await;
    };
    // Late or not, the socket is let go.
    if timeout(CLOSE_WAIT, farewell).await.is_err() {
        connection.abort();
    }
}

/// Waits until the Close frame is written, or there is no room for what comes; reads meanwhile, lest
/// both sides wait to write.
async fn close_written(reader: &mut Reader, connection: &Connection, room: &mut usize) {
    poll_fn(|cx| {
        if connection
            .signals()
            .poll_any(cx, CLOSE_WRITTEN | BROKEN)
            .is_ready()
        {
            return Poll::Ready(());
        }
        while *room > 0 && reader.input() != Input::Ended {
            match reader.poll_discard(cx) {
                Poll::Ready(read) => *room = room.saturating_sub(read),
                Poll::Pending => return Poll::Pending,
            }
        }
        match *room {
            0 => Poll::Ready(()),
            _ => Poll::Pending,
        }
    })
    .await;
}

async fn discard(reader: &mut Reader, room: &mut usize, until: impl Fn(Input) -> bool) {
    while *room > 0 && !until(reader.input()) {
        let read = poll_fn(|cx| reader.poll_discard(cx)).await;
        *room = room.saturating_sub(read);
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
        self.count = self.count.saturating_add(1);
        self.count <= self.per_second
    }

    /// Whether there were far too many in this second.
    fn is_flood(&self) -> bool {
        self.count > self.per_second.saturating_mul(CONTROL_FLOOD)
    }
}

#[cfg(test)]
mod tests;
