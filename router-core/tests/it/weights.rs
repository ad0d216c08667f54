//! What requests weigh in the rates, and what one client id may have of its tenant.

use std::sync::Arc;

use protocol::limits::{BYTES_PER_UNIT, LIST_DEFAULT, LIST_MAX};
use protocol::presence::ListBots;
use protocol::{CloseCode, Limits};
use router_core::Capabilities;
use router_core::ConnKey;
use router_core::auth::{Credential, TokenScope};
use router_core::session::{CallRequest, SessionInput};
use serde_json::{Value, json};

use crate::other_nodes::{OTHER, THIRD};
use crate::talk::{about, key, message, register, token};
use crate::world::{START_MS, World};

/// Bytes that weigh as much as one more message.
const UNIT: usize = BYTES_PER_UNIT as usize;

/// What a flood is answered: how often with something else than `rate_limited`, until it is that.
pub fn until_limited(w: &mut World, conn: ConnKey, frame: &Value) -> usize {
    let answers = (0..10_000).take_while(|_| {
        let told = w.ask(conn, frame.clone());
        !told.iter().any(|word| word == "rate_limited")
    });
    answers.count()
}

pub fn text_of(bytes: usize) -> String {
    "x".repeat(bytes)
}

pub fn phone() -> Credential {
    token(TokenScope::Chat, None, START_MS, 3600)
}

fn list_of(limit: u32) -> Value {
    json!({"type": "list_bots", "data": {"limit": limit}})
}

/// A tenant with so many bots whose entries are long.
fn crowd(limits: Limits, bots: usize) -> World {
    let mut w = World::limited(Limits {
        bots_per_socket: 1000,
        registers_burst: 1000,
        ..limits
    });
    let home = w.join(Some("home"));
    for i in 0..bots {
        let data = json!({"botId": format!("bot_{i}"), "description": text_of(900)});
        let frame = json!({"type": "register_bot", "data": data});
        assert_eq!(w.ask(home, frame), ["bot_registered"]);
    }
    w
}

#[test]
fn a_frame_weighs_its_bytes() {
    let limits = Limits {
        frames_per_second: 1,
        frames_burst: 60,
        ..Limits::default()
    };
    let overhead = message("bot_a", "").to_string().len();
    for (bytes, frames) in [(UNIT - 1, 60), (UNIT, 30), (5 * UNIT, 10), (60 * UNIT, 1)] {
        let mut w = World::limited(limits.clone());
        let conn = w.join(None);
        let frame = message("bot_a", &text_of(bytes - overhead));
        assert_eq!(until_limited(&mut w, conn, &frame), frames, "{bytes}");
    }
}

#[test]
fn a_list_weighs_the_bots_that_it_asks_for() {
    let limits = Limits {
        frames_per_second: 1,
        frames_burst: 100,
        ..Limits::default()
    };
    for (limit, lists) in [
        (1, 100),
        (LIST_DEFAULT, 100),
        (LIST_DEFAULT + 1, 50),
        (LIST_MAX, 10),
    ] {
        let mut w = World::limited(limits.clone());
        let conn = w.join(None);
        assert_eq!(
            until_limited(&mut w, conn, &list_of(limit)),
            lists,
            "{limit}"
        );
    }
}

#[test]
fn a_list_weighs_the_bytes_of_its_answer() {
    let limits = Limits {
        messages_per_second: 1,
        messages_burst: 100,
        frames_burst: 10_000,
        ..Limits::default()
    };
    for (bots, lists) in [(0, 100), (3, 100), (9, 50), (100, 8)] {
        let mut w = crowd(limits.clone(), bots);
        let conn = w.join(None);
        let counted = until_limited(&mut w, conn, &list_of(LIST_MAX));
        assert_eq!(counted, lists, "{bots} bots");
        let other = w.join(None);
        let told = w.ask(other, message("bot_0", "hi"));
        assert_eq!(told, ["rate_limited"], "the rate is the tenant's");
    }
}

