//! Who is let in, and who must leave, by the hard allowances for calls and for the time of sockets.

use std::sync::Arc;

use protocol::limits::Limits;
use protocol::{CloseCode, UsageHour, UsageMeter};
use router_core::ConnKey;
use router_core::capabilities::Capabilities;
use router_core::store::{PolicyQuery, StoreFailure, StoreQuery, StoreRequest, UsageQuery};
use router_core::terms::Plan;
use serde_json::json;

use crate::allowances::{FLUSH_MS, hard};
use crate::talk::{alice, key, register};
use crate::world::{START_MS, World};

#[test]
fn http_requests_are_refused_and_sockets_are_not() {
    let mut w = World::allowing(&[(UsageMeter::HttpRequests, hard(2))]);
    w.join_bot(&["bot_a"]);
    for _ in 0..2 {
        let call = w.calls(Capabilities::call(), None);
        assert_eq!(w.closed(call), None);
        w.drop_conn(call);
    }
    let call = w.calls(Capabilities::call(), None);
    assert!(w.told(call).contains(&"quota_exceeded".to_owned()));
    assert_eq!(w.closed(call), Some(CloseCode::TryLater));
    let phone = w.join(None);
    assert_eq!(w.says_hello(phone, 1), ["delivered"]);
}

#[test]
fn nobody_comes_in_before_it_is_known_what_is_used() {
    let mut w = World::allowing(&[
        (UsageMeter::MessagesAccepted, hard(3)),
        (UsageMeter::HttpRequests, hard(5)),
    ]);
    let hour = UsageHour::of(START_MS);
    w.other_node_books(1, hour, UsageMeter::MessagesAccepted, 3);
    w.other_node_books(2, hour, UsageMeter::HttpRequests, 4);
    w.prompt = false;
    let phone = w.arrive(Some(key("alice", 0)), None);
    let calls: Vec<ConnKey> = (0..3)
        .map(|_| w.calls(Capabilities::call(), None))
        .collect();
    w.answer(&alice(), false);
    assert_eq!(w.told(phone), ["connected"], "the month is not read yet");
    w.prompt = true;
    w.answer(&alice(), false);
    assert_eq!(w.told(phone), ["auth_ok", "bots_list"]);
    let refused = calls.iter().filter(|call| w.closed(**call).is_some());
    assert_eq!(refused.count(), 2, "one request is left");
    w.join_bot(&["bot_a"]);
    assert_eq!(w.says_hello(phone, 1), ["quota_exceeded"]);
}

#[test]
fn a_month_that_cannot_be_read_keeps_nobody_out() {
    let mut w = World::allowing(&[(UsageMeter::MessagesAccepted, hard(3))]);
    w.prompt = false;
    let phone = w.arrive(Some(key("alice", 0)), None);
    w.answer(&alice(), false);
    w.answer_with(&alice(), |_, _| Err(StoreFailure::Lost));
    assert_eq!(w.told(phone), ["connected", "auth_ok", "bots_list"]);
}

#[test]
fn refused_sockets_cost_a_place_of_the_rate_of_joins() {
    let limits = Limits {
        joins_per_second: 1,
        joins_burst: 2,
        ..Limits::default()
    };
    let allowances = [(UsageMeter::ConnectionSecondsClient, hard(0))];
    let mut w = World::of_plan(Plan {
        limits: Arc::new(limits),
        allowances: Arc::new(allowances.into_iter().collect()),
    });
    let told = (0..4).map(|_| {
        let conn = w.arrive(Some(key("alice", 0)), None);
        w.told(conn).pop().unwrap()
    });
    let told: Vec<String> = told.collect();
    assert_eq!(told[..2], ["quota_exceeded"; 2]);
    assert_eq!(told[2..], ["rate_limited"; 2]);
}

