//! Random queries of a few bots, connections and nodes, at times that go back, to a store that
//! loses its data: each compared with the model.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use protocol::limits::REMEMBER_MS;
use protocol::presence::Takeover;
use router_core::store::{
    DirectoryCaps, DirectoryQuery, DirectoryReply, Model, PolicyQuery, StoreQuery, StoreReply,
};

use crate::harness::{Subject, at, request, url_of};
use crate::support::words::{assert, claim_with, enter, fence, forget, load, reap, release};

pub const CASES: u32 = 150;
const BOTS: [&str; 3] = ["a", "b.b", "c-1"];
/// What the asker has seen: the last claim.
const THE_LAST: u64 = u64::MAX;
const CLIENTS: [&str; 3] = ["anna", "bert", "c.d"];
/// Connections on three nodes.
const CONNS: [u8; 5] = [1, 2, 11, 12, 21];

/// What happens. Epochs are picked from those given out so far.
#[derive(Debug, Clone)]
enum Act {
    Ask(StoreQuery),
    Assert(Vec<(&'static str, u8, usize)>, Vec<(u8, &'static str)>, u64),
    Release(u8, Vec<(&'static str, usize)>, Vec<&'static str>),
    Forget(&'static str, Option<(u8, usize)>),
    /// The store loses its data.
    Lose,
    /// The store loses its scripts.
    Unlearn,
}

fn queries() -> impl Strategy<Value = StoreQuery> {
    let evicted = || vec(0..3u8, 0..2);
    prop_oneof![
        2 => evicted().prop_map(|boots| load(&boots).into()),
        2 => evicted().prop_map(|boots| reap(&boots).into()),
        1 => Just(DirectoryQuery::Version.into()),
        1 => Just(PolicyQuery::Revoke.into()),
        1 => any::<bool>().prop_map(|on| PolicyQuery::Suspend(on).into()),
        4 => (select(&CONNS), select(&CLIENTS)).prop_map(|(by, name)| enter(by, name).into()),
        8 => (select(&BOTS), select(&CONNS), any::<bool>(), evicted()).prop_map(
            |(bot, by, rejects, boots)| {
                let takeover = if rejects { Takeover::Reject } else { Takeover::Replace };
                claim_with(bot, by, takeover, &boots).into()
            }
        ),
    ]
}

fn acts() -> impl Strategy<Value = Act> {
    let asserted = (
        vec((select(&BOTS), select(&CONNS), any::<usize>()), 0..4),
        vec((select(&CONNS), select(&CLIENTS)), 0..3),
        0..4u64,
    );
    let released = (
        select(&CONNS),
        vec((select(&BOTS), any::<usize>()), 0..3),
        vec(select(&CLIENTS), 0..3),
    );
    let forgotten = (
        select(&BOTS),
        prop::option::of((select(&CONNS), any::<usize>())),
    );
    prop_oneof![
        19 => queries().prop_map(Act::Ask),
        4 => asserted.prop_map(|(bots, conns, generation)| Act::Assert(bots, conns, generation)),
        6 => released.prop_map(|(by, bots, seen)| Act::Release(by, bots, seen)),
        3 => forgotten.prop_map(|(bot, fence)| Act::Forget(bot, fence)),
        1 => Just(Act::Lose),
        1 => Just(Act::Unlearn),
    ]
}

/// Mostly moments apart, forward and back; at times a day.
fn times() -> impl Strategy<Value = (u64, u64)> {
    let now_ms = prop_oneof![9 => 1..40u64, 1 => REMEMBER_MS..REMEMBER_MS + 40];
    let known =
        prop_oneof![4 => Just(THE_LAST), 2 => Just(0), 1 => 1..100_000u64, 1 => Just(1 << 52)];
    (now_ms, known)
}

/// Mostly so few that they are reached.
fn caps() -> impl Strategy<Value = DirectoryCaps> {
    let few = (0..4u32, 1..8u32).prop_map(|(clients, entries)| DirectoryCaps { clients, entries });
    prop_oneof![2 => few, 1 => Just(DirectoryCaps::default())]
}

fn resolve(act: Act, epochs: &[u64]) -> Option<StoreQuery> {
    let epoch = |pick: usize| match epochs {
        [] => 1,
        epochs => epochs[pick % epochs.len()],
    };
    Some(match act {
        Act::Ask(query) => query,
        Act::Assert(bots, conns, generation) => {
            let bots: Vec<_> = bots
                .into_iter()
                .map(|(bot, by, pick)| (bot, by, epoch(pick)))
                .collect();
            assert(&bots, &conns, generation).into()
        }
        Act::Release(by, bots, seen) => {
            let bots: Vec<_> = bots
                .into_iter()
                .map(|(bot, pick)| (bot, epoch(pick)))
                .collect();
            release(by, &bots, &seen).into()
        }
        Act::Forget(bot, held) => forget(bot, held.map(|(by, pick)| fence(by, epoch(pick)))).into(),
        Act::Lose | Act::Unlearn => return None,
    })
}

pub fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        max_shrink_iters: 300,
        failure_persistence: None,
        ..Config::default()
    })
}

#[test]
fn redis_answers_as_the_model_does() {
    let Some(redis) = fixtures::RedisServer::start() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let subject = runtime.block_on(Subject::connect(&url_of(&redis)));
    let subject = std::cell::RefCell::new(subject);
    let outcome = runner(CASES).run(&(vec((acts(), times()), 1..40), caps()), |(acts, caps)| {
        let mut subject = subject.borrow_mut();
        let mut model = Model::new(1 << 30);
        let mut epochs = Vec::new();
        redis.command(&["FLUSHALL"]);
        let tenant = runtime.block_on(subject.fresh_tenant());
        for (act, (now_ms, known_ver)) in acts {
            if matches!(act, Act::Lose) {
                redis.command(&["FLUSHALL"]);
                model.lose_all();
            }
            if matches!(act, Act::Unlearn) {
                redis.command(&["SCRIPT", "FLUSH"]);
            }
            let Some(query) = resolve(act, &epochs) else {
                continue;
            };
            let known_ver = match known_ver {
                THE_LAST => epochs.last().copied().unwrap_or(0),
                other => other,
            };
            let step = at(now_ms, query).knowing(known_ver).capped(caps);
            let right = model.execute(request(&tenant, step.clone()));
            let said = runtime.block_on(subject.step(&tenant, step.clone()));
            prop_assert_eq!(&said, &right, "{:?}", step);
            if let Ok(StoreReply::Directory(
                DirectoryReply::Claimed { epoch, .. } | DirectoryReply::Newer(epoch),
            )) = said.0
            {
                epochs.push(epoch);
            }
        }
        Ok(())
    });
    outcome.unwrap();
}
