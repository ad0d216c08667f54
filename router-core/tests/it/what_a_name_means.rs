//! Where a message goes: connections, bots, clients on several devices, and names that are nobody's.

use protocol::limits::{REMEMBER_MS, TENANT_LINGER_MS};
use router_core::auth::TokenScope;
use router_core::{ConnKey, Settings};
use serde_json::{Value, json};

use crate::talk::{alice, key, message, register, token};
use crate::world::{START_MS, World};

fn id(w: &World, conn: ConnKey) -> String {
    w.conns[&conn].session.id().to_string()
}

#[test]
fn a_client_id_reaches_all_its_devices_but_the_sender() {
    let mut w = World::plain();
    let devices = [w.join(Some("me")), w.join(Some("me")), w.join(Some("me"))];
    assert_eq!(w.ask(devices[0], message("me", "note")), ["delivered"]);
    assert_eq!(w.told(devices[1]), ["note"]);
    assert_eq!(w.told(devices[2]), ["note"]);
    assert!(w.told(devices[0]).is_empty());
    w.drop_conn(devices[1]);
    w.drop_conn(devices[2]);
    assert_eq!(
        w.ask(devices[0], message("me", "alone")),
        ["recipient_offline"]
    );
}

#[test]
fn a_bot_is_not_its_owners_phone_unless_it_says_so() {
    let mut w = World::plain();
    let (phone, bot) = (w.join(None), w.join_bot(&["bot_a"]));
    let both = w.join(Some("client_alice"));
    assert_eq!(w.ask(both, register("bot_b")), ["bot_registered"]);
    let desk = w.join(Some("desk"));
    assert_eq!(w.ask(desk, message("client_alice", "hi")), ["delivered"]);
    assert_eq!(w.told(phone), ["hi"]);
    assert_eq!(w.told(both), ["hi"], "it named that id itself");
    assert!(w.told(bot).is_empty());
    w.drop_conn(phone);
    w.drop_conn(both);
    assert_eq!(
        w.ask(desk, message("client_alice", "hi")),
        ["recipient_offline"]
    );
}

#[test]
fn one_device_that_takes_it_is_enough() {
    let mut w = World::plain();
    let (full, free) = (w.join(Some("me")), w.join(Some("me")));
    let desk = w.join(Some("desk"));
    w.conns.get_mut(&full).unwrap().capacity = 0;
    assert_eq!(w.ask(desk, message("me", "hi")), ["delivered"]);
    assert_eq!(w.told(free), ["hi"]);
    w.conns.get_mut(&free).unwrap().capacity = 0;
    assert_eq!(w.ask(desk, message("me", "hi")), ["recipient_busy"]);
    w.conns.get_mut(&free).unwrap().open = false;
    assert_eq!(
        w.ask(desk, message("me", "hi")),
        ["recipient_busy"],
        "the best error"
    );
    w.conns.get_mut(&full).unwrap().open = false;
    assert_eq!(w.ask(desk, message("me", "hi")), ["recipient_offline"]);
}

#[test]
fn a_connection_id_reaches_that_socket_alone() {
    let mut w = World::plain();
    let (one, other, desk) = (w.join(Some("me")), w.join(Some("me")), w.join(Some("desk")));
    let to = id(&w, one);
    assert_eq!(w.ask(desk, message(&to, "psst")), ["delivered"]);
    assert_eq!(w.told(one), ["psst"]);
    assert!(w.told(other).is_empty());
    w.drop_conn(one);
    assert_eq!(w.ask(desk, message(&to, "psst")), ["bot_not_found"]);
}

#[test]
fn another_tenants_names_are_nobodys() {
    let mut w = World::plain();
    let bob = w.arrive(Some(key("bob", 0)), Some("tablet"));
    w.text(bob, register("bot_b").to_string());
    let phone = w.join(Some("phone"));
    let theirs = [
        id(&w, bob),
        "bot_b".into(),
        "tablet".into(),
        "client_bob".into(),
    ];
    let refusal = |w: &mut World, to: &str| -> Value {
        w.text(phone, message(to, "hi").to_string());
        w.take(phone).remove(0)
    };
    let unknown = refusal(&mut w, "nobody");
    assert_eq!(unknown["data"]["reason"], "bot_not_found");
    for to in theirs {
        assert_eq!(refusal(&mut w, &to), unknown, "{to}");
    }
}

