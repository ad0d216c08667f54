//! Reads bytes and cuts them into frames.

use std::io::{ErrorKind, Read};

use super::virtual_user::SocketState;
use super::worker::LoadWorker;
use crate::check::WrongDelivery;
use crate::wire;

/// Largest frame that is taken, bytes: several times what a gateway sends by default.
const INBOX_MAX: usize = 4 << 20;

impl LoadWorker {
    /// Reads what has arrived. A short read ends it, unless the peer has finished: of what comes
    /// later there is an event, of the end there is none but this.
    pub(super) fn read(&mut self, index: usize, to_the_end: bool) {
        let mut scratch = std::mem::take(&mut self.scratch);
        loop {
            let user = &mut self.users[index];
            let Some(stream) = user.stream.as_mut().filter(|_| !user.reads_nothing) else {
                break;
            };
            match stream.read(&mut scratch) {
                Ok(0) => {
                    self.lost(index, "lost".to_owned());
                    break;
                }
                Ok(count) => {
                    self.received(index, &scratch[..count]);
                    if count < scratch.len() && !to_the_end {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.lost(index, error.kind().to_string());
                    break;
                }
            }
        }
        self.scratch = scratch;
    }

    /// Takes every whole frame; what is left waits in the inbox.
    fn received(&mut self, index: usize, bytes: &[u8]) {
        let mut inbox = std::mem::take(&mut self.users[index].inbox);
        if inbox.is_empty() {
            let taken = self.take_frames(index, bytes);
            inbox.extend_from_slice(&bytes[taken..]);
        } else {
            inbox.extend_from_slice(bytes);
            let taken = self.take_frames(index, &inbox);
            inbox.drain(..taken);
        }
        let user = &mut self.users[index];
        if user.stream.is_none() {
            return;
        }
        let too_large = inbox.len() > INBOX_MAX;
        user.inbox = inbox;
        if too_large {
            self.wrong(WrongDelivery::Frame, || {
                "a frame of more than 4 MiB".to_owned()
            });
            self.lost(index, "too large".to_owned());
        }
    }

    fn take_frames(&mut self, index: usize, bytes: &[u8]) -> usize {
        let mut at = 0;
        if self.users[index].state == SocketState::Upgrading {
            let Some(end) = wire::head_end(bytes) else {
                return 0;
            };
            self.upgraded(index, wire::status_of(&bytes[..end]));
            at = end;
        }
        while self.users[index].stream.is_some()
            && let Some(frame) = wire::parse(&bytes[at..])
        {
            let payload = &bytes[at..][frame.payload.clone()];
            self.on_frame(index, frame.opcode, payload);
            at += frame.payload.end;
        }
        at.min(bytes.len())
    }

    fn on_frame(&mut self, index: usize, opcode: u8, payload: &[u8]) {
        match opcode {
            wire::PING => self.push(index, wire::PONG, payload),
            wire::PONG => {}
            wire::CLOSE => self.on_close(index, payload),
            wire::TEXT => self.on_text(index, payload),
            other => self.wrong(WrongDelivery::Frame, || {
                format!("a frame of opcode {other}")
            }),
        }
    }
}
