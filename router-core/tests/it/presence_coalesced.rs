//! Who is told of bots that come and go, when, and how often.

use protocol::limits::{PRESENCE_FANOUT_MAX, PRESENCE_FLUSH_MS};
use protocol::{CloseCode, Limits};
use router_core::ConnKey;
use router_core::auth::TokenScope;
use serde_json::json;

use crate::talk::{about, register, token};
use crate::world::{START_MS, World};

#[test]
fn the_newest_state_is_told_once_after_a_tenth_of_a_second() {
    let mut w = World::plain();
    let phone = w.join(Some("phone"));
    let first = w.join_bot(&["bot_a"]);
    w.drop_conn(first);
    w.join_bot(&["bot_a"]);
    w.pass(PRESENCE_FLUSH_MS - 1);
    assert!(w.told(phone).is_empty());
    w.pass(1);
    assert_eq!(w.told(phone), ["online"]);
    w.pass(10 * PRESENCE_FLUSH_MS);
    assert!(w.told(phone).is_empty());
}

#[test]
fn a_socket_that_holds_bots_is_told_of_those_it_named_only() {
    let mut w = World::plain();
    let bot = w.join_bot(&["bot_a", "bot_b"]);
    w.pass(PRESENCE_FLUSH_MS);
    assert!(w.told(bot).is_empty());
    let other = w.join_bot(&["bot_c", "bot_d"]);
    assert_eq!(w.ask(bot, about("subscribe", "bot_c")), ["subscribed"]);
    w.pass(PRESENCE_FLUSH_MS);
    let told = w.take(bot);
    assert_eq!(
        (told.len(), &told[0]["data"]["botId"]),
        (1, &json!("bot_c"))
    );
    assert_eq!(w.ask(bot, about("unsubscribe", "bot_c")), ["unsubscribed"]);
    w.drop_conn(other);
    w.pass(PRESENCE_FLUSH_MS);
    assert!(w.told(bot).is_empty());
}

