//! From a socket to an open session, and what ends it: credentials, time, bad frames, drain.

use protocol::connect::Migrate;
use protocol::limits::{AUTH_FAILURES_PER_MINUTE, BAD_FRAMES_MAX};
use protocol::{CloseCode, Limits};
use router_core::auth::TokenScope;
use router_core::session::SessionInput;
use router_core::{ConnKey, Settings};
use serde_json::json;

use crate::talk::{alice, gist, key, message, register, token};
use crate::world::{Event, START_MS, World};

const HEARTBEAT_MS: u64 = 25_000;

fn auth(client: &str) -> serde_json::Value {
    let key = crate::world::KEYRING.issue_key(&alice(), 0);
    json!({"type": "auth", "data": {"apiKey": key.reveal(), "clientId": client}, "id": "1"})
}

#[test]
fn a_first_frame_may_bring_the_credential_and_a_second_is_a_bad_frame() {
    let mut w = World::plain();
    let conn = w.arrive(None, None);
    assert_eq!(w.told(conn), ["connected"]);
    assert_eq!(w.ask(conn, message("bot_a", "too early")), ["unauthorized"]);
    assert_eq!(w.ask(conn, json!({"type": "ping"})), ["pong"]);
    w.text(conn, auth("phone").to_string());
    let told = w.take(conn);
    assert_eq!(gist(&told), ["auth_ok", "bots_list"]);
    assert_eq!(told[0]["id"], "1");
    assert_eq!(told[0]["data"]["clientId"], "phone");
    assert_eq!(told[0]["data"]["botCount"], 0);
    assert_eq!(w.ask(conn, auth("phone")), ["bad_frame"]);
    assert_eq!(w.closed(conn), None);
}

#[test]
fn a_wrong_client_id_may_be_tried_again() {
    let mut w = World::plain();
    w.join_bot(&["bot_a"]);
    let conn = w.arrive(Some(key("alice", 0)), Some("bot_a"));
    assert_eq!(w.told(conn), ["connected", "invalid_id"]);
    assert_eq!(w.ask(conn, auth("a b")), ["invalid_id"]);
    assert_eq!(w.ask(conn, auth("bot_a")), ["invalid_id"]);
    assert_eq!(w.ask(conn, auth("phone")), ["auth_ok", "bots_list"]);
}

#[test]
fn a_client_may_not_take_the_name_of_a_bot_that_is_being_registered() {
    let mut w = World::plain();
    let bot = w.join(None);
    w.prompt = false;
    w.text(bot, register("bot_a").to_string());
    let conn = w.arrive(Some(key("alice", 0)), Some("bot_a"));
    assert_eq!(w.told(conn), ["connected", "invalid_id"]);
    w.answer(&alice(), false);
    assert_eq!(w.told(bot), ["bot_registered"]);
    assert_eq!(
        w.ask(bot, message("bot_a", "to myself")),
        ["to myself", "delivered"]
    );
}

#[test]
fn a_bot_may_not_take_the_name_of_a_client() {
    let mut w = World::plain();
    let phone = w.join(Some("phone"));
    let bot = w.join(None);
    assert_eq!(w.ask(bot, register("phone")), ["already_registered"]);
    w.drop_conn(phone);
    assert_eq!(w.ask(bot, register("phone")), ["already_registered"]);
    assert_eq!(w.ask(bot, register("client_alice")), ["already_registered"]);
}

#[test]
fn a_bad_credential_is_told_and_closed() {
    let expired = token(TokenScope::Chat, None, START_MS - 600_000, 60);
    let foreign = router_core::auth::Credential::from_bearer("t2b_alice_0123456789abcdef");
    let cases = [
        (foreign, CloseCode::Unauthorized),
        (key("alice", 7), CloseCode::Unauthorized),
        (expired, CloseCode::TokenExpired),
    ];
    for (credential, close) in cases {
        let mut w = World::plain();
        let conn = w.arrive(Some(credential), None);
        assert_eq!(w.told(conn), ["connected", "auth_error", "unauthorized"]);
        assert_eq!(w.closed(conn), Some(close));
        assert!(
            w.ask(conn, json!({"type": "ping"})).is_empty(),
            "it is closed"
        );
    }
}

#[test]
fn too_many_failures_are_throttled_and_a_good_credential_passes() {
    let mut w = World::plain();
    let bad = || {
        Some(router_core::auth::Credential::from_bearer(
            "t2b_alice_0123456789abcdef",
        ))
    };
    for _ in 0..AUTH_FAILURES_PER_MINUTE {
        let conn = w.arrive(bad(), None);
        assert_eq!(w.closed(conn), Some(CloseCode::Unauthorized));
    }
    let conn = w.arrive(bad(), None);
    assert_eq!(w.told(conn), ["connected", "auth_error", "rate_limited"]);
    assert_eq!(w.closed(conn), Some(CloseCode::TooManyRefusals));
    for user in ["alice", "bob"] {
        let good = w.arrive(Some(key(user, 0)), None);
        let told = w.told(good);
        assert_eq!(told, ["connected", "auth_ok", "bots_list"], "{user}");
    }
    w.pass(60_000);
    let conn = w.arrive(bad(), None);
    assert_eq!(
        w.closed(conn),
        Some(CloseCode::Unauthorized),
        "a new minute"
    );
}

