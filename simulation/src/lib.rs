//! A cluster under a seed.
//!
//! Two to four nodes of the product's own machines (sessions, shards, lanes, the node machine) over
//! the store's models, in one thread, under a virtual clock. Everything between them travels as
//! bytes, and is lost, doubled and delayed; processes crash, stop and come back; the store fails,
//! is emptied, and goes back in time. Whoever looks on checks every guarantee by what peers saw.
//!
//! The same seed gives the same run, to the last frame. It is no test of the shell, of Redis or of
//! sockets: those have tests of their own.
//!
//! | file | is |
//! | --- | --- |
//! | `world.rs` | the whole run; `agenda.rs` its queue, `dice.rs` its chance |
//! | `machine/` | one process: the shell's part, without threads |
//! | `outside.rs`, `redis.rs`, `faults.rs` | network and store, and what is wrong with them |
//! | `assignment.rs` | what operators assign to tenants |
//! | `profile.rs`, `trouble.rs` | what a seed is about, and which faults it has |
//! | `peers/`, `said.rs` | bots and clients, and what they send |
//! | `checks/` | the guarantees, one file each |

mod agenda;
mod assignment;
mod checks;
mod dice;
mod faults;
mod machine;
mod older;
mod outside;
mod peers;
mod profile;
mod redis;
mod said;
mod trouble;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use world::RunWorld;

/// What came of a seed.
#[derive(Debug, Clone)]
pub struct SeedOutcome {
    /// The seed.
    pub seed: u64,
    /// The guarantee that broke, when (seconds of the run), and how.
    pub failure: Option<(String, f64, String)>,
    /// Of all that happened; the same for the same seed and code.
    pub hash: u64,
    /// Frames that peers were sent.
    pub frames: u64,
    /// Refusals to the noisy tenant, if the seed has one.
    pub refused_to_noisy: u64,
    /// Refusals to the tenant whose allowance is used up, if the seed has one.
    pub refused_to_frugal: u64,
    /// How often operators assigned terms.
    pub assignments: u64,
    /// Refusals for an allowance that was assigned.
    pub refused_to_assigned: u64,
    /// The last events, if they were traced.
    pub trace: Vec<String>,
}

/// Runs a seed for so many seconds of its time. A panic of a machine is a broken guarantee.
pub fn run(seed: u64, seconds: u64, tracing: bool) -> SeedOutcome {
    let mut world = RunWorld::new(seed, seconds, tracing);
    let ended = catch_unwind(AssertUnwindSafe(|| world.run()));
    let observer = &mut world.outside.observer;
    if let Err(panic) = ended {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|it| (*it).to_owned()));
        observer.fail("PANIC", &text.unwrap_or_default());
    }
    let start_ms = observer.start_ms;
    let failure = observer.failure.take().map(|failure| {
        let at_s = failure.at_ms.saturating_sub(start_ms) as f64 / 1000.0;
        (failure.check.to_owned(), at_s, failure.what)
    });
    SeedOutcome {
        seed,
        failure,
        hash: observer.hash(),
        frames: observer.frames,
        refused_to_noisy: observer.refused_to_noisy,
        refused_to_frugal: observer.refused_to_frugal,
        assignments: observer.assignments,
        refused_to_assigned: observer.refused_to_assigned,
        trace: std::mem::take(&mut observer.traced).into(),
    }
}
