//! One frame's head, in and out. No buffers, no I/O, no memory of earlier frames.
//!
//! ```text
//! byte 0: FIN RSV1-3 opcode   byte 1: MASK length (7 bit; 126: 16 bit follow; 127: 64 bit)
//! then: length, masking key (4 bytes, peers always mask), payload
//! ```
//! Source: RFC 6455 §5.2.

use fastwebsockets::{Frame, OpCode, Payload};
use protocol::CloseCode;
use protocol::limits::CONTROL_BYTES_MAX;

/// Longest head we write: 2 bytes and a length of 8.
pub(super) const HEAD_BYTES_MAX: usize = 10;

/// The head of a frame from a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub(super) fin: bool,
    pub(super) opcode: OpCode,
    pub(super) mask: [u8; 4],
    /// Bytes of the head itself.
    pub(super) bytes: usize,
    /// Bytes of payload that the peer declared; anything up to 2^64 - 1.
    pub(super) payload: u64,
}

impl FrameHead {
    /// Reads the head at the start of `input`; `None`: it is not all there yet.
    ///
    /// Errors: `ProtocolError` for reserved bits and opcodes, no mask, a control frame that is
    /// fragmented or longer than 125 bytes; each as soon as it can be seen.
    pub(super) fn parse(input: &[u8]) -> Result<Option<FrameHead>, CloseCode> {
        let &[first, second, ref rest @ ..] = input else {
            return Ok(None);
        };
        let fin = first & 0x80 != 0;
        let opcode = OpCode::try_from(first & 0x0F).map_err(|_| CloseCode::ProtocolError)?;
        let (masked, short) = (second & 0x80 != 0, second & 0x7F);
        let bad_control = is_control(opcode) && (!fin || usize::from(short) > CONTROL_BYTES_MAX);
        if first & 0x70 != 0 || !masked || bad_control {
            return Err(CloseCode::ProtocolError);
        }
        let (payload, rest) = match short {
            126 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            short => (u64::from(short), rest),
        };
        let Some((mask, rest)) = rest.split_first_chunk() else {
            return Ok(None);
        };
        Ok(Some(FrameHead {
            fin,
            opcode,
            mask: *mask,
            bytes: input.len() - rest.len(),
            payload,
        }))
    }
}

/// Whether the opcode is of a control frame.
pub(super) fn is_control(opcode: OpCode) -> bool {
    match opcode {
        OpCode::Close | OpCode::Ping | OpCode::Pong => true,
        OpCode::Continuation | OpCode::Text | OpCode::Binary => false,
    }
}

/// Writes the head of an unfragmented, unmasked frame; the second value is its length in bytes.
pub(super) fn head_of(opcode: OpCode, payload: &[u8]) -> ([u8; HEAD_BYTES_MAX], usize) {
    let mut head = [0; HEAD_BYTES_MAX];
    let bytes = Frame::new(true, opcode, None, Payload::Borrowed(payload)).fmt_head(&mut head);
    (head, bytes)
}

/// Bytes of the head that [`head_of`] writes for a payload of `length` bytes.
pub(super) const fn head_bytes(length: usize) -> usize {
    match length {
        0..=125 => 2,
        126..=0xFFFF => 4,
        _ => 10,
    }
}

/// Whether a peer may send this close code. Source: RFC 6455 §7.4 and the IANA registry.
pub(super) fn close_code_is_valid(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_parse_at_every_length_form_and_wait_for_missing_bytes() {
        for (length, form) in [(5u64, 0usize), (300, 2), (1 << 63, 8), (u64::MAX, 8)] {
            let mut input = vec![0x81, 0x80];
            match form {
                0 => input[1] |= length as u8,
                2 => {
                    input[1] |= 126;
                    input.extend((length as u16).to_be_bytes());
                }
                _ => {
                    input[1] |= 127;
                    input.extend(length.to_be_bytes());
                }
            }
            input.extend([1, 2, 3, 4]);
            for cut in 0..input.len() {
                assert_eq!(FrameHead::parse(&input[..cut]), Ok(None), "cut at {cut}");
            }
            let bytes = input.len();
            input.extend([9; 3]);
            let head = FrameHead {
                fin: true,
                opcode: OpCode::Text,
                mask: [1, 2, 3, 4],
                bytes,
                payload: length,
            };
            assert_eq!(FrameHead::parse(&input), Ok(Some(head)));
        }
    }

    #[test]
    fn forbidden_heads_are_protocol_errors_after_two_bytes() {
        let forbidden: &[(&str, [u8; 2])] = &[
            ("unmasked", [0x81, 0x05]),
            ("RSV1", [0xC1, 0x85]),
            ("RSV3", [0x91, 0x85]),
            ("opcode 3", [0x83, 0x85]),
            ("opcode 15", [0x8F, 0x85]),
            ("fragmented ping", [0x09, 0x80]),
            ("long ping", [0x89, 0xFE]),
            ("long pong", [0x8A, 0xFE]),
            ("long close", [0x88, 0xFF]),
        ];
        for (what, input) in forbidden {
            assert_eq!(
                FrameHead::parse(input),
                Err(CloseCode::ProtocolError),
                "{what}"
            );
        }
    }

    #[test]
    fn our_heads_are_the_shortest_form() {
        for (length, bytes) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let (head, got) = head_of(OpCode::Text, &vec![b'x'; length]);
            assert_eq!(got, head_bytes(length));
            assert_eq!((got, head[0], head[1] & 0x80), (bytes, 0x81, 0), "{length}");
        }
    }
}
