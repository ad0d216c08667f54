//! What the bearers of one client's tokens may do: a quarter of their tenant's rates together.

use protocol::Limits;
use router_core::Capabilities;
use serde_json::Value;

use crate::talk::{key, message};
use crate::weights::{phone, text_of, until_limited};
use crate::world::World;

#[test]
fn sockets_of_a_token() {
    let mut w = World::plain();
    let mut last = None;
    for number in 0..80 {
        let socket = w.arrive(Some(phone()), None);
        let told = w.told(socket);
        match number < 32 {
            true => assert_eq!(told, ["connected", "auth_ok", "bots_list"], "{number}"),
            false => assert_eq!(told, ["connected", "auth_error", "quota_exceeded"]),
        }
        last = (number < 32).then_some(socket).or(last);
    }
    w.join(Some("desk"));
    w.join(Some("phone"));
    w.drop_conn(last.unwrap());
    let full = w.arrive(Some(phone()), None);
    assert_eq!(
        w.told(full).last().unwrap(),
        "quota_exceeded",
        "the key's socket counts too"
    );
}

#[test]
fn calls_of_a_token() {
    let mut w = World::limited(Limits {
        waits_per_tenant: 8,
        ..Limits::default()
    });
    for expected in [true, true, false] {
        let call = w.calls_with(phone(), Capabilities::call(), None);
        assert_eq!(w.take(call).is_empty(), expected);
    }
    for _ in 0..9 {
        let call = w.calls_with(key("alice", 0), Capabilities::call(), Some("phone"));
        assert_eq!(w.take(call), [] as [Value; 0]);
    }
}

#[test]
fn a_token_has_a_quarter_of_the_rates() {
    let mut w = World::limited(Limits {
        messages_per_second: 4,
        messages_burst: 400,
        bytes_per_second: 4000,
        bytes_burst: 400_000,
        joins_per_second: 4,
        joins_burst: 40,
        ..Limits::default()
    });
    w.join_bot(&["bot_a"]);
    let sockets: Vec<_> = (0..4).map(|_| w.arrive(Some(phone()), None)).collect();
    for socket in &sockets {
        assert_eq!(w.told(*socket), ["connected", "auth_ok", "bots_list"]);
    }
    let sent: usize = sockets
        .iter()
        .map(|socket| until_limited(&mut w, *socket, &message("bot_a", "hi")))
        .sum();
    assert_eq!(sent, 100, "all of its sockets together");
    let call = w.calls_with(phone(), Capabilities::call(), None);
    assert_eq!(w.told(call).last().unwrap(), "rate_limited");
    let desk = w.join(Some("desk"));
    for _ in 0..290 {
        assert_eq!(w.ask(desk, message("bot_a", "hi")), ["delivered"]);
    }
    for socket in sockets {
        w.drop_conn(socket);
    }
    w.now_ms += 1000;
    let back = w.arrive(Some(phone()), None);
    w.told(back);
    let sent = until_limited(&mut w, back, &message("bot_a", "hi"));
    assert_eq!(sent, 1, "to come again gives no more");
    w.now_ms += 100_000;
    let large = message("bot_a", &text_of(60_000));
    assert_eq!(until_limited(&mut w, back, &large), 2, "100,000 bytes");
    let joined = (0..40).take_while(|_| {
        let socket = w.arrive(Some(phone()), None);
        let told = w.told(socket);
        w.drop_conn(socket);
        told.last().unwrap() == "bots_list"
    });
    assert_eq!(joined.count(), 10);
    w.join(Some("desk"));
}
