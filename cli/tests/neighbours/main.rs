//! Noisy neighbours: one tenant does its worst, another measures what it gets. FAIR-1 of
//! docs/guarantees.md, on one real `t2b gateway run` process a case.
//!
//! ```text
//!  victim (127.0.0.2) ──▶ t2b gateway run, memory_max 512 MiB ◀── attacker (127.0.0.1, nice 19)
//!                              ▲ RSS, kernel memory of its sockets, CPU
//! ```
//!
//! `make neighbours` runs every case in full and judges times too; `make test` runs a short form
//! that judges refusals, memory and CPU. `TEST_CASE=presence` runs the cases whose name holds that
//! word. `TEST_T2B=path` tests another build, and judges nothing.
//!
//! | file | holds |
//! | --- | --- |
//! | `stage.rs` | the course of a case, its verdict and its row |
//! | `victim.rs`, `peer.rs`, `sender.rs` | those who talk |
//! | `node.rs`, `memory.rs` | the process, and what it uses |
//! | `attacks/` | the attacks, a file for each kind of resource |

// `cfg(test)` is always true here; it tells clippy that helpers of tests may unwrap.
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod node;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod sender;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod victim;

use std::time::Duration;

use crate::stage::{CaseForm, CaseRow, HEAD, play};

/// The short form, for `make test`.
const SHORT: CaseForm = CaseForm {
    quiet: Duration::from_secs(1),
    attack: Duration::from_secs(3),
    scale: 0.25,
    judges_times: false,
};
/// The full form, for `make neighbours`.
const FULL: CaseForm = CaseForm {
    quiet: Duration::from_secs(4),
    attack: Duration::from_secs(15),
    scale: 1.0,
    judges_times: true,
};

#[test]
fn a_neighbour_at_its_worst_hurts_nobody() {
    ::gateway::config::raise_file_limit();
    let form = match std::env::var_os("TEST_FULL") {
        Some(_) => FULL,
        None => SHORT,
    };
    let word = std::env::var("TEST_CASE").unwrap_or_default();
    let wanted = attacks::CASES
        .iter()
        .filter(|case| case.name.contains(&word));
    let wanted: Vec<_> = wanted.collect();
    assert!(!wanted.is_empty(), "no case has {word:?} in its name");

    eprintln!("{HEAD}");
    let mut broken = Vec::new();
    for case in wanted {
        let row: CaseRow = play(case, form, None);
        eprintln!("{row}");
        let breaches = row.breaches();
        broken.extend(
            breaches
                .iter()
                .map(|breach| format!("{}: {breach}", row.name)),
        );
    }
    let (_, is_older) = node::program();
    if is_older {
        eprintln!("{}", broken.join("\n"));
        return;
    }
    assert_eq!(broken, Vec::<String>::new(), "FAIR-1 is broken");
}
