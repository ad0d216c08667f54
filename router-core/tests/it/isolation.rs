//! ISO-1: what two tenants do on one node, neither can tell from being alone.

use std::sync::Arc;

use proptest::prelude::*;
use protocol::Limits;
use protocol::connect::Acks;
use router_core::Settings;

use crate::script::{Script, Step, side_of};
use crate::strategies::{config, ops};
use crate::world::{CANARY, Event};

/// Limits so small that a short script meets them.
pub fn tight() -> Settings {
    let limits = Limits {
        bots_per_socket: 2,
        bots_per_tenant: 3,
        sockets_per_tenant: 4,
        messages_per_second: 2,
        messages_burst: 12,
        frames_per_second: 5,
        frames_burst: 20,
        registers_per_second: 1,
        registers_burst: 6,
        takeovers_per_minute: 2,
        ..Limits::default()
    };
    Settings {
        limits: Arc::new(limits),
        ..Settings::default()
    }
}

/// Whether a step concerns the first side: its own, or everybody's clock.
fn is_first(step: &Step) -> bool {
    match step {
        Step::Pass(_) => true,
        Step::Open(key, ..)
        | Step::Text(key, _)
        | Step::Call(key, _)
        | Step::Drop(key)
        | Step::Read(key) => side_of(*key) == 0,
        Step::Answer(side, _) | Step::Policy(side, _) => *side == 0,
    }
}

fn carries_canary(event: &Event) -> bool {
    let Event::Frame(_, frame) = event else {
        return false;
    };
    let canary = CANARY.as_bytes();
    frame.text.windows(canary.len()).any(|part| part == canary)
}

proptest! {
    #![proptest_config(config(100_000))]

    #[test]
    fn a_tenant_cannot_tell_whether_another_exists(
        ops in ops(2, 80),
        prompt in any::<bool>(),
    ) {
        let mut both = Script::new(tight(), prompt, Acks::All);
        for op in &ops {
            both.play(op);
        }
        for event in both.seen_by(0) {
            prop_assert!(!carries_canary(event), "the other's canary in {event:?}");
        }
        let alone = both.again(tight(), Acks::All, is_first);
        let (with, without) = (both.seen_by(0), alone.seen_by(0));
        prop_assert!(with.eq(without), "it differs by the other's existence");
    }
}
