//! What a socket needs of whoever handles its messages.

use std::time::Duration;

use protocol::CloseCode;

use super::message::Message;
use super::outgoing::ConnectionEnd;

/// Who is told what happens on a socket.
pub trait SocketHandler: Send {
    /// Begins the conversation, before the first message.
    fn on_open(&mut self) -> ReadFlow {
        ReadFlow::Continue
    }

    /// Takes one message. Pings and pongs come for information; the peer's Close does not come.
    ///
    /// A panic in here closes this connection with 1011 and touches no other.
    fn on_message(&mut self, message: Message) -> ReadFlow;

    /// Presence that was refused with `PushOutcome::Full` has room now.
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
    fn on_end(&mut self, _why: ConnectionEnd) {}
}

/// How to go on after a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFlow {
    /// With the next message.
    Continue,
    /// Not before one call of [`Connection::resume`](super::Connection::resume); later frames wait.
    Pause,
    /// Not before this time has passed; later frames wait.
    Wait(Duration),
    /// By closing, after all that is queued.
    Close(CloseCode),
}

impl ReadFlow {
    /// How to go on after two requests of one message: as the stricter of both says.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (ReadFlow::Close(code), _) | (_, ReadFlow::Close(code)) => ReadFlow::Close(code),
            (ReadFlow::Pause, _) | (_, ReadFlow::Pause) => ReadFlow::Pause,
            (ReadFlow::Wait(one), ReadFlow::Wait(two)) => ReadFlow::Wait(one.max(two)),
            (ReadFlow::Wait(time), ReadFlow::Continue)
            | (ReadFlow::Continue, ReadFlow::Wait(time)) => ReadFlow::Wait(time),
            (ReadFlow::Continue, ReadFlow::Continue) => ReadFlow::Continue,
        }
    }
}
