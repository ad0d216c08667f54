//! Monthly allowances: what is used of them, what is refused, and who is told.

use protocol::{UsageHour, UsageMeter};
use router_core::auth::TokenScope;
use router_core::store::{StoreFailure, StoreQuery, UsageQuery};
use serde_json::json;

use crate::allowances::{FLUSH_MS, hard, resets_ms, soft};
use crate::talk::{alice, key, message, register, token};
use crate::world::{START_MS, World};

#[test]
fn what_is_not_booked_counts_at_once_and_the_refusal_names_the_meter_and_the_reset() {
    let mut w = World::allowing(&[(UsageMeter::MessagesAccepted, hard(3))]);
    w.join_bot(&["bot_a"]);
    let phone = w.join(None);
    assert_eq!(w.says_hello(phone, 3), ["delivered"; 3]);
    w.text(phone, message("bot_a", "one more").to_string());
    let refused = w.take(phone);
    let data = &refused[0]["data"];
    assert_eq!(
        (&data["reason"], &data["meter"]),
        (&json!("quota_exceeded"), &json!("messages_accepted"))
    );
    assert_eq!(data["resetsAt"], json!(resets_ms()));
    assert_eq!(refused[0]["id"], "m");

    w.pass_alive(2 * FLUSH_MS);
    assert_eq!(w.says_hello(phone, 1), ["quota_exceeded"], "booked by now");
    w.wall_ms = (resets_ms() - w.now_ms) as i64;
    assert_eq!(
        w.says_hello(phone, 4),
        ["delivered", "delivered", "delivered", "quota_exceeded"],
        "another month counts from its first moment"
    );
    w.pass_alive(FLUSH_MS);
    assert_eq!(w.says_hello(phone, 1), ["quota_exceeded"]);
}

#[test]
fn what_is_booked_counts_once() {
    let mut w = World::allowing(&[(UsageMeter::MessagesAccepted, hard(6))]);
    w.join_bot(&["bot_a"]);
    let phone = w.join(None);
    assert_eq!(w.says_hello(phone, 2), ["delivered"; 2]);
    w.pass_alive(FLUSH_MS);
    assert_eq!(w.says_hello(phone, 2), ["delivered"; 2]);
    w.pass_alive(3 * FLUSH_MS);
    assert_eq!(
        w.says_hello(phone, 3),
        ["delivered", "delivered", "quota_exceeded"]
    );
}

#[test]
fn a_record_whose_answer_is_lost_counts_once() {
    let mut w = World::allowing(&[(UsageMeter::MessagesAccepted, hard(4))]);
    w.join_bot(&["bot_a"]);
    let phone = w.join(None);
    assert_eq!(w.says_hello(phone, 2), ["delivered"; 2]);
    w.prompt = false;
    for _ in 0..3 {
        w.pass_alive(FLUSH_MS);
        while w.asks.get(&alice()).is_some_and(|asks| !asks.is_empty()) {
            w.answer_with(&alice(), |model, request| {
                let is_record =
                    matches!(&request.query, StoreQuery::Usage(UsageQuery::Book { .. }));
                let reply = model.execute(request).0;
                // The ledger has it, but nobody says so.
                if is_record {
                    Err(StoreFailure::Lost)
                } else {
                    reply
                }
            });
        }
    }
    assert_eq!(
        w.says_hello(phone, 3),
        ["delivered", "delivered", "quota_exceeded"]
    );
    w.prompt = true;
    w.pass_alive(2 * FLUSH_MS);
    assert_eq!(w.says_hello(phone, 1), ["quota_exceeded"]);
}

#[test]
fn other_nodes_count_from_the_next_flush_on_and_other_months_do_not() {
    let mut w = World::allowing(&[(UsageMeter::MessagesAccepted, hard(10))]);
    let now = UsageHour::of(START_MS);
    let start_ms = w.now_ms;
    // As if the store had been there before.
    w.now_ms = now.month().minus(2).start_ms();
    w.other_node_books(1, now.month().minus(2), UsageMeter::MessagesAccepted, 1000);
    w.now_ms = now.month().start_ms();
    w.other_node_books(2, now.month(), UsageMeter::MessagesAccepted, 3);
    w.now_ms = start_ms;
    w.join_bot(&["bot_a"]);
    let phone = w.join(None);
    assert_eq!(w.says_hello(phone, 1), ["delivered"], "4 of 10 are used");
    w.other_node_books(3, now, UsageMeter::MessagesAccepted, 5);
    w.pass_alive(FLUSH_MS);
    assert_eq!(w.says_hello(phone, 2), ["delivered", "quota_exceeded"]);
    w.other_node_books(4, now, UsageMeter::MessagesAccepted, 5);
    w.pass_alive(FLUSH_MS);
    assert_eq!(w.says_hello(phone, 1), ["quota_exceeded"]);
}

