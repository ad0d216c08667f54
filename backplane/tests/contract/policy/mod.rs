//! Who may connect.

use router_core::store::{DirectoryQuery, PolicyQuery};

use crate::harness::{Step, Subject, at, on_all};
use crate::support::words::{assert, load};

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
                at(1, PolicyQuery::Revoke),
                at(1, PolicyQuery::Revoke),
                at(2, assert(&[], &[], 1)),
                at(2, assert(&[], &[], 7)),
                at(3, PolicyQuery::Revoke),
                at(3, load(&[])),
            ],
        ),
        (
            "suspended",
            vec![
                at(1, PolicyQuery::Suspend(false)),
                at(1, DirectoryQuery::Version),
                at(1, PolicyQuery::Suspend(true)),
                at(2, PolicyQuery::Suspend(true)),
                at(2, PolicyQuery::Revoke),
                at(3, PolicyQuery::Suspend(false)),
                at(3, load(&[])),
            ],
        ),
    ]
}
