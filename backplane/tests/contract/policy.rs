//! Who may connect.

use router_core::store::Ask;

use crate::harness::{Step, Subject, at, on_all};
use crate::words::{assert, load};

#[test]
fn policy() {
    on_all(|mut subject: Subject| async move {
        for (case, steps) in cases() {
            subject.compare(case, steps).await;
        }
    });
}

fn cases() -> Vec<(&'static str, Vec<Step>)> {
    vec![
        (
            "revoked",
            vec![
                at(1, Ask::Revoke),
                at(1, Ask::Revoke),
                at(2, assert(&[], &[], 1)),
                at(2, assert(&[], &[], 7)),
                at(3, Ask::Revoke),
                at(3, load(&[])),
            ],
        ),
        (
            "suspended",
            vec![
                at(1, Ask::Suspend(false)),
                at(1, Ask::Version),
                at(1, Ask::Suspend(true)),
                at(2, Ask::Suspend(true)),
                at(2, Ask::Revoke),
                at(3, Ask::Suspend(false)),
                at(3, load(&[])),
            ],
        ),
    ]
}
