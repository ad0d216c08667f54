//! BND-1: every limit that layer 1 keeps, at it and above it; floods of each kind.

use protocol::limits::{DEDUPE_MS, LIST_BYTES_MAX, LIST_MAX, PRESENCE_FLUSH_MS};
use protocol::{CloseCode, Limits};
use serde_json::{Value, json};

use crate::talk::{about, alice, key, message, register};
use crate::world::World;

fn limits() -> Limits {
    Limits::default()
}

#[test]
fn bots_of_a_socket() {
    let mut w = World::limited(Limits {
        bots_per_socket: 3,
        ..limits()
    });
    let bot = w.join_bot(&["bot_1", "bot_2", "bot_3"]);
    assert_eq!(w.ask(bot, register("bot_4")), ["quota_exceeded"]);
    assert_eq!(
        w.ask(bot, register("bot_3")),
        ["bot_registered"],
        "again is no more"
    );
    assert_eq!(
        w.ask(bot, about("unregister_bot", "bot_1")),
        ["bot_unregistered"]
    );
    assert_eq!(w.ask(bot, register("bot_4")), ["bot_registered"]);
}

#[test]
fn bots_of_a_socket_while_the_store_is_slow() {
    let mut w = World::limited(Limits {
        bots_per_socket: 2,
        ..limits()
    });
    let bot = w.join(None);
    w.prompt = false;
    assert!(w.ask(bot, register("bot_1")).is_empty());
    assert!(w.ask(bot, register("bot_2")).is_empty());
    assert_eq!(w.ask(bot, register("bot_3")), ["quota_exceeded"]);
}

#[test]
fn registering_again_takes_no_place_of_another_bot() {
    let mut w = World::limited(Limits {
        bots_per_socket: 2,
        ..limits()
    });
    let bot = w.join_bot(&["bot_1"]);
    w.prompt = false;
    assert!(w.ask(bot, register("bot_1")).is_empty());
    assert!(w.ask(bot, register("bot_2")).is_empty());
}

#[test]
fn bots_of_a_tenant_offline_ones_included() {
    let mut w = World::limited(Limits {
        bots_per_tenant: 3,
        ..limits()
    });
    let gone = w.join_bot(&["bot_1"]);
    w.drop_conn(gone);
    let bot = w.join_bot(&["bot_2", "bot_3"]);
    assert_eq!(w.ask(bot, register("bot_4")), ["quota_exceeded"]);
    assert_eq!(w.ask(bot, register("bot_1")), ["bot_registered"]);
    let other = w.arrive(Some(key("bob", 0)), None);
    w.told(other);
    assert_eq!(
        w.ask(other, register("bot_4")),
        ["bot_registered"],
        "each tenant has its own"
    );
}

#[test]
fn sockets_of_a_tenant() {
    let mut w = World::limited(Limits {
        sockets_per_tenant: 3,
        ..limits()
    });
    let first = w.join(None);
    w.join(None);
    w.join(None);
    let fourth = w.arrive(Some(key("alice", 0)), None);
    assert_eq!(
        w.told(fourth),
        ["connected", "auth_error", "quota_exceeded"]
    );
    assert_eq!(w.closed(fourth), Some(CloseCode::TryLater));
    w.drop_conn(first);
    w.join(None);
}

#[test]
fn sockets_that_wait_for_the_store() {
    let mut w = World::limited(Limits {
        sockets_per_tenant: 3,
        ..limits()
    });
    w.prompt = false;
    let conns: Vec<_> = (0..4)
        .map(|_| w.arrive(Some(key("alice", 0)), None))
        .collect();
    assert_eq!(
        w.told(conns[3]),
        ["connected", "auth_error", "quota_exceeded"]
    );
    w.answer(&alice(), false);
    for conn in &conns[..3] {
        assert_eq!(w.told(*conn), ["connected", "auth_ok", "bots_list"]);
    }
}

