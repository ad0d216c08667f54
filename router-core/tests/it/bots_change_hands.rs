//! Who holds a bot: takeovers, flapping, restarts, and the claims that arrive too late.

use protocol::limits::{CLAIMS_WAITING_MAX, FLAP_REFUSAL_MS, TENANT_LINGER_MS};
use protocol::{CloseCode, Limits};
use serde_json::json;

use crate::talk::{about, alice, message, register};
use crate::world::World;

#[test]
fn a_replaced_bot_closes_only_its_last_socket() {
    let mut w = World::plain();
    let old = w.join_bot(&["bot_a", "bot_b"]);
    let new = w.join(Some("new"));

    assert_eq!(w.ask(new, message("bot_a", "before")), ["delivered"]);
    assert_eq!(w.ask(new, register("bot_a")), ["bot_registered"]);
    assert_eq!(w.told(old), ["before", "bot_unregistered"]);
    assert_eq!(w.closed(old), None, "it holds another bot");
    let as_bot = json!({"type": "message", "data": {"to": "new", "from": "bot_a"}});
    assert_eq!(w.ask(old, as_bot), ["not_your_identity"]);

    assert_eq!(w.ask(new, message("bot_b", "before")), ["delivered"]);
    let epoch = {
        w.text(new, register("bot_b").to_string());
        w.take(new)[0]["data"]["epoch"].clone()
    };
    let told = w.take(old);
    assert_eq!(
        told[0]["data"]["text"], "before",
        "it stands in the queue first"
    );
    let expected = json!({"botId": "bot_b", "reason": "replaced", "epoch": epoch});
    assert_eq!(told[1]["data"], expected);
    assert_eq!(w.closed(old), Some(CloseCode::Replaced));
    assert_eq!(
        w.ask(new, message("bot_b", "to myself")),
        ["to myself", "delivered"]
    );
}

#[test]
fn a_takeover_may_be_polite() {
    let mut w = World::plain();
    let (old, new) = (w.join_bot(&["bot_a"]), w.join(None));
    let polite = json!({"type": "register_bot", "data": {"botId": "bot_a", "takeover": "reject"}});
    assert_eq!(w.ask(new, polite.clone()), ["already_registered"]);
    assert_eq!(
        w.ask(old, polite.clone()),
        ["bot_registered"],
        "it is its own"
    );
    w.drop_conn(old);
    assert_eq!(w.ask(new, polite), ["bot_registered"]);
}

#[test]
fn registering_again_updates_in_place() {
    let mut w = World::plain();
    let (phone, bot) = (w.join(Some("phone")), w.join(None));
    w.text(bot, register("bot_a").to_string());
    let first = w.take(bot)[0]["data"].clone();
    w.pass(500);
    let again = json!({"type": "register_bot", "data": {"botId": "bot_a", "name": "Anna"}});
    w.text(bot, again.to_string());
    let second = w.take(bot)[0]["data"].clone();
    assert_eq!(
        (&second["epoch"], &second["since"]),
        (&first["epoch"], &first["since"])
    );
    assert_eq!(second["name"], "Anna");
    w.pass(100);
    let names: Vec<_> = w
        .take(phone)
        .iter()
        .map(|it| it["data"]["name"].clone())
        .collect();
    assert_eq!(names, ["bot_a", "Anna"]);
}

#[test]
fn two_instances_may_not_keep_taking_a_bot_from_each_other() {
    let mut w = World::plain();
    let mut holder = w.join_bot(&["bot_a"]);
    for _ in 0..Limits::default().takeovers_per_minute {
        holder = w.join_bot(&["bot_a"]);
        w.pass(1000);
    }
    let newcomer = w.join(None);
    w.text(newcomer, register("bot_a").to_string());
    let told = w.take(newcomer);
    assert_eq!(told[0]["data"]["reason"], "takeover_flapping");
    assert_eq!(told[0]["data"]["retryAfterMs"], FLAP_REFUSAL_MS);
    assert_eq!(w.closed(holder), None);
    w.pass_alive(FLAP_REFUSAL_MS - 1);
    w.told(newcomer);
    assert_eq!(w.ask(newcomer, register("bot_a")), ["takeover_flapping"]);
    w.pass(1);
    assert_eq!(w.ask(newcomer, register("bot_a")), ["bot_registered"]);
}