#[test]
fn closed_hours_are_read_once_and_count_for_the_whole_month() {
    let mut w = World::allowing(&[(UsageMeter::MessagesAccepted, hard(4))]);
    w.join_bot(&["bot_a"]);
    let phone = w.join(None);
    assert_eq!(w.says_hello(phone, 3), ["delivered"; 3]);
    for _ in 0..3 {
        w.wall_ms += 3_600_000;
        w.pass_alive(2 * FLUSH_MS);
    }
    assert_eq!(w.says_hello(phone, 2), ["delivered", "quota_exceeded"]);
}

#[test]
fn partials_are_dropped_without_a_word() {
    let mut w = World::allowing(&[(UsageMeter::BytesOut, hard(1))]);
    let bot = w.join_bot(&["bot_a"]);
    let phone = w.join(Some("phone"));
    w.take(bot);
    let partial = json!({"type": "message_partial",
        "data": {"from": "bot_a", "to": "phone", "streamId": "s", "seq": 1, "text": "so far"}});
    assert_eq!(w.ask(bot, partial), Vec::<String>::new());
    assert!(w.told(phone).is_empty());
    assert_eq!(w.says_hello(phone, 1), ["quota_exceeded"]);
    assert_eq!(
        w.ask(phone, json!({"type": "list_bots", "id": "l"})),
        ["bots_list"],
        "what is no message is answered"
    );
}

#[test]
fn a_soft_allowance_is_told_once_a_day_and_to_who_comes() {
    let mut w = World::allowing(&[(UsageMeter::MessagesAccepted, soft(2))]);
    let bot = w.join_bot(&["bot_a"]);
    let phone = w.join(None);
    let guest = w.arrive(Some(token(TokenScope::Chat, None, START_MS, 100_000)), None);
    assert_eq!(
        w.says_hello(phone, 5),
        ["delivered"; 5],
        "nothing is refused"
    );
    w.pass_alive(FLUSH_MS);
    let expected = json!({"type": "quota", "meter": "messages_accepted", "used": 5, "allowed": 2,
        "resetsAt": resets_ms()});
    assert_eq!(w.quotas(phone), [expected]);
    assert_eq!(w.quotas(bot).len(), 1);
    assert_eq!(
        w.quotas(guest).len(),
        0,
        "a token does not show the account"
    );
    w.pass_alive(3 * FLUSH_MS);
    assert_eq!(w.quotas(phone).len(), 0, "told today");

    let late = w.arrive(Some(key("alice", 0)), None);
    assert_eq!(w.quotas(late).len(), 1);
    w.wall_ms += 24 * 3_600_000;
    w.pass_alive(FLUSH_MS);
    assert_eq!(w.quotas(phone).len(), 1, "another day");
}

#[test]
fn a_soft_allowance_is_told_and_counted_once_when_a_month_begins() {
    let mut w = World::allowing(&[(UsageMeter::MessagesAccepted, soft(2))]);
    w.join_bot(&["bot_a"]);
    let phone = w.join(None);
    assert_eq!(w.says_hello(phone, 4), ["delivered"; 4]);
    w.pass_alive(2 * FLUSH_MS);
    assert_eq!((w.quotas(phone).len(), w.times_reached()), (1, 1));
    w.wall_ms = (resets_ms() - w.now_ms) as i64;
    assert_eq!(w.says_hello(phone, 4), ["delivered"; 4]);
    w.pass_alive(3 * FLUSH_MS);
    assert_eq!((w.quotas(phone).len(), w.times_reached()), (1, 2));
}

#[test]
fn who_connects_before_the_next_flush_is_told_once() {
    let mut w = World::allowing(&[(UsageMeter::MessagesAccepted, soft(2))]);
    w.join_bot(&["bot_a"]);
    let phone = w.join(None);
    assert_eq!(w.says_hello(phone, 3), ["delivered"; 3]);
    let late = w.arrive(Some(key("alice", 0)), None);
    w.pass_alive(2 * FLUSH_MS);
    assert_eq!((w.quotas(late).len(), w.quotas(phone).len()), (1, 1));
    assert_eq!(w.times_reached(), 1);
}

#[test]
fn another_plan_does_not_forget_what_was_used() {
    let mut w = World::of_two_plans();
    w.assign(Some("large"));
    w.join_bot(&["bot_a"]);
    let phone = w.join(None);
    assert_eq!(w.says_hello(phone, 5), ["delivered"; 5]);
    w.pass_alive(2 * FLUSH_MS);
    // Nobody answers, so what is used of the small plan is what was read for the large one.
    w.prompt = false;
    w.assign(Some("small"));
    assert_eq!(w.says_hello(phone, 1), ["quota_exceeded"]);
    w.assign(Some("large"));
    assert_eq!(w.says_hello(phone, 2), ["delivered", "quota_exceeded"]);
}

#[test]
fn an_answer_from_before_a_plan_is_not_taken_for_its_own() {
    let mut w = World::of_two_plans();
    w.join_bot(&["bot_a"]);
    let phone = w.join(None);
    w.prompt = false;
    w.assign(Some("large"));
    w.assign(None);
    w.pass_alive(1);
    w.assign(Some("large"));
    // The month is read for the first plan, then another node books, then it is read for the second one.
    let now = UsageHour::of(w.unix_ms());
    let mut is_first = true;
    while w.asks.get(&alice()).is_some_and(|asks| !asks.is_empty()) {
        w.answer_with(&alice(), |model, request| model.execute(request).0);
        if std::mem::take(&mut is_first) {
            w.other_node_books(1, now, UsageMeter::MessagesAccepted, 6);
        }
    }
    assert_eq!(w.says_hello(phone, 1), ["quota_exceeded"]);
}

