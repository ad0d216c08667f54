//! Connections and client ids.

use router_core::store::Ask;

use crate::harness::{Step, Subject, at, on_all};
use crate::words::{enter, load, reap, release};

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
        ("nothing yet", vec![at(5, Ask::Version), at(5, load(&[]))]),
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
