use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::*;
use crate::socket_options::UNREAD_BYTES_MAX;
use crate::ws::closing::{CLOSE_WAIT, DISCARD_BYTES_MAX};
use crate::ws::{
    Budget, OutgoingFrame, PushOutcome, QueueClass, ReadLimits, WriteLimits, split_boxed,
};

/// Remembers what it was told.
struct Deaf(tokio::sync::mpsc::UnboundedSender<ConnectionEnd>);

impl SocketHandler for Deaf {
    fn on_message(&mut self, _message: Message) -> ReadFlow {
        ReadFlow::Continue
    }

    fn on_end(&mut self, why: ConnectionEnd) {
        self.0.send(why).unwrap();
    }
}

struct Pair {
    peer: DuplexStream,
    connection: Arc<Connection>,
    told: tokio::sync::mpsc::UnboundedReceiver<ConnectionEnd>,
    task: JoinHandle<ConnectionEnd>,
}

fn pair(pipe_bytes: usize) -> Pair {
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    let (peer, connection, task) = speak(pipe_bytes, 1 << 20, Deaf(tell));
    Pair {
        peer,
        connection,
        told,
        task,
    }
}

fn speak<H: SocketHandler + 'static>(
    pipe_bytes: usize,
    assembly_bytes: u64,
    handler: H,
) -> (DuplexStream, Arc<Connection>, JoinHandle<ConnectionEnd>) {
    let (peer, ours) = duplex(pipe_bytes);
    let (read, write) = split_boxed(ours);
    let budget = Budget::new(1 << 20, None);
    let limits = ReadLimits {
        message_bytes: 1000,
        assembly: Budget::new(assembly_bytes, None),
    };
    let reader = FrameReader::new(read, &[], limits);
    let connection = Connection::new(
        write,
        WriteLimits {
            bytes: 1 << 20,
            frames: 4096,
            budget,
        },
        Arc::new(::metrics::Counter::noop()),
    );
    let task = tokio::spawn(drive(reader, connection.clone(), handler, 20));
    (peer, connection, task)
}

/// Waits a second after each message.
struct Slow(tokio::sync::mpsc::UnboundedSender<Instant>);

