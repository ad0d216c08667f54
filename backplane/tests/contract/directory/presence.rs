//! Connections and client ids.

use router_core::store::{DirectoryCaps, DirectoryQuery};

use crate::harness::{Step, Subject, at, on_all};
use crate::support::words::{assert, claim, enter, load, reap, release};

#[test]
fn presence() {
    on_all(|mut subject: Subject| async move {
        for (case, steps) in cases() {
            subject.compare(case, steps).await;
        }
    });
}

fn cases() -> Vec<(&'static str, Vec<Step>)> {
    vec![
        (
            "nothing yet",
            vec![at(5, DirectoryQuery::Version), at(5, load(&[]))],
        ),
        (
            "come and go",
            vec![
                at(10, enter(1, "anna")),
                at(11, enter(1, "anna")),
                at(12, enter(1, "bert")),
                at(13, enter(11, "anna")),
                at(14, release(1, &[], &["bert"])),
                at(14, release(1, &[], &["bert"])),
                at(15, load(&[])),
            ],
        ),
        (
            "the least recently seen makes room",
            vec![
                few(at(10, release(1, &[], &["anna", "bert"]))),
                few(at(11, release(1, &[], &["carl"]))),
                few(at(12, release(1, &[], &["anna"]))),
                few(at(13, load(&[]))),
                few(at(14, release(1, &[], &["dora", "emil"]))),
                few(at(15, load(&[]))),
                few(at(16, enter(1, "fritz"))),
                few(at(17, load(&[0]))),
                at(18, release(1, &[], &["anna", "bert"])),
                few(at(19, release(1, &[], &["carl"]))),
                few(at(20, load(&[]))),
            ],
        ),
        (
            "as many as there is room for",
            vec![
                few(at(10, enter(1, "anna"))),
                few(at(10, claim("a", 1))),
                few(at(11, enter(2, "anna"))),
                few(at(11, enter(11, "anna"))),
                few(at(11, enter(2, "anna"))),
                few(at(12, claim("b", 1))),
                few(at(12, claim("a", 2))),
                few(at(13, assert(&[("b", 1, 5)], &[(11, "anna")], 0))),
                few(at(14, release(2, &[], &[]))),
                few(at(15, load(&[]))),
            ],
        ),
        (
            "with their node",
            vec![
                at(10, enter(1, "anna")),
                at(10, enter(11, "anna")),
                at(10, enter(12, "anna")),
                at(11, load(&[1])),
                at(12, reap(&[0])),
                at(12, load(&[])),
            ],
        ),
    ]
}

/// The same, of a tenant that may have three clients, and three bots and connections.
fn few(step: Step) -> Step {
    let caps = DirectoryCaps {
        clients: 3,
        entries: 3,
    };
    step.capped(caps)
}
