//! Who is the home of a bot.

use protocol::presence::{BotInfo, BotState, Takeover};
use protocol::{BootId, ClientId, ErrorCode};

use super::asked::{
    ask, bot, claim, claim_with, conn, epoch, execute, holder, info, load, release, request,
    snapshot, step, take,
};
use crate::store::{
    BotHolder, BotRecord, ConnRecord, DirectoryCaps, DirectoryChange, DirectoryQuery,
    DirectoryReply, Fence, HeldEntries, Model, StoreFailure,
};

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
    let caps = DirectoryCaps::default();
    let request = request("alice", claim("bot", 1), (1000, 5_000_000), caps);
    let (reply, event) = execute(&mut model, request);
    assert_eq!(epoch(reply), 5_000_001);
    let event = event.unwrap();
    assert_eq!((event.prev, event.ver), (0, 5_000_001));
    assert_eq!(
        ask(&mut model, DirectoryQuery::Version, 1),
        Ok(DirectoryReply::Version(5_000_001))
    );
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
        ask(&mut model, release(by, &[("bot", epoch)], &[]), 1002).unwrap();
        assert_eq!(snapshot(&mut model, 1002).bots[0].holder, Some(holder(2)));
    }
    let (_, event) = step(&mut model, release(2, &[("bot", new)], &[]), 1003);
    let bots = snapshot(&mut model, 1003).bots;
    assert_eq!((&bots[0].holder, bots[0].info.since), (&None, 1003));
    assert_eq!(
        event.unwrap().changes,
        [DirectoryChange::Bot(Box::new(bots[0].clone()))]
    );
}

#[test]
fn a_claim_that_yields_is_refused_unless_the_holder_is_evicted() {
    let mut model = Model::new(1 << 20);
    ask(&mut model, claim("bot", 1), 1000).unwrap();
    let reply = ask(
        &mut model,
        claim_with("bot", 11, Takeover::Reject, &[]),
        1001,
    );
    assert_eq!(
        reply,
        Err(StoreFailure::Refused(ErrorCode::AlreadyRegistered))
    );
    let dead = [holder(1).boot];
    epoch(ask(
        &mut model,
        claim_with("bot", 11, Takeover::Reject, &dead),
        1002,
    ));
}

#[test]
fn what_the_evicted_held_is_released() {
    let mut model = Model::new(1 << 20);
    let record = |by| ConnRecord {
        boot: holder(by).boot,
        client: ClientId::parse("phone").unwrap(),
    };
    for by in [1, 11] {
        let record = record(by);
        let conn = conn(by);
        ask(&mut model, DirectoryQuery::Enter { conn, record }, 1000).unwrap();
        ask(&mut model, claim(&format!("bot-{by}"), by), 1000).unwrap();
    }
    let dead = [holder(1).boot];
    let Ok(DirectoryReply::Loaded(left)) = ask(&mut model, load(&dead), 2000) else {
        panic!()
    };
    assert_eq!(left.conns, [(conn(11), record(11))]);
    let homes: Vec<_> = left.bots.iter().map(|bot| bot.holder.clone()).collect();
    assert_eq!(homes, [None, Some(holder(11))]);
    assert_eq!(left.clients, [(record(1).client, 2000)]);
    let reap = DirectoryQuery::Reap { dead: dead.into() };
    assert_eq!(
        step(&mut model, reap, 3000),
        (Ok(DirectoryReply::Done), None),
        "it is done already"
    );
}

#[test]
fn an_assertion_is_taken_if_nothing_newer_stands_there() {
    let mut model = Model::new(1 << 20);
    let held = epoch(ask(&mut model, claim("held", 1), 1000));
    let taken = epoch(ask(&mut model, claim("taken", 1), 1000));
    let newer = take(&mut model, "taken", 11, 1001);
    let rejoined = BootId::from_bits(9);
    let record = |name: &str, epoch| BotRecord {
        info: BotInfo {
            status: BotState::Online,
            ..info(name)
        },
        holder: Some(BotHolder {
            boot: rejoined,
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
    let assert = DirectoryQuery::Assert(Box::new(HeldEntries {
        boot: rejoined,
        bots: bots.clone(),
        conns: vec![],
        generation: 3,
    }));
    let reply = ask(&mut model, assert, 2000);
    assert_eq!(
        reply,
        Ok(DirectoryReply::Asserted(vec![(
            bot("taken"),
            Some(holder(11))
        )]))
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
    let forget = |epoch: Option<u64>| DirectoryQuery::Forget {
        bot: bot("bot"),
        fence: epoch.map(|epoch| Fence {
            conn: conn(1),
            epoch,
        }),
    };
    for fence in [None, Some(held - 1)] {
        let reply = ask(&mut model, forget(fence), 1001);
        assert_eq!(
            reply,
            Err(StoreFailure::Refused(ErrorCode::NotYourIdentity))
        );
    }
    let (reply, event) = step(&mut model, forget(Some(held)), 1001);
    assert_eq!(reply, Ok(DirectoryReply::Done));
    assert_eq!(
        event.unwrap().changes,
        [DirectoryChange::Forgotten(bot("bot"))]
    );
    let held = take(&mut model, "bot", 1, 1002);
    ask(&mut model, release(1, &[("bot", held)], &[]), 1003).unwrap();
    assert_eq!(
        ask(&mut model, forget(None), 1004),
        Ok(DirectoryReply::Done)
    );
    assert_eq!(snapshot(&mut model, 1004).bots, []);
}

#[test]
fn a_claim_that_comes_late_does_not_displace_a_newer_home() {
    let mut model = Model::new(1 << 20);
    let first = take(&mut model, "bot", 1, 1000);
    let caps = DirectoryCaps::default();
    let late = request("alice", claim("bot", 11), (3000, first), caps);
    let second = take(&mut model, "bot", 2, 2000);
    let (reply, event) = execute(&mut model, late.clone());
    assert_eq!((reply, event), (Ok(DirectoryReply::Newer(second)), None));
    assert_eq!(snapshot(&mut model, 3000).bots[0].holder, Some(holder(2)));
    ask(&mut model, release(2, &[("bot", second)], &[]), 3000).unwrap();
    let (reply, _) = execute(&mut model, late);
    assert!(epoch(reply) > second, "nobody has it now");
}
