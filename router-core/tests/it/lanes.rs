//! A lane over a network that drops, doubles, delays and fails: what its two ends promise together.
//!
//! The world is `lane_world.rs`. Every check runs after every step; the last part of each case heals
//! the network and expects everything to arrive.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use protocol::limits::{
    LANE_BATCH_BYTES, LANE_ITEM_OVERHEAD_BYTES, LANE_VERDICTS_MAX, LANE_WINDOW_BYTES_MAX,
};
use router_core::lane::LaneOutcome;

use crate::lane_world::{Faults, Lane, Told};
use crate::strategies::config;

#[derive(Debug, Clone)]
enum Op {
    /// This many messages of a tenant, each of so many bytes.
    Push(u8, usize, usize),
    /// Something best effort of a tenant and stream.
    BestEffort(u8, u8, usize),
    Pass(u64),
    /// The destination stops reading, or goes on.
    Pause(bool),
    /// Redis fails every PUBLISH, or works again.
    Down(bool),
    /// The destination is held for dead.
    Fail,
    Window(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let size = select(vec![
        16, 16, 100, 300, 1000, 20_000, 65_472, 65_473, 300_000,
    ]);
    let pass = select(vec![
        0, 1, 1, 2, 3, 5, 20, 100, 500, 501, 1000, 3000, 4000, 7500,
    ]);
    prop_oneof![
        12 => (0..3u8, 1..12usize, 16..300usize).prop_map(|(t, n, s)| Op::Push(t, n, s)),
        2 => (0..3u8, 1..5usize, size.clone()).prop_map(|(t, n, s)| Op::Push(t, n, s)),
        8 => (0..3u8, 0..2u8, 16..300usize).prop_map(|(t, s, b)| Op::BestEffort(t, s, b)),
        1 => (0..3u8, 0..2u8, size).prop_map(|(t, s, b)| Op::BestEffort(t, s, b)),
        14 => pass.prop_map(Op::Pass),
        1 => any::<bool>().prop_map(Op::Pause),
        1 => any::<bool>().prop_map(Op::Down),
        1 => Just(Op::Fail),
        1 => select(vec![0, 1 << 20, usize::MAX]).prop_map(Op::Window),
    ]
}

fn faults() -> impl Strategy<Value = Faults> {
    let percent = || select(vec![0u64, 0, 2, 10, 40]);
    (percent(), percent(), percent(), percent(), percent()).prop_map(
        |(drop, double, delay, fail, refuse)| Faults {
            drop,
            double,
            delay,
            fail,
            refuse,
        },
    )
}

/// A window of four tenants, in messages of 1 KiB with their overhead.
const WINDOW: usize = LANE_WINDOW_BYTES_MAX / 1024;

fn fill(lane: &mut Lane) {
    let bytes = 1024 - LANE_ITEM_OVERHEAD_BYTES;
    (0..WINDOW).for_each(|n| lane.push((n % 4) as u8, bytes));
}

#[test]
fn a_window_that_was_lost_arrives_before_the_deadline() {
    let drop = Faults {
        drop: 100,
        ..Faults::default()
    };
    for lost_ms in [100, 600, 3000] {
        let mut lane = Lane::new(1, drop);
        fill(&mut lane);
        lane.pass(lost_ms);
        lane.heal();
        lane.pass(6000 - lost_ms);
        lane.everything_is_settled();
        lane.was_delivered(0);
    }
}

#[test]
fn one_lost_batch_costs_one_repetition_of_what_is_behind_it() {
    let mut lane = Lane::new(1, Faults::default());
    lane.lose(1);
    fill(&mut lane);
    lane.pass(400);
    lane.was_delivered(0);
    assert!(lane.published_bytes <= 2 * LANE_WINDOW_BYTES_MAX);
}

#[test]
fn a_destination_that_slept_is_not_flooded() {
    let mut lane = Lane::new(1, Faults::default());
    lane.pause(true);
    fill(&mut lane);
    lane.pass(5000);
    let asleep = lane.published_bytes - LANE_WINDOW_BYTES_MAX;
    assert!(asleep <= 3 * LANE_BATCH_BYTES, "{asleep} bytes repeated");
    lane.pause(false);
    lane.pass(1000);
    lane.was_delivered(0);
    assert!(lane.published_bytes <= 2 * LANE_WINDOW_BYTES_MAX + asleep);
}

#[test]
fn more_refusals_than_an_ack_can_carry_are_all_told_without_the_timer() {
    let refuse = Faults {
        refuse: 100,
        ..Faults::default()
    };
    let mut lane = Lane::new(1, refuse);
    fill(&mut lane);
    lane.pass(400);
    lane.everything_is_settled();
    assert!(lane.parcels.len() > LANE_VERDICTS_MAX);
    let refused = |told: &Told| matches!(told.settled, Some(LaneOutcome::Verdict(_)));
    assert!(lane.parcels.iter().all(refused));
}

proptest! {
    #![proptest_config(config(6_000))]

    #[test]
    fn what_a_lane_says_is_true(
        seed in any::<u64>(),
        faults in faults(),
        ops in vec(op(), 1..60),
    ) {
        let mut lane = Lane::new(seed, faults);
        for op in ops {
            match op {
                Op::Push(tenant, count, bytes) => {
                    (0..count).for_each(|_| lane.push(tenant, bytes));
                }
                Op::BestEffort(tenant, stream, bytes) => lane.best_effort(tenant, stream, bytes),
                Op::Pass(ms) => lane.pass(ms),
                Op::Pause(paused) => lane.pause(paused),
                Op::Down(down) => lane.down = down,
                Op::Fail => lane.fail(),
                Op::Window(bytes) => lane.sender.set_window(bytes),
            }
            lane.check();
        }
        lane.heal();
        lane.pass(8000);
        lane.everything_is_settled();
        let before = lane.parcels.len();
        (0..30).for_each(|n| lane.push(n % 3, 100));
        lane.pass(2000);
        lane.everything_is_settled();
        lane.was_delivered(before);
    }
}