#[test]
fn a_damaged_hour_hides_no_other_hour_of_the_month() {
    let mut w = World::of_two_plans();
    let now = UsageHour::of(START_MS);
    let (start_ms, damaged) = (w.now_ms, now.minus(5));
    w.now_ms = damaged.start_ms();
    w.other_node_books(1, damaged, UsageMeter::MessagesAccepted, 2);
    w.now_ms = start_ms;
    w.other_node_books(2, now, UsageMeter::MessagesAccepted, 3);
    w.join_bot(&["bot_a"]);
    let phone = w.join(None);
    w.prompt = false;
    w.assign(Some("large"));
    w.answer_damaged(damaged);
    assert_eq!(w.says_hello(phone, 1), ["delivered"], "4 of 6 are known");
    w.pass_alive(FLUSH_MS);
    w.answer_damaged(damaged);
    assert_eq!(w.says_hello(phone, 1), ["delivered"], "5 of 6 are known");
    // Nobody has the tenant in memory any more.
    w.assign(None);
    w.answer_damaged(damaged);
    w.assign(Some("large"));
    w.answer_damaged(damaged);
    assert_eq!(
        w.says_hello(phone, 2),
        ["delivered", "quota_exceeded"],
        "6 of 6"
    );
}

#[test]
fn what_was_known_of_an_hour_counts_when_it_is_damaged() {
    let mut w = World::of_two_plans();
    w.assign(Some("small"));
    w.join_bot(&["bot_a"]);
    let phone = w.join(None);
    assert_eq!(w.says_hello(phone, 4), ["delivered"; 4]);
    w.pass_alive(2 * FLUSH_MS);
    w.prompt = false;
    let damaged = UsageHour::of(w.unix_ms());
    for _ in 0..3 {
        w.pass_alive(FLUSH_MS);
        w.answer_damaged(damaged);
        assert_eq!(w.says_hello(phone, 1), ["quota_exceeded"]);
    }
    // It closes, and is still not taken for one without usage.
    for _ in 0..3 {
        w.wall_ms += 3_600_000;
        w.pass_alive(FLUSH_MS);
        w.answer_damaged(damaged);
        assert_eq!(w.says_hello(phone, 1), ["quota_exceeded"]);
    }
    // It is repaired, and counts once.
    w.prompt = true;
    w.pass_alive(FLUSH_MS);
    w.assign(Some("large"));
    assert_eq!(
        w.says_hello(phone, 3),
        ["delivered", "delivered", "quota_exceeded"]
    );
}

#[test]
fn without_allowances_the_ledger_is_not_read() {
    let mut w = World::plain();
    w.join_bot(&["bot_a"]);
    let phone = w.join(None);
    w.prompt = false;
    for _ in 0..3 {
        assert_eq!(w.says_hello(phone, 1), ["delivered"]);
        w.pass_alive(FLUSH_MS);
        while w.asks.get(&alice()).is_some_and(|asks| !asks.is_empty()) {
            w.answer_with(&alice(), |model, request| {
                let is_reading =
                    matches!(&request.query, StoreQuery::Usage(UsageQuery::Read { .. }));
                assert!(!is_reading);
                model.execute(request).0
            });
        }
    }
}

#[test]
fn tenants_have_allowances_of_their_own() {
    let mut w = World::allowing(&[(UsageMeter::MessagesAccepted, hard(1))]);
    w.join_bot(&["bot_a"]);
    let phone = w.join(None);
    assert_eq!(w.says_hello(phone, 2), ["delivered", "quota_exceeded"]);
    let bob = w.arrive(Some(key("bob", 0)), None);
    w.take(bob);
    assert_eq!(w.ask(bob, register("bot_a")), ["bot_registered"]);
    let phone = w.arrive(Some(key("bob", 0)), Some("phone"));
    w.take(phone);
    assert_eq!(w.says_hello(phone, 1), ["delivered"]);
}

#[test]
fn an_assigned_plan_reads_the_month_also_when_an_hour_has_just_ended() {
    let mut w = World::of_two_plans();
    w.join_bot(&["bot_a"]);
    let phone = w.join(None);
    assert_eq!(w.says_hello(phone, 1), ["delivered"]);
    w.wall_ms += 3_600_000;
    // The record of the hour before is complete, and waits for the next flush.
    assert_eq!(w.says_hello(phone, 1), ["delivered"]);
    let now = UsageHour::of(w.unix_ms());
    w.other_node_books(1, now, UsageMeter::MessagesAccepted, 4);
    w.assign(Some("small"));
    assert_eq!(w.says_hello(phone, 1), ["quota_exceeded"]);
}