impl SocketHandler for Slow {
    fn on_message(&mut self, _message: Message) -> ReadFlow {
        self.0.send(Instant::now()).unwrap();
        ReadFlow::Wait(Duration::from_secs(1))
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_during_a_wait_and_a_close_ends_it() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let (mut peer, connection, task) = speak(1000, 1 << 20, Slow(tell));
    let empty_text = [0x81, 0x80, 0, 0, 0, 0];
    peer.write_all(&empty_text.repeat(3)).await.unwrap();
    let first = told.recv().await.unwrap();
    tokio::task::yield_now().await;
    let unread = 2 * empty_text.len() + UNREAD_BYTES_MAX;
    assert_eq!(connection.assembling(), unread, "charged while it waits");
    for seconds in 1..3 {
        let later = told.recv().await.unwrap();
        assert_eq!(later - first, Duration::from_secs(seconds));
    }
    connection.close(CloseCode::Restart);
    drop(peer);
    task.await.unwrap();
    assert_eq!(first.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn without_room_for_what_stays_unread_a_wait_closes() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let (mut peer, _, task) = speak(1000, UNREAD_BYTES_MAX as u64 - 1, Slow(tell));
    let empty_text = [0x81, 0x80, 0, 0, 0, 0];
    peer.write_all(&empty_text.repeat(2)).await.unwrap();
    told.recv().await.unwrap();
    let ended = timeout(Duration::from_secs(60), task).await;
    let ended = ended.expect("it is closed").unwrap();
    assert_eq!(ended, ConnectionEnd::Us(CloseCode::TooManyRefusals));
    assert!(told.recv().await.is_none(), "the second one is not told");
}

#[tokio::test(start_paused = true)]
async fn each_wait_of_the_closing_handshake_is_two_seconds() {
    // Our Close is written at once; the peer's never comes.
    let Pair {
        peer,
        connection,
        mut told,
        task,
    } = pair(1000);
    let begin = Instant::now();
    connection.close(CloseCode::Restart);
    assert_eq!(
        told.recv().await,
        Some(ConnectionEnd::Us(CloseCode::Restart))
    );
    assert_eq!(
        begin.elapsed(),
        Duration::ZERO,
        "the dialect is told before the wait"
    );
    assert_eq!(task.await.unwrap(), ConnectionEnd::Us(CloseCode::Restart));
    assert_eq!(begin.elapsed().as_secs(), 2);
    drop(peer);

    // Not even our Close can be written.
    let Pair {
        peer,
        connection,
        task,
        ..
    } = pair(3);
    let begin = Instant::now();
    connection.close(CloseCode::Restart);
    task.await.unwrap();
    assert_eq!(begin.elapsed().as_secs(), 2);
    drop(peer);
}

#[tokio::test(start_paused = true)]
async fn frames_cut_at_any_byte_leave_whole_and_in_order() {
    for pipe_bytes in [1, 2, 3, 7, 64, 1000] {
        let Pair {
            mut peer,
            connection,
            ..
        } = pair(pipe_bytes);
        let mut expected = Vec::new();
        for size in (0..200).chain([65_535, 65_536]) {
            let payload = vec![size as u8; size];
            match size {
                0..126 => expected.extend([0x81, size as u8]),
                126..65_536 => expected.extend([0x81, 126, (size >> 8) as u8, size as u8]),
                _ => expected.extend([0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
            }
            expected.extend(&payload);
            let frame = OutgoingFrame::text(payload.into(), QueueClass::Message(None));
            assert_eq!(connection.push(frame, 0), PushOutcome::Queued);
            connection.flush();
        }
        let mut written = vec![0; expected.len()];
        peer.read_exact(&mut written).await.unwrap();
        assert!(written == expected, "pipe of {pipe_bytes} bytes");
        connection.ping(Bytes::from_static(b"x"));
        connection.flush();
        peer.read_exact(&mut written[..3]).await.unwrap();
        assert_eq!(
            (&written[..3], connection.backlog()),
            (&[0x89, 1, b'x'][..], (0, 0))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_aborted_reader_lets_the_socket_go_though_a_task_still_writes() {
    for polls in [0, 5] {
        let Pair {
            mut peer,
            connection,
            task,
            ..
        } = pair(16);
        let frame = OutgoingFrame::text(vec![b'x'; 100].into(), QueueClass::Answer);
        assert_eq!(connection.push(frame, 0), PushOutcome::Queued);
        connection.flush();
        for _ in 0..polls {
            tokio::task::yield_now().await;
        }
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        let mut rest = Vec::new();
        peer.read_to_end(&mut rest).await.unwrap();
        assert!(rest.len() <= 16 && connection.backlog() == (0, 0));
        // Only this test holds the connection: the writing task is gone too.
        while Arc::strong_count(&connection) > 1 {
            tokio::task::yield_now().await;
        }
    }
}

/// Pings of a client, with a mask of zeros.
fn pings(count: usize) -> Vec<u8> {
    [0x89, 0x80, 0, 0, 0, 0].repeat(count)
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_control_frames_is_closed_and_a_fast_pinger_is_not() {
    // The rate is 20: ten times as many are borne in each second, one more is not.
    for (bursts, ended) in [(&[200, 200][..], None), (&[201], Some(1008))] {
        let Pair {
            mut peer,
            connection,
            mut told,
            ..
        } = pair(1 << 20);
        for burst in bursts {
            peer.write_all(&pings(*burst)).await.unwrap();
            // Time passes only when everybody waits.
            tokio::time::advance(Duration::from_secs(1)).await;
            tokio::task::yield_now().await;
        }
        let ignored: u64 = bursts.iter().map(|burst| *burst as u64 - 20).sum();
        while connection.controls_ignored() < ignored {
            tokio::task::yield_now().await;
        }
        let code = match told.try_recv() {
            Ok(ConnectionEnd::Us(code)) => Some(code.code()),
            Ok(ConnectionEnd::Peer(_) | ConnectionEnd::Lost) | Err(_) => None,
        };
        assert_eq!(code, ended, "{bursts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_behind_our_close_is_not_read_to_its_end() {
    let Pair {
        mut peer,
        connection,
        task,
        ..
    } = pair(1 << 16);
    let begin = Instant::now();
    connection.close(CloseCode::Restart);
    let flood = pings(10_000);
    let mut written = 0;
    // It ends with an error as soon as the socket is released.
    while peer.write_all(&flood).await.is_ok() {
        written += flood.len();
        assert!(written < 2 * DISCARD_BYTES_MAX, "somebody reads all of it");
    }
    assert!(written >= DISCARD_BYTES_MAX / 2, "{written}");
    task.await.unwrap();
    assert!(begin.elapsed() < CLOSE_WAIT, "it did not wait for the end");
}
