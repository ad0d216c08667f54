//! Revoked, suspended, expired: who may stay, and who may come back.

use protocol::CloseCode;
use router_core::Settings;
use router_core::auth::TokenScope;
use router_core::session::SessionInput;
use router_core::store::PolicyQuery;
use router_core::terms::TenantSettings;

use crate::talk::{alice, key, message, token};
use crate::world::{START_MS, World};

#[test]
fn a_revoke_ends_every_socket_of_the_old_generation() {
    let mut w = World::plain();
    let (phone, bot) = (w.join(Some("phone")), w.join_bot(&["bot_a"]));
    let other = w.arrive(Some(key("bob", 0)), None);
    w.policy(&alice(), PolicyQuery::Revoke);
    assert_eq!(w.closed(phone), Some(CloseCode::Unauthorized));
    assert_eq!(w.closed(bot), Some(CloseCode::Unauthorized));
    assert_eq!(w.closed(other), None);

    let old = w.arrive(Some(key("alice", 0)), None);
    assert_eq!(w.told(old), ["connected", "auth_error", "unauthorized"]);
    assert_eq!(w.closed(old), Some(CloseCode::Unauthorized));
    let old = w.arrive(Some(token(TokenScope::Chat, None, START_MS, 3600)), None);
    assert_eq!(
        w.closed(old),
        Some(CloseCode::Unauthorized),
        "tokens have a generation too"
    );
    let new = w.arrive(Some(key("alice", 1)), None);
    assert_eq!(w.told(new), ["connected", "auth_ok", "bots_list"]);
    assert_eq!(w.ask(new, message("bot_a", "hello")), ["bot_offline"]);
}

#[test]
fn a_suspended_tenant_is_out_until_it_is_resumed() {
    let mut w = World::plain();
    let phone = w.join(Some("phone"));
    w.policy(&alice(), PolicyQuery::Suspend(true));
    assert_eq!(w.closed(phone), Some(CloseCode::Suspended));
    let again = w.arrive(Some(key("alice", 0)), None);
    assert_eq!(
        w.told(again),
        ["connected", "auth_error", "tenant_suspended"]
    );
    assert_eq!(w.closed(again), Some(CloseCode::Suspended));
    w.pass(120_000);
    assert_eq!(
        w.shard.tenants(),
        0,
        "it is forgotten, and its policy is not"
    );
    let again = w.arrive(Some(key("alice", 0)), None);
    assert_eq!(w.closed(again), Some(CloseCode::Suspended));
    w.policy(&alice(), PolicyQuery::Suspend(false));
    w.join(None);
}

#[test]
fn the_file_may_say_so_too_and_the_highest_generation_counts() {
    let own = TenantSettings {
        key_generation: 2,
        ..TenantSettings::default()
    };
    let tenants = [(alice(), own)].into();
    let mut w = World::new(Settings {
        tenants,
        ..Settings::default()
    });
    for generation in 0..4 {
        let conn = w.arrive(Some(key("alice", generation)), None);
        assert_eq!(
            w.closed(conn).is_none(),
            generation == 2,
            "generation {generation}"
        );
    }
    w.policy(&alice(), PolicyQuery::Revoke);
    let conn = w.arrive(Some(key("alice", 2)), None);
    assert_eq!(
        w.closed(conn),
        None,
        "the store's first is below the file's second"
    );
}

#[test]
fn a_suspension_before_the_first_answer_of_the_store_holds() {
    let mut w = World::plain();
    w.prompt = false;
    let early = w.arrive(Some(key("alice", 0)), None);
    w.policy(&alice(), PolicyQuery::Suspend(true));
    w.answer(&alice(), false);
    assert_eq!(
        w.told(early),
        ["connected", "auth_error", "tenant_suspended"]
    );
}

#[test]
fn a_token_ends_its_socket_when_it_ends() {
    let mut w = World::plain();
    let phone = w.arrive(Some(token(TokenScope::Chat, None, START_MS, 30)), None);
    w.pass(29_999);
    w.input(phone, SessionInput::Alive);
    assert_eq!(w.closed(phone), None);
    w.pass(1);
    assert_eq!(w.closed(phone), Some(CloseCode::TokenExpired));
    let desk = w.join(None);
    assert_eq!(
        w.ask(desk, message("phone", "hello")),
        ["recipient_offline"]
    );
}
