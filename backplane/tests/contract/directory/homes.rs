//! Who is the home of a bot.

use protocol::limits::REMEMBER_MS;
use protocol::presence::Takeover::{Reject, Replace};
use router_core::store::DirectoryQuery;

use crate::harness::{Step, Subject, at, on_all};
use crate::support::words::{assert, claim, claim_with, enter, fence, forget, load, reap, release};

#[test]
fn homes() {
    on_all(|mut subject: Subject| async move {
        for (case, steps) in cases() {
            subject.compare(case, steps).await;
        }
    });
}

/// A name and its steps.
type Case = (&'static str, Vec<Step>);

/// The counter, and so a first epoch, is the time in µs.
const E: u64 = 1_000_000;

fn known(known_ver: u64, step: Step) -> Step {
    step.knowing(known_ver)
}

fn cases() -> impl Iterator<Item = Case> {
    let groups = [numbers(), takeovers(), ends(), forgotten()];
    groups.into_iter().flatten()
}

/// The numbers of the counter, which are epochs.
fn numbers() -> Vec<Case> {
    vec![
        (
            "epochs rise",
            vec![
                at(1000, claim("bot", 1)),
                at(2000, claim("bot", 1)),
                known(2_000_000, at(500, claim("bot", 2))),
                at(500, claim("other", 12)),
                at(1, load(&[])),
            ],
        ),
        (
            "above what the asker has seen",
            vec![
                known(5_000_000, at(1000, claim("bot", 1))),
                known(1 << 50, at(1000, DirectoryQuery::Version)),
                known(1 << 50, at(1000, claim("bot", 2))),
                at(1000, DirectoryQuery::Version),
            ],
        ),
        (
            "a number from nowhere is cut to a day ahead",
            vec![
                known(u64::MAX, at(1000, claim("bot", 1))),
                at(1001, DirectoryQuery::Version),
                known(u64::MAX, at(1002, claim("bot", 12))),
                known(1 << 53, at(1003, enter(12, "anna"))),
                at(1004, load(&[])),
            ],
        ),
        (
            "a counter that is no time is repaired",
            vec![
                at(3 * REMEMBER_MS, claim("bot", 1)),
                at(1, DirectoryQuery::Version),
                at(2, DirectoryQuery::Version),
                at(2, claim("bot", 12)),
                known(3 * REMEMBER_MS * 1000, at(3, claim("bot", 12))),
                at(3 * REMEMBER_MS, claim("other", 1)),
                at(4, enter(12, "anna")),
                at(3 * REMEMBER_MS, claim("other", 2)),
                at(5, load(&[])),
                at(6, load(&[])),
            ],
        ),
    ]
}

/// Who may take a bot from whom.
fn takeovers() -> Vec<Case> {
    vec![
        (
            "a query that comes late does not undo what came after it",
            vec![
                at(1000, claim("bot", 11)),
                known(E - 1, at(1001, claim("bot", 1))),
                known(E - 1, at(1001, claim_with("bot", 1, Reject, &[]))),
                known(E - 1, at(1001, claim("bot", 11))),
                known(E - 1, at(1002, claim_with("bot", 1, Replace, &[1]))),
                known(E, at(1003, claim("bot", 2))),
                known(1_002_000, at(1004, claim("bot", 2))),
                at(1005, release(2, &[("bot", 1_004_000)], &[])),
                at(1006, claim("bot", 1)),
            ],
        ),
        (
            "a live holder is yielded to",
            vec![
                at(1000, claim("bot", 11)),
                at(1001, claim_with("bot", 1, Reject, &[])),
                at(1002, claim_with("bot", 11, Reject, &[])),
                at(1003, claim_with("bot", 1, Reject, &[1])),
                at(1004, claim_with("bot", 2, Reject, &[1, 2])),
            ],
        ),
    ]
}

/// What ends, and what is repeated.
fn ends() -> Vec<Case> {
    vec![
        (
            "only the very pair releases",
            vec![
                at(1000, claim("bot", 1)),
                at(1001, release(1, &[("bot", E + 1)], &[])),
                at(1002, release(2, &[("bot", E)], &[])),
                at(
                    1003,
                    release(1, &[("bot", E), ("bot", E), ("none", E)], &["a", "b", "a"]),
                ),
                at(1004, release(1, &[], &[])),
                at(1004, load(&[])),
            ],
        ),
        (
            "a node repeats what it holds",
            vec![
                at(
                    1000,
                    assert(&[("a", 1, 7), ("b", 2, 8)], &[(1, "x"), (2, "y")], 0),
                ),
                at(
                    1001,
                    assert(&[("a", 1, 7), ("b", 2, 8)], &[(1, "x"), (2, "y")], 0),
                ),
                at(
                    1002,
                    assert(&[("a", 2, 7), ("b", 2, 7), ("c", 3, 1)], &[(1, "z")], 3),
                ),
                at(1003, assert(&[("a", 11, 9)], &[], 2)),
                at(1004, release(11, &[("a", 9)], &[])),
                at(1005, assert(&[("a", 1, 9), ("a", 11, 9)], &[], 0)),
                at(1006, load(&[])),
            ],
        ),
        (
            "what the evicted held is released",
            vec![
                at(1000, claim("b", 11)),
                at(1000, claim("a", 12)),
                at(1000, claim("c", 21)),
                at(1000, enter(12, "x")),
                at(1000, enter(11, "x")),
                at(1000, enter(1, "y")),
                at(1001, reap(&[])),
                at(1001, reap(&[1])),
                at(1002, reap(&[1])),
                at(1003, load(&[2, 3])),
            ],
        ),
    ]
}

/// What is forgotten.
fn forgotten() -> Vec<Case> {
    vec![
        (
            "nobody else's bot is forgotten",
            vec![
                at(1000, forget("bot", None)),
                at(1000, claim("bot", 1)),
                at(1001, forget("bot", None)),
                at(1001, forget("bot", Some(fence(1, E + 1)))),
                at(1001, forget("bot", Some(fence(2, E)))),
                at(1001, forget("bot", Some(fence(1, E)))),
                at(1002, claim("bot", 1)),
                at(1003, release(1, &[("bot", 1_002_000)], &[])),
                at(1004, forget("bot", Some(fence(2, 1)))),
            ],
        ),
        (
            "a day later",
            vec![
                at(1000, claim("gone", 1)),
                at(1000, claim("stays", 2)),
                at(1000, enter(1, "c")),
                at(1000, release(1, &[("gone", E)], &["c"])),
                at(1000 + REMEMBER_MS - 1, load(&[])),
                at(1000 + REMEMBER_MS, load(&[])),
                at(1, load(&[])),
            ],
        ),
    ]
}