#[test]
fn a_list_over_http_weighs_the_same() {
    let mut w = crowd(
        Limits {
            messages_per_second: 1,
            messages_burst: 100,
            ..Limits::default()
        },
        100,
    );
    let lists = (0..100).take_while(|_| {
        let conn = w.calls_with(key("alice", 0), Capabilities::call(), None);
        let list = ListBots {
            limit: Some(LIST_MAX),
            ..ListBots::default()
        };
        w.input(conn, SessionInput::Call(CallRequest::List(list)));
        w.told(conn) == ["bots_list"]
    });
    assert_eq!(lists.count(), 8);
}

#[test]
fn a_message_weighs_its_recipients() {
    for (devices, messages) in [(1, 1000), (2, 500), (10, 100), (1000, 1)] {
        let mut w = World::limited(Limits {
            messages_per_second: 1,
            messages_burst: 1000,
            frames_burst: 10_000,
            ..Limits::default()
        });
        let bot = w.join_bot(&["bot_a"]);
        for _ in 0..devices {
            w.join(Some("phone"));
        }
        let frame = message("phone", "hi");
        assert_eq!(until_limited(&mut w, bot, &frame), messages, "{devices}");
        // A debt is paid within the time that fills a burst.
        w.now_ms += 1_000_000;
        assert_eq!(w.ask(bot, frame), ["delivered"]);
    }
}

#[test]
fn bytes_of_a_tenant() {
    let mut w = World::limited(Limits {
        bytes_per_second: 1000,
        bytes_burst: 3000,
        ..Limits::default()
    });
    w.join_bot(&["bot_a"]);
    for _ in 0..2 {
        w.join(Some("phone"));
    }
    let (client, desk) = (w.join(None), w.join(Some("desk")));
    // A body is `"text":"…"`.
    let frame = message("bot_a", &text_of(1000 - 9));
    assert_eq!(until_limited(&mut w, client, &frame), 3);
    assert_eq!(
        w.ask(desk, message("bot_a", "hi")),
        ["rate_limited"],
        "all of it"
    );
    w.now_ms += 999;
    let tiny = message("bot_a", "");
    assert_eq!(w.ask(client, tiny.clone()), ["delivered"]);
    w.now_ms += 2001;
    let twice = message("phone", &text_of(1500 - 9));
    assert_eq!(w.ask(desk, twice), ["delivered"]);
    assert_eq!(
        w.ask(client, tiny),
        ["rate_limited"],
        "two devices, 3,000 bytes"
    );
}

#[test]
fn running_nodes_of_a_tenant_share_its_rate() {
    for (running, most) in [(1, 12), (2, 6), (3, 4), (4, 4)] {
        let mut w = World::limited(Limits {
            messages_per_second: 1,
            messages_burst: 12,
            ..Limits::default()
        });
        w.join_bot(&["bot_a"]);
        let client = w.join(Some("phone"));
        // Of two nodes there are entries, whether they run or not.
        w.far_conn(OTHER, "desk");
        w.far_conn(THIRD, "tv");
        Arc::make_mut(&mut w.nodes).running = running;
        let frame = message("bot_a", "hi");
        assert_eq!(until_limited(&mut w, client, &frame), most, "{running}");
    }
}

#[test]
fn joins_of_a_tenant() {
    let mut w = World::limited(Limits {
        joins_per_second: 10,
        joins_burst: 3,
        ..Limits::default()
    });
    for _ in 0..3 {
        w.join(None);
    }
    let above = w.arrive(Some(key("alice", 0)), None);
    let told = w.take(above);
    assert_eq!(told.last().unwrap()["data"]["reason"], "rate_limited");
    assert_eq!(told.last().unwrap()["data"]["retryAfterMs"], 100);
    assert_eq!(w.closed(above), Some(CloseCode::TryLater));
    let other = w.arrive(Some(key("bob", 0)), None);
    assert_eq!(w.told(other), ["connected", "auth_ok", "bots_list"]);
    let call = w.calls_with(key("alice", 0), Capabilities::call(), None);
    assert_eq!(w.take(call), [] as [Value; 0], "a call joins nothing");
    w.now_ms += 100;
    w.join(None);
}

