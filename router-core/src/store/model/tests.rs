use super::*;
use crate::store::{DirectoryCaps, Holder};

fn step(model: &mut Model, ask: Ask, now_ms: Millis) -> (Reply, Option<Event>) {
    model.execute(Request {
        tenant: TenantId::parse("alice").unwrap(),
        ask,
        known_ver: 0,
        now_ms,
        caps: DirectoryCaps::default(),
    })
}

fn ask(model: &mut Model, ask: Ask, now_ms: Millis) -> Reply {
    step(model, ask, now_ms).0
}

/// Takes a bot over, from whoever has it.
fn take(model: &mut Model, bot: &str, by: u8, now_ms: Millis) -> u64 {
    let known_ver = snapshot(model, 0).ver;
    let (reply, _) = model.execute(Request {
        tenant: TenantId::parse("alice").unwrap(),
        ask: claim(bot, by),
        known_ver,
        now_ms,
        caps: DirectoryCaps::default(),
    });
    epoch(reply)
}

fn conn(i: u8) -> ConnectionId {
    ConnectionId::from_ulid(&format!("{i:026}")).unwrap()
}

/// Connections 1 to 9 are on the first node, 10 to 19 on the second, ….
fn holder(i: u8) -> Holder {
    let boot = BootId::from_bits(u128::from(i / 10));
    Holder {
        boot,
        conn: conn(i),
    }
}

fn bot(name: &str) -> BotId {
    BotId::parse(name).unwrap()
}

fn info(name: &str) -> BotInfo {
    BotInfo {
        id: bot(name),
        name: "Bot".into(),
        kind: "bot".into(),
        description: String::new(),
        capabilities: vec![],
        status: BotState::Offline,
        since: 0,
    }
}

fn claim_with(bot: &str, by: u8, takeover: Takeover, dead: &[BootId]) -> Ask {
    Ask::Claim(Box::new(Claim {
        holder: holder(by),
        bot: info(bot),
        instance: None,
        takeover,
        dead: dead.into(),
    }))
}

fn claim(bot: &str, by: u8) -> Ask {
    claim_with(bot, by, Takeover::Replace, &[])
}

fn release(by: u8, bots: &[(&str, u64)], seen: &[&str]) -> Ask {
    let fence = |epoch| Fence {
        conn: conn(by),
        epoch,
    };
    Ask::Release(Box::new(Release {
        conns: vec![conn(by)],
        bots: bots.iter().map(|(id, it)| (bot(id), fence(*it))).collect(),
        seen: seen.iter().map(|id| ClientId::parse(id).unwrap()).collect(),
    }))
}

fn epoch(reply: Reply) -> u64 {
    let Reply::Claimed { epoch, .. } = reply else {
        panic!("{reply:?}")
    };
    epoch
}

fn load(dead: &[BootId]) -> Ask {
    Ask::Load { dead: dead.into() }
}

fn snapshot(model: &mut Model, now_ms: Millis) -> Snapshot {
    let Reply::Loaded(snapshot) = ask(model, load(&[]), now_ms) else {
        panic!()
    };
    *snapshot
}

#[test]
fn epochs_rise_and_the_same_connection_keeps_its_own() {
    let mut model = Model::new(1 << 20);
    let first = epoch(ask(&mut model, claim("bot", 1), 1000));
    assert_eq!(first, 1_000_000);
    let (again, event) = step(&mut model, claim("bot", 1), 2000);
    assert_eq!((epoch(again), event), (first, None));
    let second = take(&mut model, "bot", 2, 500);
    let why = "a clock that went back does not take the epoch along";
    assert_eq!(second, first + 1, "{why}");
}

