//! The wall clock is set to another time: deadlines do not move, and what is told of the time does.

use protocol::CloseCode;
use router_core::auth::TokenScope;
use router_core::session::SessionInput;
use serde_json::{Value, json};

use crate::talk::{alice, gist, message, token};
use crate::world::{START_MS, World};

const HOURS_MS: i64 = 2 * 60 * 60 * 1000;

fn pong(w: &mut World, key: router_core::ConnKey) -> Value {
    w.text(key, json!({"type": "ping"}).to_string());
    w.take(key).pop().unwrap()
}

#[test]
fn nothing_is_closed_and_heartbeats_go_on() {
    for step_ms in [HOURS_MS, -HOURS_MS] {
        let mut w = World::plain();
        let sockets = [w.join(None), w.join_bot(&["bot_a"])];
        w.pass_alive(30_000);
        w.wall_ms = step_ms;
        w.pass_alive(120_000);
        for key in sockets {
            assert_eq!(w.closed(key), None, "{step_ms}");
            assert_eq!(pong(&mut w, key)["type"], "pong");
        }
        w.pass(50_000);
        for key in sockets {
            assert_eq!(w.closed(key), Some(CloseCode::Timeout), "{step_ms}");
        }
    }
}

#[test]
fn times_that_are_told_follow_the_clock_and_do_not_go_back_in_one_session() {
    let mut w = World::plain();
    let phone = w.join(Some("phone"));
    let data = |frame: &Value| frame["data"]["timestamp"].as_u64().unwrap();
    let before = data(&pong(&mut w, phone));
    w.wall_ms = HOURS_MS;
    let after = data(&pong(&mut w, phone));
    assert_eq!(after, before + HOURS_MS as u64);
    w.wall_ms = -HOURS_MS;
    assert_eq!(data(&pong(&mut w, phone)), after, "it stands still");
    let newcomer = w.join(Some("tablet"));
    assert_eq!(data(&pong(&mut w, newcomer)), START_MS - HOURS_MS as u64);
    w.take(phone);
    let frames = {
        w.text(newcomer, message("phone", "hi").to_string());
        w.take(phone)
    };
    assert_eq!(gist(&frames), ["hi"]);
    let told = frames[0]["data"]["timestamp"].as_str().unwrap().to_owned();
    w.text(phone, message("tablet", "hi").to_string());
    let frames = w.take(newcomer);
    let of_phone = frames.iter().find(|it| it["type"] == "message").unwrap();
    let later = of_phone["data"]["timestamp"].as_str().unwrap();
    assert!(told.as_str() < later, "{told} {later}: each sender's own");
}

#[test]
fn a_token_ends_when_the_wall_clock_says_so() {
    let mut w = World::plain();
    let day = token(TokenScope::Chat, None, START_MS, 24 * 3600);
    let (one, other) = (w.arrive(Some(day.clone()), None), w.arrive(Some(day), None));
    w.take(one);
    w.pass_alive(30_000);
    w.wall_ms = HOURS_MS;
    w.pass_alive(60_000);
    assert_eq!((w.closed(one), w.closed(other)), (None, None));
    // Set forward behind its end: it is seen at the next heartbeat.
    w.wall_ms = 24 * 3600 * 1000;
    w.pass_alive(25_000);
    assert_eq!(w.closed(one), Some(CloseCode::TokenExpired));
}

#[test]
fn a_token_lives_on_when_the_clock_is_set_back() {
    let mut w = World::plain();
    let hour = token(TokenScope::Chat, None, START_MS, 3600);
    let phone = w.arrive(Some(hour), None);
    w.pass_alive(30_000);
    w.wall_ms = -HOURS_MS;
    w.pass_alive(3600 * 1000);
    assert_eq!(w.closed(phone), None, "it has two hours left");
    w.pass_alive(2 * 3600 * 1000);
    assert_eq!(w.closed(phone), Some(CloseCode::TokenExpired));
}

#[test]
fn the_store_is_asked_by_the_wall_clock() {
    let mut w = World::plain();
    w.wall_ms = HOURS_MS;
    let bot = w.join_bot(&["bot_a"]);
    let since = |w: &mut World| w.snapshot(&alice()).bots[0].info.since;
    let unix_ms = w.unix_ms();
    assert_eq!(since(&mut w), unix_ms);
    w.pass(1000);
    w.input(bot, SessionInput::Gone);
    let unix_ms = w.unix_ms();
    assert_eq!(since(&mut w), unix_ms);
}
