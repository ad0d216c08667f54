//! Publishes messages, over a connection to which the publishing task writes directly.
//!
//! ```text
//!  publish ──▶ PublishLine ──▶ socket        the rest, when the socket was full ─┐
//!     ▲          ▲                                                       │
//!     └─ answer ─┴───── driver ◀── replies, in their order ◀── Redis     ◀┘
//! ```
//!
//! A message to another node waits for every hand that it passes through: so there is no task
//! between it and the socket. The driver reads, and writes only what the socket did not take.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use redis::{RedisError, Value};
use tokio::sync::oneshot;
use tokio::time::{Instant, interval};
use tokio_util::codec::Framed;
use tokio_util::task::AbortOnDropHandle;

use super::replies::{ReplyCodec, SocketReply};
use crate::redis::config::RESPONSE;
use crate::redis::pool::dialer::{SocketFrames, SocketIo};
use crate::redis::session::end::SessionEnd;
use crate::redis::topology::address::ServerAddress;

/// Between looks for answers that are overdue.
const LOOK: Duration = Duration::from_millis(100);
/// Commands without an answer, those that were told late included. More are refused: Redis is silent,
/// and the connection ends soon.
const ASKED_MAX: usize = 1024;

/// A connection for PUBLISH. Dropped, it closes.
pub(in crate::redis) struct MessagePublisher {
    line: Arc<Mutex<PublishLine>>,
    _driver: AbortOnDropHandle<()>,
}

struct PublishLine {
    frames: Framed<Pin<Box<dyn SocketIo>>, ReplyCodec>,
    /// Who waits for an answer, in the order of the commands.
    asked: VecDeque<PendingPublish>,
    /// The socket did not take all: the driver writes the rest.
    is_behind: bool,
    is_gone: bool,
    driver: Waker,
}

struct PendingPublish {
    since: Instant,
    /// `None`: was told already that it is late.
    done: Option<oneshot::Sender<Result<Value, RedisError>>>,
}

impl MessagePublisher {
    /// Drives the connection; `end` is told when it is gone.
    pub(in crate::redis) fn start(
        frames: SocketFrames,
        address: &ServerAddress,
        end: SessionEnd,
    ) -> Self {
        let line = Arc::new(Mutex::new(PublishLine {
            frames: frames.map_codec(ReplyCodec::new),
            asked: VecDeque::new(),
            is_behind: false,
            is_gone: false,
            driver: Waker::noop().clone(),
        }));
        let (driven, address) = (Arc::clone(&line), address.clone());
        let driver = tokio::spawn(async move {
            let reason = drive(&driven).await;
            lock(&driven).leave();
            end.because(format!("publishing at {address} ended: {reason}"));
        });
        Self {
            line,
            _driver: AbortOnDropHandle::new(driver),
        }
    }

    /// Asks one command, once, within [`RESPONSE`]. Those that are asked in turn are written in turn.
    pub(in crate::redis) async fn ask(&self, words: &[&[u8]]) -> Result<Value, RedisError> {
        let answer = lock(&self.line).write(words).ok_or_else(closed)?;
        answer.await.map_err(|_| closed())?
    }
}

impl PublishLine {
    /// `None`: the connection is gone, or owes too many answers.
    fn write(&mut self, words: &[&[u8]]) -> Option<oneshot::Receiver<Result<Value, RedisError>>> {
        if self.is_gone || self.asked.len() >= ASKED_MAX {
            return None;
        }
        let out = self.frames.write_buffer_mut();
        out.reserve(words.iter().map(|word| word.len() + 32).sum());
        head(out, b'*', words.len());
        for word in words {
            head(out, b'$', word.len());
            out.extend_from_slice(word);
            out.extend_from_slice(b"\r\n");
        }
        let (done, answer) = oneshot::channel();
        self.asked.push_back(PendingPublish {
            since: Instant::now(),
            done: Some(done),
        });
        if !self.is_behind {
            let mut nobody = Context::from_waker(Waker::noop());
            let flushed = self.frames.poll_flush_unpin(&mut nobody);
            // The driver meets an error again.
            self.is_behind = !matches!(flushed, Poll::Ready(Ok(())));
            if self.is_behind {
                self.driver.wake_by_ref();
            }
        }
        Some(answer)
    }

    /// Writes what is left and reads what is there, until the connection is gone: why.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<String> {
        self.driver.clone_from(cx.waker());
        if self.is_behind {
            match self.frames.poll_flush_unpin(cx) {
                Poll::Ready(Ok(())) => self.is_behind = false,
                Poll::Ready(Err(error)) => return Poll::Ready(error.to_string()),
                Poll::Pending => {}
            }
        }
        loop {
            match std::task::ready!(self.frames.poll_next_unpin(cx)) {
                Some(Ok(SocketReply::Message { .. } | SocketReply::Other(Value::Push { .. }))) => {}
                Some(Ok(SocketReply::Number(number))) => self.answered(Value::Int(number)),
                Some(Ok(SocketReply::Other(answer))) => self.answered(answer),
                Some(Err(error)) => return Poll::Ready(error.to_string()),
                None => return Poll::Ready("Redis closed the connection".to_owned()),
            }
        }
    }

    fn answered(&mut self, answer: Value) {
        let first = self.asked.pop_front().and_then(|asked| asked.done);
        if let Some(done) = first {
            // The asker may have given up.
            let _ = done.send(answer.extract_error());
        }
    }

    /// Tells those that have waited for too long. Their answers may still come.
    fn tell_late(&mut self) {
        let now = Instant::now();
        let late = self.asked.iter_mut();
        for asked in late.take_while(|asked| now >= asked.since + RESPONSE) {
            if let Some(done) = asked.done.take() {
                let late = io::Error::from(io::ErrorKind::TimedOut);
                let _ = done.send(Err(late.into()));
            }
        }
    }

    /// Answers nobody any more.
    fn leave(&mut self) {
        self.is_gone = true;
        self.asked.clear();
    }
}

async fn drive(line: &Mutex<PublishLine>) -> String {
    let mut looks = interval(LOOK);
    poll_fn(|cx| {
        while looks.poll_tick(cx).is_ready() {
            lock(line).tell_late();
        }
        lock(line).poll(cx)
    })
    .await
}

fn head(out: &mut bytes::BytesMut, kind: u8, number: usize) {
    out.extend_from_slice(&[kind]);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn closed() -> RedisError {
    io::Error::from(io::ErrorKind::UnexpectedEof).into()
}

fn lock(line: &Mutex<PublishLine>) -> MutexGuard<'_, PublishLine> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}