#[test]
fn what_a_token_may_not_address_it_cannot_tell_from_nobody() {
    let mut w = World::plain();
    let (phone, bot) = (w.join(Some("desk")), w.join_bot(&["bot_a", "bot_b"]));
    let chat = w.arrive(
        Some(token(TokenScope::Chat, Some(&["bot_a"]), START_MS, 60)),
        None,
    );
    w.told(chat);
    assert_eq!(w.ask(chat, message("bot_a", "hi")), ["delivered"]);
    for to in ["bot_b", "desk", &id(&w, phone), "nobody"] {
        assert_eq!(w.ask(chat, message(to, "hi")), ["bot_not_found"], "{to}");
    }
    assert_eq!(w.ask(chat, register("bot_a")), ["forbidden_scope"]);
    w.told(bot);
    let claims = token(TokenScope::Bot, Some(&["bot_c"]), START_MS, 60);
    let process = w.arrive(Some(claims), None);
    w.told(process);
    assert_eq!(w.ask(process, register("bot_a")), ["forbidden_scope"]);
    assert_eq!(w.ask(process, register("bot_c")), ["bot_registered"]);
    let say = |to: &str| json!({"type": "message", "data": {"to": to, "from": "bot_c"}});
    assert_eq!(w.ask(process, say("desk")), ["delivered"]);
    assert_eq!(w.ask(process, say("bot_a")), ["bot_not_found"]);
    assert_eq!(
        w.ask(process, message("desk", "as nobody")),
        ["missing_field"]
    );
}

#[test]
fn nobody_speaks_in_anothers_name() {
    let mut w = World::plain();
    let (phone, bot) = (w.join(Some("phone")), w.join_bot(&["bot_a"]));
    for from in ["bot_a", "desk", "client_alice", "bot_z"] {
        let forged = json!({"type": "message", "data": {"to": "bot_a", "from": from}});
        assert_eq!(w.ask(phone, forged), ["not_your_identity"], "{from}");
    }
    let own = json!({"type": "message", "data": {"to": "phone", "from": "bot_a"}});
    w.text(bot, own.to_string());
    let told = w.take(phone);
    assert_eq!(told[0]["data"]["from"], "bot_a");
    assert_eq!(told[0]["data"]["connectionId"], id(&w, bot));
}

#[test]
fn names_are_known_for_a_day() {
    let mut w = World::plain();
    let (bot, phone) = (w.join_bot(&["bot_a"]), w.join(Some("phone")));
    let desk = w.join(Some("desk"));
    w.drop_conn(bot);
    w.drop_conn(phone);
    w.pass_alive(REMEMBER_MS - 1000);
    assert_eq!(w.told(desk), ["offline"]);
    assert_eq!(w.ask(desk, message("bot_a", "hi")), ["bot_offline"]);
    assert_eq!(w.ask(desk, message("phone", "hi")), ["recipient_offline"]);
    w.pass_alive(20 * 60 * 1000);
    assert_eq!(w.ask(desk, message("bot_a", "hi")), ["bot_not_found"]);
    assert_eq!(w.ask(desk, message("phone", "hi")), ["bot_not_found"]);
}

#[test]
fn an_empty_tenant_is_forgotten_and_remembered_by_the_store() {
    let mut w = World::plain();
    let bot = w.join_bot(&["bot_a"]);
    w.drop_conn(bot);
    w.pass(TENANT_LINGER_MS - 1);
    assert_eq!(w.shard.tenants(), 1);
    w.pass(1);
    assert_eq!(w.shard.tenants(), 0);
    assert_eq!(w.snapshot(&alice()).bots.len(), 1);
    let phone = w.join(Some("phone"));
    assert_eq!(w.ask(phone, message("bot_a", "hi")), ["bot_offline"]);
}

#[test]
fn for_a_while_after_the_start_no_name_is_unknown() {
    let grace_until_ms = START_MS + 60_000;
    let mut w = World::new(Settings {
        grace_until_ms,
        ..Settings::default()
    });
    let (phone, other) = (w.join(Some("phone")), w.arrive(Some(key("bob", 0)), None));
    w.told(other);
    w.pass_alive(59_999);
    assert_eq!(w.ask(phone, message("bot_a", "hi")), ["bot_offline"]);
    assert_eq!(
        w.ask(other, message("phone", "hi")),
        ["bot_offline"],
        "to every tenant alike"
    );
    w.pass(1);
    assert_eq!(w.ask(phone, message("bot_a", "hi")), ["bot_not_found"]);
}

#[test]
fn among_several_nodes_a_name_is_unknown_from_the_start() {
    let mut w = World::of_three();
    w.settings = std::sync::Arc::new(Settings {
        grace_until_ms: START_MS + 60_000,
        ..Settings::default()
    });
    let phone = w.join(Some("phone"));
    assert_eq!(w.ask(phone, message("bot_a", "hi")), ["bot_not_found"]);
}