#[test]
fn sockets_end_when_their_seconds_are_used_up() {
    let seconds = 15_000;
    for (meter, bot_stays, phone_stays) in [
        (UsageMeter::ConnectionSecondsClient, true, false),
        (UsageMeter::ConnectionSecondsBot, false, true),
    ] {
        let mut w = World::allowing(&[(meter, hard(seconds))]);
        let bot = w.join_bot(&["bot_a"]);
        let phone = w.join(None);
        w.pass_alive(FLUSH_MS);
        assert_eq!((w.closed(bot), w.closed(phone)), (None, None), "{meter}");
        w.take(phone);
        w.take(bot);
        w.pass_alive(2 * FLUSH_MS);
        let stays = [w.closed(bot), w.closed(phone)].map(|it| it.is_none());
        assert_eq!(stays, [bot_stays, phone_stays], "{meter}");
        let gone = if bot_stays { phone } else { bot };
        assert_eq!(w.closed(gone), Some(CloseCode::TryLater));
        let told = w.take(gone);
        let last = told.last().unwrap();
        assert_eq!(last["data"]["meter"], json!(meter.name()));

        let next = w.arrive(Some(key("alice", 0)), None);
        match bot_stays {
            true => assert_eq!(w.closed(next), Some(CloseCode::TryLater)),
            false => {
                w.take(next);
                assert_eq!(w.ask(next, register("bot_b")), ["quota_exceeded"]);
            }
        }
    }
}

#[test]
fn a_plan_without_allowances_lets_those_in_that_waited() {
    let mut w = World::of_two_plans();
    w.prompt = false;
    let first = w.arrive(Some(key("alice", 0)), None);
    w.answer(&alice(), false);
    assert_eq!(w.told(first), ["connected", "auth_ok", "bots_list"]);
    w.assign(Some("small"));
    let second = w.arrive(Some(key("alice", 0)), None);
    assert_eq!(w.told(second), ["connected"], "the month is not read yet");
    w.assign(None);
    assert_eq!(w.told(second), ["auth_ok", "bots_list"]);
}

#[test]
fn a_flush_waits_while_the_month_is_read() {
    let mut w = World::of_two_plans();
    let settings = Arc::make_mut(&mut w.settings);
    settings.usage_flush_ms = 1000;
    w.join_bot(&["bot_a"]);
    let phone = w.join(None);
    let now = UsageHour::of(w.unix_ms());
    w.other_node_books(1, now, UsageMeter::MessagesAccepted, 4);
    // The store takes longer for the month than there is between two flushes.
    w.prompt = false;
    w.assign(Some("small"));
    w.pass_alive(5000);
    w.answer(&alice(), false);
    assert_eq!(w.says_hello(phone, 1), ["quota_exceeded"]);
    w.prompt = true;
    w.pass_alive(1000);
    let booked = w.booked(now);
    assert!(
        booked[UsageMeter::ConnectionSecondsBot] > 5000,
        "{booked:?}"
    );
}

#[test]
fn a_store_that_never_answers_for_the_month_holds_no_flush_back_for_good() {
    let mut w = World::of_two_plans();
    w.join_bot(&["bot_a"]);
    w.prompt = false;
    w.assign(Some("small"));
    w.pass_alive(3 * FLUSH_MS);
    let asks = w.asks.remove(&alice()).unwrap_or_default();
    let is_record = |request: &StoreRequest| {
        matches!(&request.query, StoreQuery::Usage(UsageQuery::Book { .. }))
    };
    assert!(asks.iter().any(|(_, request)| is_record(request)));
}

#[test]
fn a_revoked_key_uses_up_no_requests() {
    let mut w = World::allowing(&[(UsageMeter::HttpRequests, hard(3))]);
    w.join_bot(&["bot_a"]);
    w.policy(&alice(), PolicyQuery::Revoke);
    for generation in [0, 0, 0, 0, 1, 1, 1] {
        let call = w.calls_with(key("alice", generation), Capabilities::call(), None);
        let expected = (generation == 0).then_some(CloseCode::Unauthorized);
        assert_eq!(w.closed(call), expected);
        w.drop_conn(call);
    }
    let call = w.calls_with(key("alice", 1), Capabilities::call(), None);
    assert!(w.told(call).contains(&"quota_exceeded".to_owned()));
}
