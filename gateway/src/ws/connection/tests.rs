use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::ws::{QueueClass, split_plain};

/// Round trips: of a frame that is left behind in one of a thousand, some are.
const ROUNDS: usize = 20_000;
const PATIENCE: Duration = Duration::from_secs(5);

async fn pair() -> (TcpStream, Arc<Connection>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (peer, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (_, half) = split_plain(accepted.unwrap().0);
    let limits = WriteLimits {
        bytes: 1 << 20,
        frames: 4096,
        budget: Budget::new(1 << 20, None),
    };
    (peer.unwrap(), Connection::new(half, limits))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_pushed_while_the_kernel_is_asked_is_written() {
    let (mut peer, connection) = pair().await;
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
}
