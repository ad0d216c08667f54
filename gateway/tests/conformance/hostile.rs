//! What no honest client sends: each case gets its exact close code, and memory stays bounded.

use gateway::ws::Budget;

use crate::raw::{BINARY, CLOSE, CONT, FIN, PING, PONG, Raw, TEXT, masked, masked_head};
use crate::server::{Server, Setup};

const LIMIT: usize = 8 * 1024;

async fn server() -> Server {
    Server::start(Setup {
        message_bytes: LIMIT,
        ..Setup::default()
    })
    .await
}

/// Sends `bytes` and expects this close code as the first thing that comes back.
async fn expect_code(what: &str, bytes: &[u8], code: u16) {
    let server = server().await;
    let mut raw = Raw::open(server.address).await;
    println!("{what}");
    raw.bytes(bytes).await;
    raw.expect_close(code).await;
}

fn joined(frames: &[(u8, &[u8])]) -> Vec<u8> {
    frames
        .iter()
        .flat_map(|(first, payload)| masked(*first, payload))
        .collect()
}

#[tokio::test]
async fn forbidden_frames_are_protocol_errors() {
    let long = vec![b'x'; 126];
    expect_code("unmasked", &[0x81, 0x02, b'h', b'i'], 1002).await;
    expect_code("reserved bit", &masked(FIN | 0x40 | TEXT, b"hi"), 1002).await;
    expect_code("reserved opcode", &masked(FIN | 0x3, b"hi"), 1002).await;
    expect_code(
        "nested start",
        &joined(&[(TEXT, b"aaa"), (TEXT, b"bbb")]),
        1002,
    )
    .await;
    expect_code(
        "nested whole",
        &joined(&[(TEXT, b"aaa"), (FIN | TEXT, b"b")]),
        1002,
    )
    .await;
    expect_code("stray continuation", &masked(FIN | CONT, b"ccc"), 1002).await;
    expect_code("long ping", &masked(FIN | PING, &long), 1002).await;
    expect_code("long pong", &masked(FIN | PONG, &long), 1002).await;
    expect_code("huge pong", &masked_head(FIN | PONG, 1 << 40), 1002).await;
    expect_code(
        "long close",
        &masked(FIN | CLOSE, &[&[3, 232][..], &long].concat()),
        1002,
    )
    .await;
    expect_code("fragmented ping", &masked(PING, b"x"), 1002).await;
    expect_code("close of one byte", &masked(FIN | CLOSE, &[3]), 1002).await;
    expect_code(
        "close with a bad code",
        &masked(FIN | CLOSE, &[3, 237]),
        1002,
    )
    .await;
}

#[tokio::test]
async fn bad_utf8_is_told_as_such() {
    expect_code("whole", &masked(FIN | TEXT, b"a\xff"), 1007).await;
    expect_code("cut at the end", &masked(FIN | TEXT, b"b\xe2\x82"), 1007).await;
    let cut = joined(&[(TEXT, b"a"), (FIN | CONT, b"b\xe2\x82")]);
    expect_code("cut at the end of the last fragment", &cut, 1007).await;
    expect_code(
        "in the first fragment, at once",
        &masked(TEXT, b"a\xff"),
        1007,
    )
    .await;
    expect_code("reason", &masked(FIN | CLOSE, &[3, 232, 0xff]), 1007).await;
}

#[tokio::test]
async fn a_character_may_be_spread_over_fragments() {
    let server = server().await;
    let mut raw = Raw::open(server.address).await;
    let fragments: [(u8, &[u8]); 4] = [
        (TEXT, b"\xf0"),
        (CONT, b"\x9f\x98"),
        (CONT, b""),
        (FIN | CONT, b"\x80!"),
    ];
    raw.bytes(&joined(&fragments)).await;
    raw.expect(FIN | TEXT, "\u{1f600}!".as_bytes()).await;
}

#[tokio::test]
async fn what_is_too_big_is_refused_by_its_declared_length() {
    for length in [LIMIT as u64 + 1, 1 << 32, 1 << 63, u64::MAX] {
        expect_code("declared", &masked_head(FIN | BINARY, length), 1009).await;
    }
    let half = vec![b'x'; LIMIT / 2];
    let mut summed = masked(TEXT, &half);
    summed.extend(masked(CONT, &half));
    summed.extend(masked_head(FIN | CONT, 1));
    expect_code("fragments summed", &summed, 1009).await;
    let mut overflow = masked(TEXT, b"x");
    overflow.extend(masked_head(CONT, u64::MAX));
    expect_code("sum beyond 64 bit", &overflow, 1009).await;
}

