use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::limits::{UNAUTHENTICATED_MAX, UNAUTHENTICATED_PER_SOURCE};
use router_core::auth::Source;

use super::limits::{GateLimits, GateRefusal};
use super::sockets::{DISPLACED_MAX, EnteredSocket, Gate, OpenGuard};

fn ip(last: u8) -> IpAddr {
    IpAddr::from([127, 0, 0, last])
}

fn source(text: &str) -> Source {
    Source::of(text.parse().unwrap())
}

fn gate(sockets: usize, unauthenticated: usize, per_source: usize) -> Arc<Gate> {
    Gate::new(GateLimits {
        sockets,
        unauthenticated,
        per_source,
    })
}

fn enter(gate: &Arc<Gate>, last: u8) -> Result<OpenGuard, GateRefusal> {
    gate.enter(ip(last), false).map(|entered| entered.open)
}

/// The source of the one that made room, if one had to.
fn displaced_by(gate: &Arc<Gate>, last: u8) -> (OpenGuard, Option<Source>) {
    let EnteredSocket { open, displaced } = gate.enter(ip(last), false).unwrap();
    (open, displaced)
}

#[test]
fn the_share_is_a_quarter_and_one_source_has_half_of_it() {
    for (sockets, unauthenticated, per_source) in [
        (1, 1, 1),
        (64, 16, 8),
        (768, 192, 96),
        (4096, 1024, 256),
        (1_000_000, UNAUTHENTICATED_MAX, UNAUTHENTICATED_PER_SOURCE),
    ] {
        let limits = GateLimits::public(sockets);
        assert_eq!(
            (limits.unauthenticated, limits.per_source),
            (unauthenticated, per_source),
            "{sockets}"
        );
    }
}

#[test]
fn one_source_has_its_limit_until_they_authenticate_or_go() {
    let gate = gate(usize::MAX, 100, 3);
    let held: Vec<_> = (0..3).map(|_| enter(&gate, 1).unwrap()).collect();
    assert_eq!(enter(&gate, 1).err(), Some(GateRefusal::Source));
    assert!(enter(&gate, 2).is_ok());
    assert!(gate.enter(ip(1), true).is_ok(), "a proxy speaks for many");
    held[0].authenticated();
    let next = enter(&gate, 1).unwrap();
    assert_eq!(enter(&gate, 1).err(), Some(GateRefusal::Source));
    drop(next);
    assert!(enter(&gate, 1).is_ok());
    drop(held);
    let unauthenticated = gate.unauthenticated();
    assert!(unauthenticated.sources.is_empty() && unauthenticated.ranks.is_empty());
    assert!(unauthenticated.sockets.is_empty());
}

#[test]
fn a_full_share_displaces_the_oldest_of_the_largest_source() {
    let gate = gate(100, 5, 3);
    let entered: Vec<_> = [1, 2, 3, 2, 3]
        .map(|from| enter(&gate, from).unwrap())
        .into_iter()
        .collect();
    // 2 and 3 have two each; 2 has the older one.
    let (_fourth, displaced) = displaced_by(&gate, 4);
    assert_eq!(displaced, Some(source("127.0.0.2")));
    let (_fifth, displaced) = displaced_by(&gate, 5);
    assert_eq!(displaced, Some(source("127.0.0.3")));
    // Now everybody has one.
    let (_sixth, displaced) = displaced_by(&gate, 6);
    assert_eq!(displaced, Some(source("127.0.0.1")));
    // What is displaced counts as open until it is gone, and goes without a trace.
    assert_eq!(gate.sockets.load(Ordering::Relaxed), 8);
    drop(entered);
    assert_eq!(gate.unauthenticated().sockets.len(), 3);
}

#[test]
fn authenticated_sockets_keep_their_places() {
    let gate = gate(2, 2, 2);
    let (one, two) = (enter(&gate, 1).unwrap(), enter(&gate, 1).unwrap());
    one.authenticated();
    let (three, displaced) = displaced_by(&gate, 2);
    assert_eq!(displaced, Some(source("127.0.0.1")), "not the first");
    drop(two);
    three.authenticated();
    assert_eq!(enter(&gate, 3).err(), Some(GateRefusal::Full));
    drop(three);
    assert!(enter(&gate, 3).is_ok());
    drop(one);
}

#[test]
fn displaced_sockets_that_do_not_go_are_bounded() {
    let gate = gate(1, 1, 1);
    let held: Vec<_> = (0..=DISPLACED_MAX)
        .map(|i| enter(&gate, i as u8).unwrap())
        .collect();
    assert_eq!(enter(&gate, 200).err(), Some(GateRefusal::Full));
    drop(held);
    assert!(enter(&gate, 200).is_ok());
}

#[test]
fn behind_a_proxy_the_named_source_counts() {
    let gate = gate(100, 100, 2);
    let proxied = || gate.enter(ip(9), true).unwrap().open;
    let (one, other) = (source("192.0.2.1"), source("192.0.2.2"));
    let held = [proxied(), proxied(), proxied()];
    assert_eq!(held[0].comes_from(one), Ok(()));
    assert_eq!(held[1].comes_from(one), Ok(()));
    assert_eq!(held[1].comes_from(one), Ok(()), "twice is once");
    assert_eq!(held[2].comes_from(one), Err(GateRefusal::Source));
    assert_eq!(held[2].comes_from(other), Ok(()));
    held[0].authenticated();
    assert_eq!(held[0].comes_from(other), Ok(()), "it counts no more");
    assert_eq!(proxied().comes_from(one), Ok(()));
    let nobody_named = source("127.0.0.9");
    let through: Vec<_> = (0..5).map(|_| proxied()).collect();
    let counted: Vec<_> = through
        .iter()
        .map(|open| open.comes_from(nobody_named))
        .collect();
    assert_eq!(counted, [Ok(()); 5], "the proxy itself has no limit");
}

#[tokio::test]
async fn the_task_of_a_displaced_socket_is_aborted() {
    let gate = gate(10, 1, 1);
    let first = enter(&gate, 1).unwrap();
    let accepting = tokio::spawn(std::future::pending::<()>());
    let talking = tokio::spawn(std::future::pending::<()>());
    first.handed_to(talking.abort_handle());
    first.served_by(accepting.abort_handle());
    let _second = enter(&gate, 2).unwrap();
    assert!(talking.await.unwrap_err().is_cancelled());
    assert!(!accepting.is_finished());
    accepting.abort();
}
