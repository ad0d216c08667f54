//! Messages of a peer: whole, or put together from fragments.

use bytes::{Buf, Bytes, BytesMut};
use protocol::CloseCode;

use super::frame::close_code_is_valid;

/// A whole message from the peer. Payloads are slices of the read buffer: do not keep them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text; valid UTF-8.
    Text(Bytes),
    /// Binary.
    Binary(Bytes),
    /// A ping; the connection has answered it.
    Ping(Bytes),
    /// A pong.
    Pong(Bytes),
    /// The peer closes: code and reason (valid UTF-8), if it gave them.
    Close(Option<(u16, Bytes)>),
}

/// A fragmented message that waits for its last fragment.
pub(super) struct PartialMessage {
    pub(super) text: bool,
    pub(super) bytes: BytesMut,
    pub(super) fragments: usize,
    /// Bytes at the start that are known to be valid UTF-8.
    pub(super) checked: usize,
}

impl PartialMessage {
    pub(super) fn push(&mut self, payload: &[u8]) -> Result<(), CloseCode> {
        self.bytes.extend_from_slice(payload);
        self.fragments += 1;
        if !self.text {
            return Ok(());
        }
        match simdutf8::compat::from_utf8(&self.bytes[self.checked..]) {
            Ok(_) => self.checked = self.bytes.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(CloseCode::InvalidUtf8),
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Message, CloseCode> {
        match (self.text, self.checked == self.bytes.len()) {
            (true, true) => Ok(Message::Text(self.bytes.freeze())),
            (true, false) => Err(CloseCode::InvalidUtf8),
            (false, _) => Ok(Message::Binary(self.bytes.freeze())),
        }
    }
}

/// A message that came in one frame.
pub(super) fn whole(text: bool, payload: Bytes) -> Result<Message, CloseCode> {
    if !text {
        return Ok(Message::Binary(payload));
    }
    match simdutf8::basic::from_utf8(&payload) {
        Ok(_) => Ok(Message::Text(payload)),
        Err(_) => Err(CloseCode::InvalidUtf8),
    }
}

/// A Close frame.
pub(super) fn close_of(mut payload: Bytes) -> Result<Message, CloseCode> {
    if payload.is_empty() {
        return Ok(Message::Close(None));
    }
    let code = payload
        .try_get_u16()
        .map_err(|_| CloseCode::ProtocolError)?;
    if !close_code_is_valid(code) {
        return Err(CloseCode::ProtocolError);
    }
    match simdutf8::basic::from_utf8(&payload) {
        Ok(_) => Ok(Message::Close(Some((code, payload)))),
        Err(_) => Err(CloseCode::InvalidUtf8),
    }
}
