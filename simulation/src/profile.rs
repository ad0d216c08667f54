//! The profile of a seed: its workload and its faults.
//!
//! More than a third of all seeds are ordinary: any fault, any pace. The others look for races that chance
//! seldom finds, each with a workload and faults of its own, besides what the seed has anyway. The
//! number of the seed decides, not the dice: so a profile changes no other seed.

use std::sync::Arc;

use protocol::{Allowance, LimitChanges, Limits, UsageMeter};
use router_core::Millis;
use router_core::terms::Plan;

use crate::faults::TroubleKind;

/// The tenant that asks for more than its rates, if a profile has one.
pub(crate) const NOISY_TENANT: usize = 0;

/// The tenant with a plan that allows little, if a profile has one.
pub(crate) const FRUGAL_TENANT: usize = 0;
/// How many messages of a month that plan allows.
pub(crate) const MESSAGES_ALLOWED: u64 = 60;

/// What differs from seed to seed besides chance.
#[derive(Debug)]
pub struct RunProfile {
    /// Every other fault is of these kinds, besides those that the seed has anyway.
    pub kinds: &'static [TroubleKind],
    /// How long a fault lasts, from and to, milliseconds; one of these. Short ones are as
    /// interesting as long ones.
    pub lasts_ms: &'static [(Millis, Millis)],
    /// Whether all that a closed way takes lies in a buffer, and comes when it is open: else most is
    /// lost.
    pub buffers: bool,
    /// How much later the store's answers come than what it pushes, milliseconds at most. That is
    /// slow, and no fault: it lasts as long as peers are busy.
    pub answers_late_ms: Millis,
    /// How often a bot moves to another node when it acts, in a thousand, besides the usual.
    pub moves: u64,
    /// How often a client reads slowly and has a queue of few frames, in a thousand, besides the
    /// usual.
    pub slow_clients: u64,
    /// Whether the first of at least two tenants asks for far more than its rates.
    pub is_noisy: bool,
    /// Whether the first of at least two tenants has a plan that allows little.
    pub is_frugal: bool,
    /// Whether operators assign plans and limits all the time.
    pub is_assigned: bool,
}

const ORDINARY: RunProfile = RunProfile {
    kinds: &[],
    lasts_ms: &[(50, 300), (50, 1500), (50, 4000), (50, 12_000)],
    buffers: false,
    answers_late_ms: 0,
    moves: 0,
    slow_clients: 0,
    is_noisy: false,
    is_frugal: false,
    is_assigned: false,
};

/// Acks of a lane that gave up come while it is young again.
const STALLS: RunProfile = RunProfile {
    kinds: &[TroubleKind::Stall, TroubleKind::Stall, TroubleKind::Clog],
    ..ORDINARY
};

/// Those who evicted a node die before they tell anybody.
const WITNESS_CRASHES: RunProfile = RunProfile {
    kinds: &[
        TroubleKind::WitnessCrash,
        TroubleKind::WitnessCrash,
        TroubleKind::Pause,
    ],
    ..ORDINARY
};

/// What a node said before it was evicted comes when it goes on under a new name.
const LIVES: RunProfile = RunProfile {
    kinds: &[TroubleKind::CutOut],
    // About as long as a eviction takes.
    lasts_ms: &[(6000, 9000)],
    buffers: true,
    ..ORDINARY
};

/// The directory changes while it is read, and old homes let go of bots while new ones take them.
const READINGS: RunProfile = RunProfile {
    kinds: &[TroubleKind::Loss, TroubleKind::Reorder, TroubleKind::Link],
    answers_late_ms: 700,
    moves: 200,
    ..ORDINARY
};

/// One connection of a client is full, and of another one nobody hears.
const FULL: RunProfile = RunProfile {
    kinds: &[TroubleKind::CutOut],
    // Longer than a lane waits for an ack.
    lasts_ms: &[(50, 4000), (8000, 16_000)],
    slow_clients: 600,
    ..ORDINARY
};

/// One tenant is refused most of what it asks, and the others nothing for that reason.
const NOISY: RunProfile = RunProfile {
    is_noisy: true,
    ..ORDINARY
};

/// One tenant uses up its monthly allowance.
const FRUGAL: RunProfile = RunProfile {
    is_frugal: true,
    ..ORDINARY
};

/// Operators assign plans, while events are lost and the ledger is read late.
const ASSIGNED: RunProfile = RunProfile {
    kinds: &[
        TroubleKind::Loss,
        TroubleKind::Muted,
        TroubleKind::StoreSlow,
    ],
    is_assigned: true,
    ..ORDINARY
};

/// The plan of the frugal tenant.
pub(crate) fn frugal_plan(limits: &Arc<Limits>) -> Plan {
    let hard = Allowance {
        soft: None,
        hard: Some(MESSAGES_ALLOWED),
    };
    let allowances = [(UsageMeter::MessagesAccepted, hard)];
    Plan {
        limits: Arc::clone(limits),
        allowances: Arc::new(allowances.into_iter().collect()),
    }
}

/// The limits of the noisy tenant: what its peers do without a flood, and little more.
pub(crate) fn noisy_limits() -> LimitChanges {
    let mut changes = LimitChanges::default();
    for (name, number) in [
        ("messages_per_second", 400),
        ("messages_burst", 400),
        ("bytes_per_second", 8000),
        ("bytes_burst", 8000),
        ("joins_per_second", 5),
        ("joins_burst", 10),
    ] {
        changes.set(name, number).expect("it is a limit");
    }
    changes
}

impl RunProfile {
    /// The profile of a seed.
    pub fn of(seed: u64) -> &'static Self {
        match seed % 10 {
            3 if seed / 10 % 2 == 1 => &NOISY,
            4 if seed / 10 % 2 == 1 => &FRUGAL,
            1 | 9 if (seed / 10).is_multiple_of(4) => &ASSIGNED,
            0 => &WITNESS_CRASHES,
            5 => &STALLS,
            6 => &LIVES,
            7 => &READINGS,
            8 => &FULL,
            _ => &ORDINARY,
        }
    }
}