#[test]
fn a_restart_of_the_same_instance_is_no_contest() {
    let mut w = World::plain();
    let restart = json!({"type": "register_bot", "data": {"botId": "bot_a", "instance": "i1"}});
    for _ in 0..10 {
        let bot = w.join(None);
        assert_eq!(w.ask(bot, restart.clone()), ["bot_registered"]);
    }
    let limits = Limits {
        takeovers_per_minute: 0,
        ..Limits::default()
    };
    let mut w = World::limited(limits);
    for _ in 0..10 {
        w.join_bot(&["bot_a"]);
    }
}

#[test]
fn claims_of_one_bot_wait_for_each_other_up_to_a_limit() {
    let mut w = World::plain();
    let conns = [w.join(None), w.join(None)];
    w.prompt = false;
    for i in 0..=CLAIMS_WAITING_MAX {
        assert_eq!(
            w.ask(conns[i % 2], register("bot_a")).len(),
            0,
            "claim {i} waits"
        );
        assert_eq!(w.asks[&alice()].len(), 1, "one question at a time");
    }
    assert_eq!(w.ask(conns[0], register("bot_a")), ["store_unavailable"]);
    assert_eq!(
        w.ask(conns[0], register("bot_b")).len(),
        0,
        "another bot is not affected"
    );
}

#[test]
fn a_claimant_that_is_gone_releases_what_it_got() {
    let mut w = World::plain();
    let (gone, phone) = (w.join(Some("g")), w.join(Some("phone")));
    w.prompt = false;
    w.text(gone, register("bot_a").to_string());
    w.drop_conn(gone);
    while !w.asks[&alice()].is_empty() {
        w.answer(&alice(), false);
    }
    assert_eq!(holder(&mut w, "bot_a"), None);
    w.prompt = true;
    assert_eq!(w.ask(phone, message("bot_a", "hello")), ["bot_offline"]);
}

#[test]
fn a_home_that_lost_to_a_claimant_that_is_gone_is_told_so() {
    let mut w = World::plain();
    let (old, new) = (w.join_bot(&["bot_a"]), w.join(None));
    w.prompt = false;
    w.text(new, register("bot_a").to_string());
    w.drop_conn(new);
    while !w.asks[&alice()].is_empty() {
        w.answer(&alice(), false);
    }
    assert_eq!(w.told(old), ["bot_unregistered"]);
    assert_eq!(w.closed(old), Some(CloseCode::Replaced));
    assert_eq!(
        holder(&mut w, "bot_a"),
        None,
        "the store and the node agree"
    );
}

#[test]
fn only_its_home_takes_a_bot_off_the_list() {
    let mut w = World::plain();
    let (home, other) = (w.join_bot(&["bot_a"]), w.join(None));
    assert_eq!(
        w.ask(other, about("unregister_bot", "bot_a")),
        ["not_your_identity"]
    );
    assert_eq!(
        w.ask(other, about("unregister_bot", "bot_z")),
        ["bot_not_found"]
    );
    assert_eq!(
        w.ask(home, about("unregister_bot", "bot_a")),
        ["bot_unregistered"]
    );
    assert_eq!(w.closed(home), None);
    assert_eq!(w.ask(other, message("bot_a", "hello")), ["bot_not_found"]);
    let gone = w.join_bot(&["bot_b"]);
    w.drop_conn(gone);
    assert_eq!(
        w.ask(other, about("unregister_bot", "bot_b")),
        ["bot_unregistered"]
    );
}

fn holder(w: &mut World, bot: &str) -> Option<protocol::ConnectionId> {
    let snapshot = w.snapshot(&alice());
    let record = snapshot
        .bots
        .into_iter()
        .find(|it| it.info.id.as_str() == bot);
    record.expect("it is listed").holder.map(|it| it.conn)
}

#[test]
fn a_release_that_the_store_refused_is_made_up_for_at_the_next_load() {
    let mut w = World::plain();
    let bot = w.join_bot(&["bot_a"]);
    w.prompt = false;
    w.drop_conn(bot);
    w.answer(&alice(), true);
    assert!(w.snapshot(&alice()).bots[0].holder.is_some(), "refused");
    w.prompt = true;
    w.pass(2 * TENANT_LINGER_MS);
    w.join(None);
    assert_eq!(w.snapshot(&alice()).bots[0].holder, None);
}
