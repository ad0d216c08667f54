//! Who may connect.

use protocol::{LimitChanges, PlanName};
use router_core::store::{AssignedTerms, DirectoryQuery, PolicyQuery};

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

fn assign(plan: Option<&str>, numbers: &[(&str, u64)]) -> PolicyQuery {
    let mut limits = LimitChanges::default();
    for (name, number) in numbers {
        limits.set(name, *number).unwrap();
    }
    let plan = plan.map(|plan| PlanName::parse(plan).unwrap());
    PolicyQuery::Assign(AssignedTerms { plan, limits }.non_empty())
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
            "assigned",
            vec![
                at(1, PolicyQuery::Read),
                at(1, PolicyQuery::Assign(None)),
                at(1, DirectoryQuery::Version),
                at(1, assign(Some("pro"), &[])),
                at(2, assign(Some("pro"), &[])),
                at(2, PolicyQuery::Read),
                at(2, DirectoryQuery::Version),
                at(3, PolicyQuery::Revoke),
                at(3, PolicyQuery::Suspend(true)),
                at(4, load(&[])),
                at(
                    5,
                    assign(None, &[("bots_per_tenant", 7), ("frame_bytes", 4096)]),
                ),
                at(5, assert(&[], &[], 9)),
                at(6, load(&[])),
                at(7, PolicyQuery::Assign(None)),
                at(8, load(&[])),
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