#[test]
fn the_counter_is_above_whatever_the_asker_has_seen() {
    let mut model = Model::new(1 << 20);
    let tenant = TenantId::parse("alice").unwrap();
    let (reply, event) = model.execute(Request {
        tenant,
        ask: claim("bot", 1),
        known_ver: 5_000_000,
        now_ms: 1000,
        caps: DirectoryCaps::default(),
    });
    assert_eq!(epoch(reply), 5_000_001);
    let event = event.unwrap();
    assert_eq!((event.prev, event.ver), (0, 5_000_001));
    assert_eq!(ask(&mut model, Ask::Version, 1), Reply::Version(5_000_001));
}

#[test]
fn a_directory_is_known_by_its_first_step() {
    let mut model = Model::new(1 << 20);
    assert_eq!(snapshot(&mut model, 1).born, 0);
    let first = epoch(ask(&mut model, claim("a", 1), 1000));
    epoch(ask(&mut model, claim("b", 1), 2000));
    assert_eq!(snapshot(&mut model, 2000).born, first);
    model.lose_all();
    let again = epoch(ask(&mut model, claim("a", 1), 3000));
    assert_eq!(snapshot(&mut model, 3000).born, again);
}

#[test]
fn only_the_present_holder_releases() {
    let mut model = Model::new(1 << 20);
    let old = epoch(ask(&mut model, claim("bot", 1), 1000));
    let new = take(&mut model, "bot", 2, 1001);
    for (by, epoch) in [(1, old), (1, new), (2, old)] {
        ask(&mut model, release(by, &[("bot", epoch)], &[]), 1002);
        assert_eq!(snapshot(&mut model, 1002).bots[0].holder, Some(holder(2)));
    }
    let (_, event) = step(&mut model, release(2, &[("bot", new)], &[]), 1003);
    let bots = snapshot(&mut model, 1003).bots;
    assert_eq!((&bots[0].holder, bots[0].info.since), (&None, 1003));
    assert_eq!(
        event.unwrap().changes,
        [Change::Bot(Box::new(bots[0].clone()))]
    );
}

#[test]
fn a_claim_that_yields_is_refused_unless_the_holder_is_buried() {
    let mut model = Model::new(1 << 20);
    ask(&mut model, claim("bot", 1), 1000);
    let reply = ask(
        &mut model,
        claim_with("bot", 11, Takeover::Reject, &[]),
        1001,
    );
    assert_eq!(reply, Reply::Refused(ErrorCode::AlreadyRegistered));
    let dead = [holder(1).boot];
    epoch(ask(
        &mut model,
        claim_with("bot", 11, Takeover::Reject, &dead),
        1002,
    ));
}

#[test]
fn what_the_buried_held_is_let_go() {
    let mut model = Model::new(1 << 20);
    let record = |by| ConnRecord {
        boot: holder(by).boot,
        client: ClientId::parse("phone").unwrap(),
    };
    for by in [1, 11] {
        let record = record(by);
        let conn = conn(by);
        ask(&mut model, Ask::Enter { conn, record }, 1000);
        ask(&mut model, claim(&format!("bot-{by}"), by), 1000);
    }
    let dead = [holder(1).boot];
    let Reply::Loaded(left) = ask(&mut model, load(&dead), 2000) else {
        panic!()
    };
    assert_eq!(left.conns, [(conn(11), record(11))]);
    let homes: Vec<_> = left.bots.iter().map(|bot| bot.holder.clone()).collect();
    assert_eq!(homes, [None, Some(holder(11))]);
    assert_eq!(left.clients, [(record(1).client, 2000)]);
    let reap = Ask::Reap { dead: dead.into() };
    assert_eq!(
        step(&mut model, reap, 3000),
        (Reply::Done, None),
        "it is done already"
    );
}

