//! MQTT 3.1.1 over WebSocket, QoS 0: a stream of packets, cut into frames anywhere.
//!
//! Source: MQTT 3.1.1 §2.2 (fixed header), §3. A topic is a recipient's name.

use anyhow::{Result, bail, ensure};

use super::stream_item::StreamItem;

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;
const PINGRESP: u8 = 0xd0;
/// Most bytes of a remaining length.
const LENGTH_BYTES_MAX: usize = 4;
/// Of a string, before it.
const STRING_LENGTH_BYTES: usize = 2;

/// What a client says first: a clean session without keep-alive, one subscription.
pub fn hello(name: &str) -> Vec<u8> {
    let protocol = [&string("MQTT"), [4, 0b10, 0, 0].as_slice()].concat();
    let connect = packet(CONNECT, &[protocol, string(name)].concat());
    let subscribe = packet(
        SUBSCRIBE,
        &[&[0, 1], string(name).as_slice(), &[0]].concat(),
    );
    [connect, subscribe].concat()
}

/// Ends the answer to [`hello`]: SUBACK of packet 1, granted QoS 0.
pub const READY: &[u8] = &[SUBACK, 3, 0, 1, 0];

/// What stands before a message of `bytes` bytes, and after it.
pub(crate) fn around(to: &str, bytes: usize) -> (Vec<u8>, Vec<u8>) {
    let topic = string(to);
    let mut before = vec![PUBLISH];
    before.extend(remaining_length(topic.len() + bytes));
    before.extend(topic);
    (before, Vec::new())
}

/// The first item of a stream and the bytes it takes, if it is there to the end.
///
/// Errors: a packet that a subscriber of QoS 0 does not get.
pub fn parse(stream: &[u8]) -> Result<Option<(StreamItem, usize)>> {
    let Some((&kind, rest)) = stream.split_first() else {
        return Ok(None);
    };
    let Some((length, length_bytes)) = parse_length(rest)? else {
        return Ok(None);
    };
    let start = 1 + length_bytes;
    let whole = start + length;
    if stream.len() < whole {
        return Ok(None);
    }
    let item = match kind {
        PUBLISH => {
            let topic = stream[start..whole].first_chunk::<STRING_LENGTH_BYTES>();
            let topic_bytes = topic.map_or(length, |it| usize::from(u16::from_be_bytes(*it)));
            let payload = start + STRING_LENGTH_BYTES + topic_bytes..whole;
            ensure!(payload.start <= payload.end, "a PUBLISH without a topic");
            StreamItem::Message(payload)
        }
        CONNACK | SUBACK | PINGRESP => StreamItem::Other,
        _ => bail!("mosquitto sent a packet of type {kind:#x}"),
    };
    Ok(Some((item, whole)))
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![kind];
    packet.extend(remaining_length(body.len()));
    packet.extend_from_slice(body);
    packet
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

/// Seven bits a byte, lowest first; the eighth says that more follow.
fn remaining_length(mut length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (length % 128) as u8;
        length /= 128;
        if length == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn parse_length(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let mut length = 0;
    for (index, byte) in bytes.iter().take(LENGTH_BYTES_MAX).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((length, index + 1)));
        }
    }
    ensure!(
        bytes.len() < LENGTH_BYTES_MAX,
        "a remaining length of more than four bytes"
    );
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_as_the_standard_says() {
        for (length, bytes) in [
            (0, vec![0]),
            (127, vec![0x7f]),
            (128, vec![0x80, 1]),
            (16_383, vec![0xff, 0x7f]),
            (2_097_152, vec![0x80, 0x80, 0x80, 1]),
        ] {
            assert_eq!(remaining_length(length), bytes);
            assert_eq!(parse_length(&bytes).unwrap(), Some((length, bytes.len())));
            assert_eq!(parse_length(&bytes[..bytes.len() - 1]).unwrap(), None);
        }
        assert!(parse_length(&[0xff; 4]).is_err());
    }

    #[test]
    fn items_are_taken_when_they_are_whole() {
        let (mut stream, _) = around("b000001", 200);
        let head = stream.len();
        stream.extend([b'x'; 200]);
        for cut in 0..stream.len() {
            assert_eq!(parse(&stream[..cut]).unwrap(), None, "{cut}");
        }
        stream.extend([PINGRESP, 0]);
        let message = (StreamItem::Message(head..head + 200), head + 200);
        assert_eq!(parse(&stream).unwrap(), Some(message));
        assert_eq!(
            parse(READY).unwrap(),
            Some((StreamItem::Other, READY.len()))
        );
        assert!(parse(&[0xf0, 0]).is_err());
        assert!(parse(&[PUBLISH, 3, 0, 2, b'x']).is_err());
    }

    #[test]
    fn a_client_connects_and_subscribes() {
        let hello = hello("ab");
        let connect = b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x00\x00\x02ab";
        let subscribe = b"\x82\x07\x00\x01\x00\x02ab\x00";
        assert_eq!(hello, [connect.as_slice(), subscribe].concat());
    }
}