#[test]
fn messages_of_a_tenant() {
    let mut w = World::limited(Limits {
        messages_per_second: 10,
        messages_burst: 5,
        ..limits()
    });
    let bot = w.join_bot(&["bot_a"]);
    let conns = [w.join(None), w.join(None)];
    for i in 0..5 {
        assert_eq!(w.ask(conns[i % 2], message("bot_a", "hi")), ["delivered"]);
    }
    w.text(conns[0], message("bot_a", "hi").to_string());
    let told = w.take(conns[0]);
    assert_eq!(told[0]["data"]["reason"], "rate_limited");
    assert_eq!(told[0]["data"]["retryAfterMs"], 100);
    let typing = json!({"type": "typing", "data": {"to": "bot_a", "active": true}});
    assert!(
        w.ask(conns[1], typing).is_empty(),
        "best effort is dropped without a word"
    );
    assert_eq!(w.told(bot).len(), 5);
    w.now_ms += 100;
    assert_eq!(w.ask(conns[1], message("bot_a", "hi")), ["delivered"]);
    assert_eq!(w.ask(conns[1], message("bot_a", "hi")), ["rate_limited"]);
}

#[test]
fn frames_of_a_socket_of_whatever_kind() {
    let floods = [
        json!({"type": "ping"}),
        json!({"type": "list_bots"}),
        json!({"type": "nonsense"}),
        json!({"type": "status", "data": {"request": "bots"}}),
        about("subscribe", "bot_a"),
        about("unsubscribe", "bot_a"),
        message("bot_a", "hi"),
    ];
    for flood in floods {
        let mut w = World::limited(Limits {
            frames_per_second: 10,
            frames_burst: 15,
            ..limits()
        });
        w.join_bot(&["bot_a"]);
        let conn = w.join(None);
        for _ in 0..15 {
            assert_ne!(w.ask(conn, flood.clone()), ["rate_limited"], "{flood}");
        }
        assert_eq!(w.ask(conn, flood.clone()), ["rate_limited"], "{flood}");
        let partial = json!({"type": "message_partial",
            "data": {"to": "bot_a", "streamId": "s", "seq": 1, "text": ""}});
        assert!(w.ask(conn, partial).is_empty());
        w.now_ms += 100;
        assert_ne!(w.ask(conn, flood.clone()), ["rate_limited"], "{flood}");
        let other = w.join(None);
        assert_ne!(
            w.ask(other, flood),
            ["rate_limited"],
            "another socket has its own"
        );
    }
}

#[test]
fn registrations_of_a_socket() {
    let mut w = World::limited(Limits {
        registers_per_second: 1,
        registers_burst: 2,
        ..limits()
    });
    let bot = w.join_bot(&["bot_a"]);
    assert_eq!(
        w.ask(bot, about("unregister_bot", "bot_a")),
        ["bot_unregistered"]
    );
    assert_eq!(w.ask(bot, register("bot_a")), ["rate_limited"]);
    w.now_ms += 1000;
    assert_eq!(w.ask(bot, register("bot_a")), ["bot_registered"]);
}

#[test]
fn subscriptions_of_a_socket() {
    let mut w = World::limited(Limits {
        bots_per_tenant: 2,
        ..limits()
    });
    let phone = w.join(None);
    for bot in ["bot_1", "bot_2", "bot_3"] {
        let home = w.join_bot(&[bot]);
        let expected = if bot == "bot_3" {
            "quota_exceeded"
        } else {
            "subscribed"
        };
        assert_eq!(w.ask(phone, about("subscribe", bot)), [expected]);
        assert_eq!(
            w.ask(home, about("unregister_bot", bot)),
            ["bot_unregistered"]
        );
    }
}