#[test]
fn an_assertion_is_taken_if_nothing_newer_stands_there() {
    let mut model = Model::new(1 << 20);
    let held = epoch(ask(&mut model, claim("held", 1), 1000));
    let taken = epoch(ask(&mut model, claim("taken", 1), 1000));
    let newer = take(&mut model, "taken", 11, 1001);
    let reborn = BootId::from_bits(9);
    let record = |name: &str, epoch| BotRecord {
        info: BotInfo {
            status: BotState::Online,
            ..info(name)
        },
        holder: Some(Holder {
            boot: reborn,
            conn: conn(1),
        }),
        epoch,
        instance: None,
    };
    let bots = vec![
        record("held", held),
        record("taken", taken),
        record("lost", 7),
    ];
    let assert = Ask::Assert(Box::new(Assert {
        boot: reborn,
        bots: bots.clone(),
        conns: vec![],
        generation: 3,
    }));
    let reply = ask(&mut model, assert, 2000);
    assert_eq!(
        reply,
        Reply::Asserted(vec![(bot("taken"), Some(holder(11)))])
    );
    let snapshot = snapshot(&mut model, 2000);
    assert_eq!(snapshot.policy.generation, 3);
    assert_eq!(snapshot.bots[..2], [bots[0].clone(), bots[2].clone()]);
    assert_eq!(snapshot.bots[2].epoch, newer);
}

#[test]
fn a_bot_is_forgotten_by_its_holder_or_when_it_has_none() {
    let mut model = Model::new(1 << 20);
    let held = epoch(ask(&mut model, claim("bot", 1), 1000));
    let forget = |epoch: Option<u64>| Ask::Forget {
        bot: bot("bot"),
        fence: epoch.map(|epoch| Fence {
            conn: conn(1),
            epoch,
        }),
    };
    for fence in [None, Some(held - 1)] {
        let reply = ask(&mut model, forget(fence), 1001);
        assert_eq!(reply, Reply::Refused(ErrorCode::NotYourIdentity));
    }
    let (reply, event) = step(&mut model, forget(Some(held)), 1001);
    assert_eq!(reply, Reply::Done);
    assert_eq!(event.unwrap().changes, [Change::Forgotten(bot("bot"))]);
    let held = take(&mut model, "bot", 1, 1002);
    ask(&mut model, release(1, &[("bot", held)], &[]), 1003);
    assert_eq!(ask(&mut model, forget(None), 1004), Reply::Done);
    assert_eq!(snapshot(&mut model, 1004).bots, []);
}

#[test]
fn offline_bots_and_absent_clients_are_forgotten_after_a_day() {
    let mut model = Model::new(1 << 20);
    let epoch = epoch(ask(&mut model, claim("bot", 1), 1000));
    ask(&mut model, release(1, &[("bot", epoch)], &["phone"]), 2000);
    let last = 2000 + REMEMBER_MS - 1;
    assert_eq!(snapshot(&mut model, last).clients.len(), 1);
    assert_eq!(snapshot(&mut model, last).bots.len(), 1);
    model.sweep(last + 1, 10);
    assert_eq!((model.bytes(), model.tenants.len()), (0, 0));
}

#[test]
fn a_full_store_refuses_to_grow_and_shrinks_to_nothing() {
    // A tenant alone may hold a ninth.
    let mut model = Model::new(9 * 600);
    let epochs = ["a", "b"].map(|bot| epoch(ask(&mut model, claim(bot, 1), 1000)));
    let full = Reply::Refused(ErrorCode::QuotaExceeded);
    assert_eq!(ask(&mut model, claim("c", 1), 1000), full);
    for (name, epoch) in ["a", "b"].into_iter().zip(epochs) {
        let fence = Some(Fence {
            conn: conn(1),
            epoch,
        });
        ask(
            &mut model,
            Ask::Forget {
                bot: bot(name),
                fence,
            },
            1000,
        );
    }
    assert_eq!(model.bytes(), 0);
}

#[test]
fn policies_are_kept_by_the_highest_generation() {
    let mut model = Model::new(1 << 20);
    let policy = |generation, suspended| Policy {
        generation,
        suspended,
    };
    assert_eq!(
        ask(&mut model, Ask::Revoke, 1),
        Reply::Policy(policy(1, false))
    );
    for restored in [policy(5, true), policy(2, false)] {
        model.restore(TenantId::parse("alice").unwrap(), restored);
    }
    assert_eq!(snapshot(&mut model, 1).policy, policy(5, true));
    model.sweep(REMEMBER_MS * 9, 10);
    assert_eq!(model.policies().count(), 1, "a revoked key stays revoked");
}