#[test]
fn frames_behind_a_credential_wait_for_the_tenant() {
    let mut w = World::plain();
    w.prompt = false;
    let conn = w.arrive(None, None);
    w.text(conn, auth("phone").to_string());
    w.text(conn, json!({"type": "ping", "id": "2"}).to_string());
    assert_eq!(w.told(conn), ["connected"]);
    w.answer(&alice(), false);
    assert_eq!(w.told(conn), ["auth_ok", "bots_list", "pong"]);
}

#[test]
fn without_a_credential_or_a_store_in_time_the_socket_ends() {
    let mut w = World::plain();
    let silent = w.arrive(None, None);
    w.pass(9_999);
    assert_eq!(w.closed(silent), None);
    w.pass(1);
    assert_eq!(w.closed(silent), Some(CloseCode::Timeout));

    w.prompt = false;
    let waiting = w.arrive(Some(key("alice", 0)), None);
    w.pass(10_000);
    assert_eq!(
        w.told(waiting),
        ["connected", "auth_error", "store_unavailable"]
    );
    assert_eq!(w.closed(waiting), Some(CloseCode::TryLater));
    let refused = w.arrive(Some(key("alice", 0)), None);
    w.answer(&alice(), true);
    assert_eq!(
        w.told(refused),
        ["connected", "auth_error", "store_unavailable"]
    );
    assert_eq!(w.closed(refused), Some(CloseCode::TryLater));
    w.prompt = true;
    w.join(None);
}

#[test]
fn two_silent_periods_end_a_socket_and_any_sign_of_life_keeps_it() {
    let mut w = World::plain();
    let (silent, alive, talks) = (w.join(None), w.join(None), w.join(None));
    for _ in 0..9 {
        w.pass(2 * HEARTBEAT_MS / 10);
        w.input(alive, SessionInput::Alive);
        w.text(talks, "{}");
    }
    w.pass(2 * HEARTBEAT_MS / 10 - 1);
    assert_eq!(w.closed(silent), None);
    w.pass(1);
    assert_eq!(w.closed(silent), Some(CloseCode::Timeout));
    assert_eq!((w.closed(alive), w.closed(talks)), (None, None));
}

#[test]
fn a_socket_is_pinged_every_period() {
    let mut w = World::plain();
    let conn = w.join(None);
    w.pass_alive(10 * HEARTBEAT_MS);
    let pings = w
        .log
        .iter()
        .filter(|it| matches!(it, Event::Ping(to) if *to == conn))
        .count();
    assert!((10..=11).contains(&pings), "{pings} pings in ten periods");
}

#[test]
fn twenty_bad_frames_in_a_row_end_a_socket() {
    let mut w = World::plain();
    let conn = w.join(None);
    let bad = |w: &mut World, conn: ConnKey, times| {
        for _ in 0..times {
            w.text(conn, "{}");
        }
    };
    bad(&mut w, conn, BAD_FRAMES_MAX - 1);
    w.text(conn, r#"{"type":"ping"}"#);
    bad(&mut w, conn, BAD_FRAMES_MAX - 1);
    assert_eq!(
        w.ask(conn, message("bot_z", "refused, not bad"))
            .pop()
            .unwrap(),
        "bot_not_found"
    );
    bad(&mut w, conn, BAD_FRAMES_MAX - 1);
    assert_eq!(w.closed(conn), None);
    bad(&mut w, conn, 1);
    assert_eq!(w.closed(conn), Some(CloseCode::PolicyViolation));
}

#[test]
fn a_draining_node_takes_no_new_messages_and_answers_the_rest() {
    let mut w = World::new(Settings::default());
    let (conn, bot) = (w.join(None), w.join_bot(&["bot_a"]));
    let migrate = Migrate {
        reason: "restart".to_owned(),
        reconnect_within_ms: 5000,
    };
    w.input(conn, SessionInput::Draining(migrate));
    assert_eq!(w.told(conn), ["migrate"]);
    assert_eq!(w.ask(conn, message("bot_a", "hello")), ["draining"]);
    assert!(w.told(bot).is_empty());
    assert_eq!(w.ask(conn, json!({"type": "list_bots"})), ["bots_list"]);
    assert_eq!(w.ask(bot, message("client_alice", "still")), ["delivered"]);
}

#[test]
fn what_is_not_built_yet_says_so() {
    let mut w = World::limited(Limits::default());
    let conn = w.arrive(None, None);
    let mut resume = auth("phone");
    resume["data"]["resume"] = json!({"epoch": 1, "offset": 2});
    w.text(conn, resume.to_string());
    let told = w.take(conn);
    let expected = json!({"recovered": false, "reason": "not_supported"});
    assert_eq!(told[1]["data"]["resume"], expected);
    w.text(
        conn,
        r#"{"type":"register_bot","data":{"botId":"bot_a","confirm":true}}"#,
    );
    assert_eq!(w.take(conn)[0]["data"]["confirm"], false);
    for later in [
        json!({"type": "received", "data": {"epoch": 1, "offset": 1}}),
        json!({"type": "task"}),
        json!({"type": "message", "data": {"to": "bot_a", "durable": true}}),
    ] {
        assert_eq!(w.ask(conn, later), ["not_supported"]);
    }
}
