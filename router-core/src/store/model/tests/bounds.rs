//! What is forgotten, and what a full store refuses.

use protocol::limits::REMEMBER_MS;
use protocol::{ClientId, ErrorCode, TenantId};

use super::asked::{ask, ask_of, bot, claim, conn, epoch, holder, release, snapshot};
use crate::store::{
    ConnRecord, DirectoryCaps, DirectoryQuery, DirectoryReply, Fence, Model, PolicyQuery,
    PolicyReply, StoreFailure, StoreReply, StoreRequest, TenantPolicy,
};

fn ver_of(model: &mut Model, tenant: &str) -> u64 {
    let version = DirectoryQuery::Version;
    match ask_of(model, tenant, version, DirectoryCaps::default(), 1) {
        Ok(DirectoryReply::Version(ver)) => ver,
        other => panic!("{other:?}"),
    }
}

#[test]
fn offline_bots_and_absent_clients_are_forgotten_after_a_day() {
    let mut model = Model::new(1 << 20);
    let epoch = epoch(ask(&mut model, claim("bot", 1), 1000));
    ask(&mut model, release(1, &[("bot", epoch)], &["phone"]), 2000).unwrap();
    let last = 2000 + REMEMBER_MS - 1;
    assert_eq!(snapshot(&mut model, last).clients.len(), 1);
    assert_eq!(snapshot(&mut model, last).bots.len(), 1);
    model.sweep(last + 1, 10);
    assert_eq!(model.bytes(), 0);
    assert_eq!(ver_of(&mut model, "alice"), 0, "the counter is gone too");
}

#[test]
fn a_full_store_refuses_to_grow_and_shrinks_to_nothing() {
    // A tenant alone may hold a ninth.
    let mut model = Model::new(9 * 600);
    let epochs = ["a", "b"].map(|bot| epoch(ask(&mut model, claim(bot, 1), 1000)));
    let full = Err(StoreFailure::Refused(ErrorCode::QuotaExceeded));
    assert_eq!(ask(&mut model, claim("c", 1), 1000), full);
    for (name, epoch) in ["a", "b"].into_iter().zip(epochs) {
        let fence = Some(Fence {
            conn: conn(1),
            epoch,
        });
        ask(
            &mut model,
            DirectoryQuery::Forget {
                bot: bot(name),
                fence,
            },
            1000,
        )
        .unwrap();
    }
    assert_eq!(model.bytes(), 0);
}

#[test]
fn sweeping_goes_round_all_tenants() {
    let mut model = Model::new(1 << 20);
    let names: Vec<_> = (0..7).map(|i| format!("t{i}")).collect();
    for name in &names {
        let seen = release(1, &[], &["phone"]);
        ask_of(&mut model, name, seen, DirectoryCaps::default(), 0).unwrap();
    }
    assert!(names.iter().all(|name| ver_of(&mut model, name) > 0));
    for _ in 0..5 {
        model.sweep(REMEMBER_MS, 2);
    }
    assert!(names.iter().all(|name| ver_of(&mut model, name) == 0));
}

#[test]
fn the_least_recently_seen_client_makes_room() {
    let caps = DirectoryCaps {
        clients: 3,
        ..DirectoryCaps::default()
    };
    let mut model = Model::new(1 << 20);
    let known = |model: &mut Model| {
        let clients = snapshot(model, 100).clients.into_iter();
        clients.map(|(id, _)| id.to_string()).collect::<Vec<_>>()
    };
    for (now_ms, name) in [(1, "a"), (2, "b"), (3, "c"), (4, "a")] {
        ask_of(&mut model, "alice", release(1, &[], &[name]), caps, now_ms).unwrap();
    }
    assert_eq!(known(&mut model), ["a", "b", "c"], "at the limit");
    ask_of(&mut model, "alice", release(1, &[], &["d"]), caps, 5).unwrap();
    assert_eq!(known(&mut model), ["a", "c", "d"], "above it");
    let none = DirectoryCaps { clients: 0, ..caps };
    ask_of(&mut model, "alice", release(1, &[], &["e"]), none, 6).unwrap();
    assert_eq!(known(&mut model), [""; 0]);
    assert_eq!(model.bytes(), 0);
}

#[test]
fn a_full_directory_takes_no_further_bot_or_connection() {
    let caps = DirectoryCaps {
        entries: 3,
        ..DirectoryCaps::default()
    };
    let mut model = Model::new(1 << 20);
    let enter = |by: u8| DirectoryQuery::Enter {
        conn: conn(by),
        record: ConnRecord {
            boot: holder(by).boot,
            client: ClientId::parse("phone").unwrap(),
        },
    };
    let full = Err(StoreFailure::Refused(ErrorCode::QuotaExceeded));
    for by in [1, 2] {
        let reply = ask_of(&mut model, "alice", enter(by), caps, 10);
        assert_eq!(reply, Ok(DirectoryReply::Done));
    }
    epoch(ask_of(&mut model, "alice", claim("a", 1), caps, 10));
    assert_eq!(ask_of(&mut model, "alice", enter(3), caps, 10), full);
    let another = ask_of(&mut model, "alice", claim("b", 1), caps, 10);
    assert_eq!(another, full);
    let again = ask_of(&mut model, "alice", enter(2), caps, 10);
    assert_eq!(again, Ok(DirectoryReply::Done), "a known one is no more");
    epoch(ask_of(&mut model, "alice", claim("a", 1), caps, 10));
}

/// 13 tenants that make up client ids, as many as they like.
#[test]
fn invented_client_ids_do_not_fill_the_store() {
    let greedy = DirectoryCaps {
        clients: u32::MAX,
        ..DirectoryCaps::default()
    };
    for caps in [DirectoryCaps::default(), greedy] {
        let mut model = Model::new(16 << 20);
        for round in 0..30 {
            for tenant in 0..13 {
                let names: Vec<_> = (0..256).map(|n| format!("made-up-{round}-{n}")).collect();
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                let tenant = format!("greedy{tenant}");
                ask_of(&mut model, &tenant, release(1, &[], &names), caps, 10).unwrap();
            }
        }
        assert!(model.bytes() < 11 << 20, "{} bytes", model.bytes());
        for i in 0..100 {
            epoch(ask(&mut model, claim(&format!("bot_{i}"), 1), 1000));
        }
    }
}

#[test]
fn a_revoked_key_stays_revoked() {
    let mut model = Model::new(1 << 20);
    let tenant = TenantId::parse("alice").unwrap();
    let revoke = StoreRequest {
        tenant: tenant.clone(),
        now_ms: 1,
        query: PolicyQuery::Revoke.into(),
    };
    let policy = |generation, suspended| TenantPolicy {
        generation,
        suspended,
        assigned: None,
    };
    let revoked = StoreReply::Policy(PolicyReply::Changed(policy(1, false)));
    assert_eq!(model.execute(revoke).0, Ok(revoked));
    for restored in [policy(5, true), policy(2, false)] {
        model.restore(tenant.clone(), restored);
    }
    assert_eq!(snapshot(&mut model, 1).policy, policy(5, true));
    model.sweep(REMEMBER_MS * 9, 10);
    assert_eq!(model.policies().count(), 1);
    assert!(ver_of(&mut model, "alice") > 0, "its counter goes on");
}