#[test]
fn pages_of_bots_by_count_and_by_bytes() {
    let mut w = World::limited(Limits {
        registers_burst: 1000,
        bots_per_socket: 300,
        ..limits()
    });
    let bot = w.join(None);
    let description = "d".repeat(1024);
    for i in 0..300 {
        let data = json!({"botId": format!("bot_{i:03}"), "description": description});
        w.text(
            bot,
            json!({"type": "register_bot", "data": data}).to_string(),
        );
    }
    w.pass(PRESENCE_FLUSH_MS);
    w.take(bot);
    let (mut seen, mut cursor, mut pages) = (Vec::new(), None::<Value>, 0);
    loop {
        let data = json!({"limit": LIST_MAX, "cursor": cursor, "requestId": "r"});
        let from = w.log.len();
        w.text(bot, json!({"type": "list_bots", "data": data}).to_string());
        let bytes = w.frame_bytes(from);
        assert!(bytes <= LIST_BYTES_MAX, "a page of {bytes} bytes");
        let page = w.take(bot).remove(0);
        let bots = page["data"]["bots"].as_array().unwrap();
        seen.extend(bots.iter().map(|it| it["id"].as_str().unwrap().to_owned()));
        assert_eq!(page["data"]["requestId"], "r");
        (cursor, pages) = (page["data"].get("nextCursor").cloned(), pages + 1);
        if cursor.is_none() {
            break;
        }
    }
    assert!(
        pages > 1 && seen.len() == 300 && seen.is_sorted(),
        "{pages} pages"
    );
    for (limit, expected) in [(0, "bad_frame"), (1, "bots_list"), (1001, "bad_frame")] {
        let list = json!({"type": "list_bots", "data": {"limit": limit}});
        assert_eq!(w.ask(bot, list), [expected]);
    }
}

#[test]
fn clients_that_are_remembered() {
    let mut w = World::limited(Limits {
        clients_per_tenant: 5,
        ..limits()
    });
    let desk = w.join(Some("desk"));
    let back = w.join(Some("back"));
    w.drop_conn(back);
    w.join(Some("back"));
    for i in 0..4 {
        let conn = w.join(Some(&format!("client{i}")));
        w.drop_conn(conn);
        w.now_ms += 1;
    }
    let gone = "the least recently seen";
    assert_eq!(
        w.ask(desk, message("client0", "hi")),
        ["bot_not_found"],
        "{gone}"
    );
    assert_eq!(w.ask(desk, message("client1", "hi")), ["recipient_offline"]);
    assert_eq!(w.ask(desk, message("back", "hi")), ["delivered"]);
    assert_eq!(
        w.snapshot(&alice()).clients.len(),
        5,
        "the store keeps as many"
    );
}

#[test]
fn idempotency_keys_for_ten_minutes() {
    let mut w = World::plain();
    let (bot, phone) = (w.join_bot(&["bot_a"]), w.join(None));
    let once = json!({"type": "message", "data": {"to": "bot_a", "messageId": "k", "text": "hi"}});
    assert_eq!(w.ask(phone, once.clone()), ["delivered"]);
    w.pass_alive(DEDUPE_MS - 1);
    assert_eq!(w.told(phone), ["online"]);
    assert_eq!(w.ask(phone, once.clone()), ["duplicate"]);
    assert_eq!(w.ask(phone, message("bot_a", "another")), ["delivered"]);
    assert_eq!(w.told(bot), ["hi", "another"]);
    w.pass(1);
    assert_eq!(w.ask(phone, once.clone()), ["delivered"]);
    w.conns.get_mut(&bot).unwrap().capacity = 0;
    let refused = json!({"type": "message", "data": {"to": "bot_a", "messageId": "k2"}});
    assert_eq!(w.ask(phone, refused.clone()), ["recipient_busy"]);
    w.conns.get_mut(&bot).unwrap().capacity = 9;
    assert_eq!(
        w.ask(phone, refused),
        ["delivered"],
        "what no queue took may be repeated"
    );
}

#[test]
fn a_busy_recipient_is_its_senders_to_know() {
    let mut w = World::plain();
    let (bot, phone) = (w.join_bot(&["bot_a"]), w.join(None));
    w.conns.get_mut(&bot).unwrap().capacity = 2;
    for expected in ["delivered", "delivered", "recipient_busy", "recipient_busy"] {
        assert_eq!(w.ask(phone, message("bot_a", "hi")), [expected]);
    }
    w.read(bot);
    assert_eq!(w.ask(phone, message("bot_a", "hi")), ["delivered"]);
}
