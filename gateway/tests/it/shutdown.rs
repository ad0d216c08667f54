//! Going away: the short drain, and the second signal.

use std::time::{Duration, Instant};

use backplane::StoreFault;
use gateway::RunError;
use tokio::time::timeout;

use crate::harness::{SOON, Server, message};
use crate::stalled::fill;

async fn ended(server: &mut Server) {
    result(server).await.unwrap();
}

async fn result(server: &mut Server) -> Result<(), RunError> {
    let ended = timeout(SOON, &mut server.running).await;
    ended.expect("within 5 s").unwrap()
}

#[tokio::test]
async fn a_part_that_panics_ends_it_rather_than_to_serve_half() {
    let fault: StoreFault = Box::new(|_| panic!("planted"));
    let mut server = Server::start_faulty(|_| {}, Some(fault)).await;
    let _waits = server.open("/ws", Some(&server.key("alice"))).await;
    let ended = timeout(SOON, &mut server.running).await;
    let ended = ended.expect("within 5 s").expect("run itself is well");
    assert!(ended.is_err(), "whoever supervises it has to know");
}

#[tokio::test]
async fn everybody_is_told_and_closed() {
    let mut server = Server::start().await;
    let phone = server.client("alice", "phone").await;
    let mut nobody = server.open("/ws", None).await;
    nobody.expect("status").await;
    let begun = Instant::now();
    server.shutdown.begin();
    for mut socket in [phone, nobody] {
        let migrate = socket.expect("migrate").await;
        assert_eq!(migrate["data"]["reason"], "restart");
        assert_eq!(migrate["data"]["reconnectWithinMs"], 5000);
        assert_eq!(socket.closed().await, 1012);
    }
    ended(&mut server).await;
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "nobody was slow: {:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn what_waits_is_flushed_but_no_message_is_taken() {
    let mut server = Server::start().await;
    let mut tablet = server.narrow("alice", "tablet").await;
    let mut phone = server.client("alice", "phone").await;
    let sent = fill(&mut phone, "tablet").await;
    server.shutdown.begin();
    phone.expect("migrate").await;
    phone
        .refused(message("tablet", "one more"), "draining")
        .await;
    assert_eq!(
        phone.ask(r#"{"type":"ping"}"#).await["type"],
        "pong",
        "the rest goes on"
    );
    for _ in 0..sent {
        assert_eq!(tablet.expect("message").await["data"]["from"], "phone");
    }
    tablet.expect("migrate").await;
    assert_eq!((tablet.closed().await, phone.closed().await), (1012, 1012));
    ended(&mut server).await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_holds_nobody_up_for_five_seconds() {
    let mut server = Server::start().await;
    let _tablet = server.narrow("alice", "tablet").await;
    let mut phone = server.client("alice", "phone").await;
    fill(&mut phone, "tablet").await;
    server.shutdown.begin();
    assert_eq!(phone.closed().await, 1012);
    ended(&mut server).await;
}

#[tokio::test]
async fn the_second_signal_ends_it_now() {
    let mut server = Server::start().await;
    let _tablet = server.narrow("alice", "tablet").await;
    let mut phone = server.client("alice", "phone").await;
    fill(&mut phone, "tablet").await;
    server.shutdown.begin();
    phone.expect("migrate").await;
    let begun = Instant::now();
    server.shutdown.begin();
    let error = result(&mut server).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the drain is cut short: the second signal"
    );
    assert!(
        begun.elapsed() < Duration::from_millis(500),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(phone.closed().await, 1012);
}
