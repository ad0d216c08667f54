//! When a silent peer is gone, and when it only looks so.

use protocol::CloseCode;
use router_core::session::SessionInput;

use crate::talk::message;
use crate::world::{Event, World};

const HEARTBEAT_MS: u64 = 25_000;

#[test]
fn bytes_are_a_sign_of_life_however_long_the_frame_takes() {
    let mut w = World::plain();
    let (slow, silent) = (w.join(None), w.join(None));
    // 200 KB at 3.5 KB/s: nearly a minute without a whole frame.
    for _ in 0..60 {
        w.pass(1000);
        let at_ms = w.now_ms;
        if w.conns[&slow].open {
            w.input(slow, SessionInput::Moved { at_ms });
        }
    }
    assert_eq!(w.closed(slow), None);
    assert_eq!(w.closed(silent), Some(CloseCode::Timeout));
    let last_ms = w.now_ms;
    w.pass(2 * HEARTBEAT_MS - 1);
    assert_eq!(w.closed(slow), None);
    w.pass(1);
    assert_eq!(w.closed(slow), Some(CloseCode::Timeout));
    assert_eq!(w.now_ms, last_ms + 2 * HEARTBEAT_MS);
}

#[test]
fn bytes_that_came_before_what_was_heard_change_nothing() {
    let mut w = World::plain();
    let phone = w.join(None);
    w.pass(1000);
    w.input(phone, SessionInput::Alive);
    w.input(
        phone,
        SessionInput::Moved {
            at_ms: w.now_ms - 900,
        },
    );
    w.pass(2 * HEARTBEAT_MS - 1);
    assert_eq!(w.closed(phone), None);
}

#[test]
fn after_a_pause_every_peer_is_asked_before_it_is_judged() {
    let mut w = World::plain();
    let (healthy, half_open) = (w.join(Some("phone")), w.join(None));
    w.pass_alive(30_000);
    // The process stands still for a minute: nobody is woken meanwhile.
    w.now_ms += 60_000;
    let from = w.log.len();
    for key in [healthy, half_open] {
        w.input(key, SessionInput::Resumed);
    }
    let asked = |key| w.log[from..].contains(&Event::Ping(key));
    assert!(asked(healthy) && asked(half_open));
    w.pass(1000);
    w.input(healthy, SessionInput::Alive);
    assert_eq!((w.closed(healthy), w.closed(half_open)), (None, None));
    w.pass(HEARTBEAT_MS - 1001);
    assert_eq!(w.closed(half_open), None, "it has one heartbeat");
    w.pass(1);
    assert_eq!(w.closed(half_open), Some(CloseCode::Timeout));
    w.take(healthy);
    assert_eq!(
        w.ask(healthy, message("phone", "hi")),
        ["recipient_offline"]
    );
}

#[test]
fn after_a_pause_a_credential_that_came_meanwhile_counts() {
    let mut w = World::plain();
    let late = w.arrive(None, None);
    w.now_ms += 60_000;
    w.input(late, SessionInput::Resumed);
    w.pass(1);
    assert_eq!(w.closed(late), None);
    w.pass(10_000);
    assert_eq!(w.closed(late), Some(CloseCode::Timeout), "none came");
}

#[test]
fn who_was_heard_a_moment_before_the_pause_is_not_asked() {
    let mut w = World::plain();
    let phone = w.join(None);
    w.input(phone, SessionInput::Alive);
    let from = w.log.len();
    w.now_ms += 2000;
    w.input(phone, SessionInput::Resumed);
    assert!(!w.log[from..].contains(&Event::Ping(phone)));
}
