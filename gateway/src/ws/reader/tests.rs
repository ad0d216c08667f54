use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use super::*;
use crate::ws::stream::split_boxed;

const LIMIT: usize = 1000;

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | payload.len() as u8, 1, 2, 3, 4];
    frame.extend(
        payload
            .iter()
            .zip([1, 2, 3, 4].iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    frame
}

/// Everything the reader says when `input` arrives in pieces of these sizes.
fn read(input: &[u8], pieces: &[usize]) -> (Vec<Message>, Option<CloseCode>, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (mut peer, ours) = tokio::io::duplex(1 << 16);
        let assembly = Budget::new(1 << 20, None);
        let limits = ReadLimits {
            message_bytes: LIMIT,
            assembly: assembly.clone(),
        };
        let mut reader = FrameReader::new(split_boxed(ours).0, &[], limits);
        let mut messages = Vec::new();
        let (mut rest, mut pieces) = (input, pieces.iter().cycle());
        while !rest.is_empty() {
            let piece = rest.len().min(*pieces.next().unwrap());
            peer.write_all(&rest[..piece]).await.unwrap();
            rest = &rest[piece..];
            std::future::poll_fn(|cx| reader.poll_fill(cx)).await;
            loop {
                match reader.parse() {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) => break,
                    Err(code) => return (messages, Some(code), assembly.used()),
                }
            }
        }
        (messages, None, assembly.used())
    })
}

fn frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        8 => prop::sample::select(vec![0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A]),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        "[a-zé€😀]{0,20}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..125),
    ];
    (first, payload).prop_map(|(first, payload)| masked(first, &payload))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn how_bytes_are_cut_makes_no_difference(
        frames in proptest::collection::vec(frame(), 1..12),
        pieces in proptest::collection::vec(1..60usize, 1..8),
    ) {
        let input = frames.concat();
        let (whole, code, _) = read(&input, &[input.len()]);
        prop_assert_eq!((&whole, code), { let (cut, code, _) = read(&input, &pieces); (&cut.clone(), code) });
        for message in whole {
            if let Message::Text(text) = message {
                prop_assert!(std::str::from_utf8(&text).is_ok() && text.len() <= LIMIT);
            }
        }
    }

    #[test]
    fn noise_never_panics(input in proptest::collection::vec(any::<u8>(), 1..300)) {
        read(&input, &[7, 50]);
    }
}

#[test]
fn only_what_is_incomplete_is_charged() {
    let whole = masked(0x81, b"hello");
    assert_eq!(read(&whole, &[100]).2, 0);
    assert_eq!(
        read(&whole[..10], &[100]).2,
        4,
        "of a frame: its payload so far"
    );
    assert_eq!(
        read(&masked(0x01, b"hello"), &[100]).2,
        5 + 64,
        "of fragments: 64 each as well"
    );
}

#[test]
fn nothing_follows_a_close() {
    let input = [masked(0x88, &[3, 232]), masked(0x81, b"x")].concat();
    assert_eq!(
        read(&input, &[100]).0,
        [Message::Close(Some((1000, Bytes::new())))]
    );
}
