use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::ws::{QueueClass, split_plain};

/// Round trips: of a frame that is left behind in one of a thousand, some are.
const ROUNDS: usize = 20_000;
const PATIENCE: Duration = Duration::from_secs(5);

/// The peer, our end, and the bytes that this one has written.
async fn pair() -> (TcpStream, Arc<Connection>, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (peer, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (_, half) = split_plain(accepted.unwrap().0);
    let limits = WriteLimits {
        bytes: 1 << 20,
        frames: 4096,
        budget: Budget::new(1 << 20, None),
    };
    let written = Arc::new(AtomicU64::new(0));
    let counter = Counter::from_arc(Arc::clone(&written));
    (
        peer.unwrap(),
        Connection::new(half, limits, Arc::new(counter)),
        written,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_pushed_while_the_kernel_is_asked_is_written() {
    let (mut peer, connection, written) = pair().await;
    let stop = Arc::new(AtomicBool::new(false));
    let asking = tokio::task::spawn_blocking({
        let (connection, stop) = (Arc::clone(&connection), Arc::clone(&stop));
        move || {
            while !stop.load(Ordering::Relaxed) {
                assert!(connection.ends().is_some());
            }
        }
    });
    let mut frame = [0; 6];
    let mut left_behind = None;
    for round in 0..ROUNDS {
        let text = Bytes::from_static(b"ping");
        let pushed = connection.push(OutgoingFrame::text(text, QueueClass::Answer), 0);
        assert_eq!(pushed, PushOutcome::Queued);
        connection.flush();
        if timeout(PATIENCE, peer.read_exact(&mut frame))
            .await
            .is_err()
        {
            left_behind = Some(round);
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    asking.await.unwrap();
    assert_eq!(left_behind, None, "a frame waits and nobody writes it");
    let bytes = frame.len() * ROUNDS;
    assert_eq!(written.load(Ordering::Relaxed), bytes as u64);
}
