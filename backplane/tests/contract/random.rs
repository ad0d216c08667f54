//! Random questions of a few bots, connections and nodes, at times that go back, to a store that
//! loses its data: each compared with the model.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use protocol::limits::REMEMBER_MS;
use protocol::presence::Takeover;
use router_core::store::nodes::{NodeAsk, NodesModel};
use router_core::store::{Ask, DirectoryCaps, Model, Reply};

use crate::harness::{Step, Subject, at, request, run, url_of};
use crate::words::{assert, boot, claim, claim_with, enter, fence, forget, load, reap, release};

const CASES: u32 = 150;
const BOTS: [&str; 3] = ["a", "b.b", "c-1"];
/// What the asker has seen: the last claim.
const THE_LAST: u64 = u64::MAX;
const CLIENTS: [&str; 3] = ["anna", "bert", "c.d"];
/// Connections on three nodes.
const CONNS: [u8; 5] = [1, 2, 11, 12, 21];

/// What happens. Epochs are picked from those given out so far.
#[derive(Debug, Clone)]
enum Act {
    Ask(Ask),
    Assert(Vec<(&'static str, u8, usize)>, Vec<(u8, &'static str)>, u64),
    Release(u8, Vec<(&'static str, usize)>, Vec<&'static str>),
    Forget(&'static str, Option<(u8, usize)>),
    /// The store loses its data.
    Lose,
    /// The store loses its scripts.
    Unlearn,
}

fn asks() -> impl Strategy<Value = Ask> {
    let buried = || vec(0..3u8, 0..2);
    prop_oneof![
        2 => buried().prop_map(|boots| load(&boots)),
        2 => buried().prop_map(|boots| reap(&boots)),
        1 => Just(Ask::Version),
        1 => Just(Ask::Revoke),
        1 => any::<bool>().prop_map(Ask::Suspend),
        4 => (select(&CONNS), select(&CLIENTS)).prop_map(|(by, name)| enter(by, name)),
        8 => (select(&BOTS), select(&CONNS), any::<bool>(), buried()).prop_map(
            |(bot, by, rejects, boots)| {
                let takeover = if rejects { Takeover::Reject } else { Takeover::Replace };
                claim_with(bot, by, takeover, &boots)
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
        19 => asks().prop_map(Act::Ask),
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

fn resolve(act: Act, epochs: &[u64]) -> Option<Ask> {
    let epoch = |pick: usize| match epochs {
        [] => 1,
        epochs => epochs[pick % epochs.len()],
    };
    Some(match act {
        Act::Ask(ask) => ask,
        Act::Assert(bots, conns, generation) => {
            let bots: Vec<_> = bots
                .into_iter()
                .map(|(bot, by, pick)| (bot, by, epoch(pick)))
                .collect();
            assert(&bots, &conns, generation)
        }
        Act::Release(by, bots, seen) => {
            let bots: Vec<_> = bots
                .into_iter()
                .map(|(bot, pick)| (bot, epoch(pick)))
                .collect();
            release(by, &bots, &seen)
        }
        Act::Forget(bot, held) => forget(bot, held.map(|(by, pick)| fence(by, epoch(pick)))),
        Act::Lose | Act::Unlearn => return None,
    })
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        max_shrink_iters: 300,
        failure_persistence: None,
        ..Config::default()
    })
}

#[test]
fn redis_answers_as_the_model_does() {
    let Some(redis) = fixtures::Redis::start() else {
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
            let Some(ask) = resolve(act, &epochs) else {
                continue;
            };
            let known_ver = match known_ver {
                THE_LAST => epochs.last().copied().unwrap_or(0),
                other => other,
            };
            let step = Step {
                known_ver,
                caps,
                ..at(now_ms, ask)
            };
            let right = model.execute(request(&tenant, step.clone()));
            let said = runtime.block_on(subject.step(&tenant, step.clone()));
            prop_assert_eq!(&said, &right, "{:?}", step);
            if let Reply::Claimed { epoch, .. } | Reply::Newer(epoch) = said.0 {
                epochs.push(epoch);
            }
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn redis_knows_nodes_as_the_model_does() {
    let Some(redis) = fixtures::Redis::start() else {
        return;
    };
    let beats = (0..3u8, 0..4u64, prop::option::of(0..3u64), 0..3u64).prop_map(
        |(i, beat, known_generation, fresh_generation)| NodeAsk::Beat {
            boot: boot(i),
            beat,
            known_generation,
            fresh_generation,
        },
    );
    let burials = (0..3u8, 0..4u64).prop_map(|(i, beat)| NodeAsk::Bury {
        boot: boot(i),
        beat,
    });
    let acts = vec(
        prop_oneof![12 => beats.prop_map(Some), 6 => burials.prop_map(Some), 1 => Just(None)],
        1..30,
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let asker = runtime.block_on(crate::harness::connect(&url_of(&redis)));
    let outcome = runner(CASES).run(&acts, |acts| {
        redis.command(&["FLUSHALL"]);
        let mut model = NodesModel::default();
        for act in acts {
            let Some(ask) = act else {
                redis.command(&["FLUSHALL"]);
                model = NodesModel::default();
                continue;
            };
            let right = model.execute(1, &ask);
            let said = runtime.block_on(asker.execute_node(ask.clone()));
            prop_assert_eq!(said, right, "{:?}", ask);
        }
        Ok(())
    });
    outcome.unwrap();
}

/// Redis keeps what was claimed last for a week, and the policy for good.
#[test]
fn what_is_kept_and_for_how_long() {
    let Some(redis) = fixtures::Redis::start() else {
        return;
    };
    run(async {
        let mut subject = Subject::connect(&url_of(&redis)).await;
        let tenant = subject.fresh_tenant().await;
        let lives = |key: &str| {
            let key = format!("t2b:{{{tenant}}}:{key}");
            redis.command(&["TTL", &key]).integer()
        };
        let week = 7 * 24 * 60 * 60;
        subject.step(&tenant, at(1, claim("a", 1))).await;
        subject.step(&tenant, at(1, Ask::Revoke)).await;
        subject
            .step(&tenant, at(1, release(1, &[], &["anna"])))
            .await;
        assert!((week - 60..=week).contains(&lives("seen")));
        for key in ["dir", "ver"] {
            assert!((week - 60..=week).contains(&lives(key)), "{key}");
            redis.command(&["EXPIRE", &format!("t2b:{{{tenant}}}:{key}"), "5"]);
        }
        assert_eq!(lives("policy"), -1);
        subject.step(&tenant, at(1, Ask::Version)).await;
        for key in ["dir", "ver"] {
            assert!(lives(key) > week - 60, "{key}");
        }
    });
}
