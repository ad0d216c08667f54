//! The settings change while tenants are in memory: what follows holds at once, and nobody is sent away for it.

use std::sync::Arc;

use protocol::lane::KeyId;
use protocol::{CloseCode, Limits};
use router_core::Settings;
use router_core::store::PolicyQuery;
use router_core::terms::TenantSettings;

use crate::talk::{alice, key, message, register};
use crate::world::{KEYRING, World};

impl World {
    fn limit(&mut self, bots_per_tenant: u32) {
        let limits = Limits {
            bots_per_tenant,
            ..Limits::default()
        };
        self.reconfigure(|settings| settings.limits = Arc::new(limits));
    }

    fn says_file(&mut self, generation: u64, suspended: bool) {
        let said = TenantSettings {
            key_generation: generation,
            suspended,
            ..TenantSettings::default()
        };
        self.reconfigure(|settings| drop(settings.tenants.insert(alice(), said)));
    }
}

#[test]
fn a_limit_below_what_is_used_refuses_what_comes_next() {
    let mut w = World::plain();
    let bot = w.join_bot(&["bot_a", "bot_b"]);
    let phone = w.join(None);
    w.limit(1);
    assert_eq!(w.ask(bot, register("bot_c")), ["quota_exceeded"]);
    assert_eq!(w.ask(phone, message("bot_b", "hello")), ["delivered"]);
    assert_eq!((w.closed(bot), w.closed(phone)), (None, None));
    w.limit(3);
    assert_eq!(w.ask(bot, register("bot_c")), ["hello", "bot_registered"]);
}

#[test]
fn the_file_suspends_and_resumes_and_an_order_outlasts_it() {
    let mut w = World::plain();
    let phone = w.join(None);
    w.says_file(0, true);
    assert_eq!(w.closed(phone), Some(CloseCode::Suspended));
    w.says_file(0, false);
    let phone = w.join(None);
    w.policy(&alice(), PolicyQuery::Suspend(true));
    assert_eq!(w.closed(phone), Some(CloseCode::Suspended));
    w.says_file(0, true);
    w.says_file(0, false);
    let phone = w.arrive(Some(key("alice", 0)), None);
    assert_eq!(
        w.closed(phone),
        Some(CloseCode::Suspended),
        "the order holds"
    );
    w.policy(&alice(), PolicyQuery::Suspend(false));
    w.join(None);
}

#[test]
fn a_key_generation_of_the_file_rises_and_never_falls() {
    let mut w = World::plain();
    let phone = w.join(None);
    w.says_file(1, false);
    assert_eq!(w.closed(phone), Some(CloseCode::Unauthorized));
    let newer = w.arrive(Some(key("alice", 1)), None);
    w.says_file(0, false);
    assert_eq!(w.closed(newer), None);
    let older = w.arrive(Some(key("alice", 0)), None);
    assert_eq!(w.closed(older), Some(CloseCode::Unauthorized));
}

#[test]
fn sockets_are_counted_by_the_secret_that_is_the_first_now() {
    let own = KEYRING.first_id();
    let mut w = World::new(Settings {
        first_secret: own,
        ..Settings::default()
    });
    w.join(None);
    assert_eq!(w.shard.sockets_by_secret(), [1, 0]);
    w.reconfigure(|settings| settings.first_secret = KeyId::from_bits(7));
    assert_eq!(w.shard.sockets_by_secret(), [0, 1]);
    let second = w.join(None);
    assert_eq!(w.shard.sockets_by_secret(), [0, 2]);
    w.drop_conn(second);
    w.reconfigure(|settings| settings.first_secret = own);
    assert_eq!(w.shard.sockets_by_secret(), [1, 0]);
}