#[test]
fn sweeping_goes_round_all_tenants() {
    let mut model = Model::new(1 << 20);
    for i in 0..7 {
        model.execute(Request {
            tenant: TenantId::parse(&format!("t{i}")).unwrap(),
            ask: release(1, &[], &["phone"]),
            known_ver: 0,
            now_ms: 0,
            caps: DirectoryCaps::default(),
        });
    }
    assert_eq!(model.tenants.len(), 7);
    for _ in 0..5 {
        model.sweep(REMEMBER_MS, 2);
    }
    assert_eq!(model.tenants.len(), 0);
}

#[test]
fn a_claim_that_comes_late_does_not_displace_a_newer_home() {
    let mut model = Model::new(1 << 20);
    let first = take(&mut model, "bot", 1, 1000);
    let late = Request {
        tenant: TenantId::parse("alice").unwrap(),
        ask: claim("bot", 11),
        known_ver: first,
        now_ms: 3000,
        caps: DirectoryCaps::default(),
    };
    let second = take(&mut model, "bot", 2, 2000);
    let (reply, event) = model.execute(late.clone());
    assert_eq!((reply, event), (Reply::Newer(second), None));
    assert_eq!(snapshot(&mut model, 3000).bots[0].holder, Some(holder(2)));
    ask(&mut model, release(2, &[("bot", second)], &[]), 3000);
    let (reply, _) = model.execute(late);
    assert!(epoch(reply) > second, "nobody has it now");
}

/// A question of a tenant under given caps.
fn ask_of(model: &mut Model, tenant: &str, ask: Ask, caps: DirectoryCaps, now_ms: Millis) -> Reply {
    let tenant = TenantId::parse(tenant).unwrap();
    let known_ver = 0;
    let request = Request {
        tenant,
        ask,
        known_ver,
        now_ms,
        caps,
    };
    model.execute(request).0
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
        ask_of(&mut model, "alice", release(1, &[], &[name]), caps, now_ms);
    }
    assert_eq!(known(&mut model), ["a", "b", "c"], "at the limit");
    ask_of(&mut model, "alice", release(1, &[], &["d"]), caps, 5);
    assert_eq!(known(&mut model), ["a", "c", "d"], "above it");
    let none = DirectoryCaps { clients: 0, ..caps };
    ask_of(&mut model, "alice", release(1, &[], &["e"]), none, 6);
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
    let enter = |by: u8| Ask::Enter {
        conn: conn(by),
        record: ConnRecord {
            boot: holder(by).boot,
            client: ClientId::parse("phone").unwrap(),
        },
    };
    let full = Reply::Refused(ErrorCode::QuotaExceeded);
    for by in [1, 2] {
        let reply = ask_of(&mut model, "alice", enter(by), caps, 10);
        assert_eq!(reply, Reply::Done);
    }
    epoch(ask_of(&mut model, "alice", claim("a", 1), caps, 10));
    assert_eq!(ask_of(&mut model, "alice", enter(3), caps, 10), full);
    let another = ask_of(&mut model, "alice", claim("b", 1), caps, 10);
    assert_eq!(another, full);
    let again = ask_of(&mut model, "alice", enter(2), caps, 10);
    assert_eq!(again, Reply::Done, "a known one is no more");
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
                ask_of(&mut model, &tenant, release(1, &[], &names), caps, 10);
            }
        }
        assert!(model.bytes() < 11 << 20, "{} bytes", model.bytes());
        for i in 0..100 {
            epoch(ask(&mut model, claim(&format!("bot_{i}"), 1), 1000));
        }
    }
}