#[tokio::test]
async fn messages_of_exactly_the_limit_pass_whole_and_in_the_most_fragments() {
    let server = server().await;
    let mut raw = Raw::open(server.address).await;
    let text = vec![b'x'; LIMIT];
    raw.send(FIN | TEXT, &text).await;
    raw.expect(FIN | TEXT, &text).await;
    let pieces = text.chunks(64).enumerate().map(|(n, piece)| {
        let last = if n == LIMIT / 64 - 1 { FIN } else { 0 };
        masked(last | if n == 0 { TEXT } else { CONT }, piece)
    });
    raw.bytes(&pieces.flatten().collect::<Vec<_>>()).await;
    raw.expect(FIN | TEXT, &text).await;
}

#[tokio::test]
async fn a_million_empty_fragments_end_at_the_hundred_and_twenty_ninth() {
    let most = LIMIT / 64;
    let server = server().await;
    let mut raw = Raw::open(server.address).await;
    let mut frames = masked(TEXT, b"");
    frames.extend(masked(CONT, b"").repeat(most - 2));
    raw.bytes(&frames).await;
    raw.send(FIN | CONT, b"").await;
    raw.expect(FIN | TEXT, b"").await;

    let (mut read, mut write) = raw.stream.into_split();
    let flood = tokio::spawn(async move {
        let mut frames = masked(TEXT, b"");
        frames.extend(masked(CONT, b"").repeat(1_000_000));
        // The server stops listening somewhere in the middle.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut write, &frames).await;
        write
    });
    let mut head = [0; 4];
    tokio::io::AsyncReadExt::read_exact(&mut read, &mut head)
        .await
        .unwrap();
    assert_eq!(
        (head[0], u16::from_be_bytes([head[2], head[3]])),
        (FIN | CLOSE, 1009)
    );
    drop(flood.await);
}

#[tokio::test]
async fn incomplete_messages_are_paid_for_and_given_back() {
    let assembly = Budget::new(10_000, None);
    let setup = Setup {
        message_bytes: LIMIT,
        assembly: assembly.clone(),
        ..Setup::default()
    };
    let mut server = Server::start(setup).await;
    let mut first = Raw::open(server.address).await;
    first.send(TEXT, &[b'x'; 6000]).await;
    first.send(FIN | PING, b"1").await;
    first.expect(FIN | PONG, b"1").await;
    assert_eq!(assembly.used(), 6064);

    // Half a frame counts as well as a fragment.
    let mut second = Raw::open(server.address).await;
    second
        .bytes(&masked(FIN | TEXT, &[b'x'; 6000])[..5000])
        .await;
    second.expect_close(1013).await;
    server.ended().await;
    assert_eq!(assembly.used(), 6064, "the refused one gave back");

    first.send(FIN | CONT, b"!").await;
    assert_eq!(first.frame().await.unwrap().payload.len(), 6001);
    assert_eq!(assembly.used(), 0);
}

#[tokio::test]
async fn a_fast_pinger_is_ignored_beyond_the_rate_and_counted() {
    let mut server = Server::start(Setup {
        controls_per_second: 3,
        ..Setup::default()
    })
    .await;
    let mut raw = Raw::open(server.address).await;
    let connection = server.connection().await;
    let mut frames = masked(FIN | PING, b"p").repeat(5);
    frames.extend(masked(FIN | TEXT, b"still here"));
    raw.bytes(&frames).await;
    for _ in 0..3 {
        raw.expect(FIN | PONG, b"p").await;
    }
    raw.expect(FIN | TEXT, b"still here").await;
    assert_eq!(connection.controls_ignored(), 2);
}

#[tokio::test]
async fn frames_cut_at_every_byte_arrive_whole() {
    let server = server().await;
    let mut raw = Raw::open(server.address).await;
    for byte in joined(&[
        (TEXT, b"hel"),
        (FIN | PING, b"p"),
        (FIN | CONT, &[b'o'; 200]),
    ]) {
        raw.bytes(&[byte]).await;
        tokio::task::yield_now().await;
    }
    raw.expect(FIN | PONG, b"p").await;
    assert_eq!(raw.frame().await.unwrap().payload.len(), 203);
}