#[test]
fn subscriptions_of_a_tenant() {
    let mut w = World::limited(Limits {
        messages_per_second: 10,
        messages_burst: 4,
        ..Limits::default()
    });
    let (one, two) = (w.join(None), w.join(None));
    assert_eq!(w.ask(one, register("bot_a")), ["bot_registered"]);
    for conn in [one, two] {
        assert_eq!(w.ask(conn, about("subscribe", "bot_a")), ["subscribed"]);
        assert_eq!(w.ask(conn, about("unsubscribe", "bot_a")), ["unsubscribed"]);
    }
    assert_eq!(w.ask(two, about("subscribe", "bot_a")), ["rate_limited"]);
    assert_eq!(w.ask(one, about("unsubscribe", "x")), ["rate_limited"]);
    w.now_ms += 100;
    assert_eq!(w.ask(two, about("subscribe", "bot_a")), ["subscribed"]);
}

#[test]
fn registrations_of_a_tenant_are_joins_too() {
    let mut w = World::limited(Limits {
        joins_per_second: 10,
        joins_burst: 5,
        ..Limits::default()
    });
    let (one, two) = (w.join(None), w.join(None));
    assert_eq!(w.ask(one, register("bot_a")), ["bot_registered"]);
    assert_eq!(w.ask(two, register("bot_b")), ["bot_registered"]);
    assert_eq!(
        w.ask(one, about("unregister_bot", "bot_a")),
        ["bot_unregistered"]
    );
    assert_eq!(w.ask(two, register("bot_c")), ["rate_limited"]);
    assert_eq!(
        w.ask(two, about("unregister_bot", "bot_b")),
        ["rate_limited"]
    );
    w.now_ms += 100;
    assert_eq!(w.ask(two, register("bot_c")), ["bot_registered"]);
}

#[test]
fn sockets_of_a_client_id() {
    let mut w = World::limited(Limits {
        sockets_per_client: 2,
        ..Limits::default()
    });
    let first = w.join(Some("phone"));
    w.join(Some("phone"));
    let above = w.arrive(Some(key("alice", 0)), Some("phone"));
    assert_eq!(w.told(above), ["connected", "auth_error", "quota_exceeded"]);
    w.join(Some("desk"));
    let call = w.calls_with(key("alice", 0), Capabilities::call(), Some("phone"));
    assert_eq!(w.take(call), [] as [Value; 0], "calls are no sockets");
    w.drop_conn(first);
    w.join(Some("phone"));
}

#[test]
fn entries_of_a_list_are_encoded_anew_when_a_bot_changes() {
    let mut w = World::plain();
    let bot = w.join_bot(&["bot_a"]);
    let conn = w.join(None);
    let page = |w: &mut World| {
        w.text(conn, list_of(5).to_string());
        w.take(conn).pop().unwrap()["data"]["bots"].clone()
    };
    assert_eq!(page(&mut w)[0]["status"], "online");
    assert_eq!(page(&mut w)[0]["name"], "bot_a");
    let renamed = json!({"type": "register_bot", "data": {"botId": "bot_a", "name": "Anna"}});
    w.ask(bot, renamed);
    assert_eq!(page(&mut w)[0]["name"], "Anna");
    w.now_ms += 5;
    w.drop_conn(bot);
    let left = page(&mut w);
    assert_eq!(left[0]["status"], "offline");
    assert_eq!(left[0]["since"], w.now_ms);
    let back = w.join(Some("home"));
    w.ask(back, register("bot_a"));
    assert_eq!(page(&mut w)[0]["status"], "online");
}
