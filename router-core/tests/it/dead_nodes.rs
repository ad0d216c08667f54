//! GHO-1: a node that beats no more is gone from every healthy view within 8 s of its healthy time;
//! and nobody who beats is ever evicted, whatever stops, fails or is lost around it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::nodes::{NODES, Op, World};
use crate::strategies::config;

fn op() -> impl Strategy<Value = Op> {
    let node = || 0..NODES;
    let ms = || select(vec![300, 1000, 1900, 2500, 4000, 7000, 12_000, 20_000]);
    prop_oneof![
        10 => ms().prop_map(Op::Pass),
        4 => (node(), ms()).prop_map(|(i, ms)| Op::Pause(i, ms)),
        1 => node().prop_map(Op::Stop),
        2 => (node(), ms()).prop_map(|(i, ms)| Op::Cut(i, ms)),
        1 => ms().prop_map(Op::Outage),
        1 => (node(), ms()).prop_map(|(i, ms)| Op::Deaf(i, ms)),
        1 => (node(), ms()).prop_map(|(i, ms)| Op::Relink(i, ms)),
        1 => select(vec![0, 2, 20]).prop_map(Op::Loss),
        1 => select(vec![0, 300, 900]).prop_map(Op::Slow),
        1 => Just(Op::LoseData),
        1 => Just(Op::Replicate),
        1 => Just(Op::Failover),
    ]
}

proptest! {
    #![proptest_config(config(5_000))]

    #[test]
    fn only_the_dead_are_evicted_and_they_stay_so(
        seed in any::<u64>(),
        ops in vec(op(), 1..30),
    ) {
        let mut world = World::new(seed);
        for op in ops {
            world.run(op);
        }
        world.heal();
    }
}

#[test]
fn a_stopped_node_is_evicted_by_the_others_once() {
    let mut world = World::new(1);
    for op in [Op::Pass(5000), Op::Stop(0), Op::Pass(20_000)] {
        world.run(op);
    }
    world.heal();
    assert_eq!((world.evictions, world.rejoins), (1, 0));
}

#[test]
fn a_node_paused_for_20_s_is_evicted_and_comes_back_under_a_new_boot_id() {
    let mut world = World::new(1);
    for op in [Op::Pass(5000), Op::Pause(0, 20_000), Op::Pass(30_000)] {
        world.run(op);
    }
    world.heal();
    assert_eq!((world.evictions, world.rejoins), (1, 1));
}

#[test]
fn all_paused_at_once_evict_nobody() {
    let mut world = World::new(1);
    world.run(Op::Pass(5000));
    for i in 0..NODES {
        world.run(Op::Pause(i, 20_000));
    }
    world.run(Op::Pass(40_000));
    world.heal();
    assert_eq!((world.evictions, world.rejoins), (0, 0));
}

#[test]
fn an_outage_and_lost_data_evict_nobody() {
    let mut world = World::new(1);
    for op in [
        Op::Pass(5000),
        Op::Outage(20_000),
        Op::Pass(10_000),
        Op::LoseData,
        Op::Pass(30_000),
    ] {
        world.run(op);
    }
    world.heal();
    assert_eq!((world.evictions, world.rejoins), (0, 0));
}

#[test]
fn a_failover_that_brings_the_dead_back_is_undone() {
    let mut world = World::new(1);
    let ops = [
        Op::Pass(5000),
        Op::Replicate,
        Op::Pause(0, 20_000),
        Op::Pass(30_000),
        Op::Failover,
        Op::Pass(5000),
    ];
    for op in ops {
        world.run(op);
    }
    world.heal();
    assert!(world.evictions >= 2, "the former life is evicted again");
}