#[test]
fn nobody_is_told_of_bots_they_may_not_see() {
    let mut w = World::plain();
    let credential = token(TokenScope::Chat, Some(&["bot_a"]), START_MS, 3600);
    let phone = w.arrive(Some(credential), None);
    let bot = w.join_bot(&["bot_a", "bot_b"]);
    w.told(phone);
    w.pass(PRESENCE_FLUSH_MS);
    let told = w.take(phone);
    assert_eq!(
        (told.len(), &told[0]["data"]["botId"]),
        (1, &json!("bot_a"))
    );
    assert_eq!(w.ask(phone, about("subscribe", "bot_b")), ["bot_not_found"]);
    assert_eq!(w.ask(phone, about("subscribe", "bot_z")), ["bot_not_found"]);
    w.text(phone, r#"{"type":"list_bots"}"#);
    assert_eq!(
        w.take(phone)[0]["data"]["bots"].as_array().unwrap().len(),
        1
    );
    assert_eq!(
        w.ask(phone, about("unsubscribe", "bot_a")),
        ["unsubscribed"]
    );
    w.drop_conn(bot);
    w.pass(PRESENCE_FLUSH_MS);
    assert!(w.told(phone).is_empty(), "it wants no more of it");
}

#[test]
fn a_full_queue_is_owed_the_newest_state() {
    let mut w = World::plain();
    let (slow, quick) = (w.join(Some("slow")), w.join(Some("quick")));
    w.set_capacity(slow, 0);
    let bot = w.join_bot(&["bot_a", "bot_b"]);
    w.pass(PRESENCE_FLUSH_MS);
    w.text(bot, about("unregister_bot", "bot_a").to_string());
    w.pass(PRESENCE_FLUSH_MS);
    assert_eq!(w.told(quick), ["online", "online", "offline"]);
    assert!(w.told(slow).is_empty());
    w.set_capacity(slow, 9);
    assert_eq!(
        w.told(slow),
        ["online", "offline"],
        "in the order of the changes"
    );
    w.pass(PRESENCE_FLUSH_MS);
    assert!(w.told(slow).is_empty() && w.told(quick).is_empty());
}

#[test]
fn a_full_queue_is_owed_nothing_that_it_unsubscribed_from() {
    let mut w = World::plain();
    let slow = w.join(Some("slow"));
    w.set_capacity(slow, 0);
    w.join_bot(&["bot_a", "bot_b"]);
    w.pass(PRESENCE_FLUSH_MS);
    assert_eq!(w.ask(slow, about("unsubscribe", "bot_a")), ["unsubscribed"]);
    assert_eq!(w.ask(slow, register("bot_c")), ["bot_registered"]);
    w.set_capacity(slow, 9);
    assert!(
        w.told(slow).is_empty(),
        "nor of any once it holds a bot itself"
    );
}

#[test]
fn a_large_fan_out_is_cut_into_holds_of_the_lock() {
    let mut w = World::plain();
    let phones: Vec<ConnKey> = (0..600).map(|_| w.join(Some("phone"))).collect();
    w.join_bot(&["bot_a", "bot_b"]);
    let before = w.log.len();
    w.now_ms += PRESENCE_FLUSH_MS;
    w.wake_shard();
    let told = w.log.len() - before;
    assert!(
        (1..=PRESENCE_FANOUT_MAX).contains(&told),
        "{told} frames in one hold"
    );
    w.pass(0);
    for phone in phones {
        assert_eq!(w.told(phone), ["online", "online"]);
    }
}

#[test]
fn what_many_sockets_are_owed_is_cut_too() {
    let mut w = World::plain();
    let phones: Vec<ConnKey> = (0..600).map(|_| w.join(Some("phone"))).collect();
    for phone in &phones {
        w.set_capacity(*phone, 0);
    }
    // One phone is owed more than one hold tells.
    let bots: Vec<String> = (0..400).map(|i| format!("bot_{i:03}")).collect();
    for some in bots.chunks(50) {
        w.join_bot(&some.iter().map(String::as_str).collect::<Vec<_>>());
    }
    w.pass(PRESENCE_FLUSH_MS);
    let before = w.log.len();
    w.set_capacity(phones[0], usize::MAX);
    let told = w.log.len() - before;
    assert_eq!(told, PRESENCE_FANOUT_MAX, "frames in one hold");
    w.pass(0);
    assert_eq!(w.told(phones[0]).len(), 400);
    for phone in &phones[1..] {
        w.set_capacity(*phone, usize::MAX);
        w.pass(0);
        assert_eq!(w.told(*phone).len(), 400);
    }
}

/// 1,000 bots, watchers that do not read: nothing is pushed again before there is room.
#[test]
fn a_socket_without_room_is_asked_once() {
    let mut w = World::limited(Limits {
        registers_burst: 1000,
        bots_per_socket: 1000,
        ..Limits::default()
    });
    let slow: Vec<ConnKey> = (0..20).map(|_| w.join(Some("slow"))).collect();
    for key in &slow {
        w.set_capacity(*key, 0);
    }
    let bots: Vec<String> = (0..1000).map(|i| format!("bot_{i:03}")).collect();
    let host = w.join_bot(&bots.iter().map(String::as_str).collect::<Vec<_>>());
    w.drop_conn(host);
    w.pass(100 * PRESENCE_FLUSH_MS);
    for key in &slow {
        assert_eq!(w.conns[key].pushes, 1);
        w.set_capacity(*key, usize::MAX);
        w.pass(0);
        assert_eq!(w.told(*key).len(), 1000, "each bot's newest state, once");
    }
}

#[test]
fn a_socket_that_is_too_far_behind_is_closed() {
    let mut w = World::limited(Limits {
        bots_per_tenant: 2,
        registers_burst: 100,
        ..Limits::default()
    });
    let (slow, quick) = (w.join(Some("slow")), w.join(Some("quick")));
    w.set_capacity(slow, 0);
    let host = w.join(Some("host"));
    for i in 0..5 {
        let bot = format!("bot_{i}");
        assert_eq!(w.closed(slow), None, "after {i} bots");
        assert_eq!(w.ask(host, register(&bot)), ["bot_registered"]);
        assert_eq!(
            w.ask(host, about("unregister_bot", &bot)),
            ["bot_unregistered"]
        );
        w.pass(PRESENCE_FLUSH_MS);
    }
    assert_eq!(w.closed(slow), Some(CloseCode::SlowConsumer));
    assert_eq!((w.closed(quick), w.told(quick).len()), (None, 5));
}
