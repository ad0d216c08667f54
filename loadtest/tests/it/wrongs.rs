//! Each way to deliver wrongly is noticed, by its name, and is exit 2.

use crate::faulty::{self, DeliveryFault};
use crate::harness::{FinishedRun, run};

fn loaded(fault: DeliveryFault) -> FinishedRun {
    let server = faulty::start(fault);
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "any secret is good enough for it").unwrap();
    // With four pairs there are others to deliver to.
    let changes = [
        "--set",
        "pairs=4",
        "--set",
        "rate=400",
        "--set",
        "drain=300ms",
        "--set",
        "setup=20s",
        "--set",
        "thresholds.p99_ms=5000",
    ];
    run("open", &[server], secret.to_str().unwrap(), &changes)
}

fn check(fault: DeliveryFault, kind: &str) {
    let ran = loaded(fault);
    assert_eq!(ran.code, 2, "{kind}: {}{}", ran.stdout, ran.stderr);
    let breaches = ran.report["breaches"].as_array().unwrap();
    let found: Vec<_> = breaches
        .iter()
        .map(|it| it["kind"].as_str().unwrap())
        .collect();
    assert!(found.contains(&kind), "{kind}: {found:?}");
    assert!(ran.stdout.starts_with("WRONG: "), "{}", ran.stdout);
}

#[test]
fn a_server_that_does_nothing_wrong_passes() {
    let ran = loaded(DeliveryFault::Nothing);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_duplicate() {
    check(DeliveryFault::Twice, "duplicate");
}

#[test]
fn a_loss() {
    check(DeliveryFault::Never, "lost");
}

#[test]
fn a_late_one() {
    check(DeliveryFault::Late, "out_of_order");
}

#[test]
fn a_wrong_recipient() {
    check(DeliveryFault::ToAnother, "wrong_recipient");
}

#[test]
fn a_changed_body() {
    check(DeliveryFault::OtherBody, "wrong_body");
}

#[test]
fn a_changed_sender() {
    check(DeliveryFault::OtherSender, "wrong_names");
}

#[test]
fn a_delivery_that_is_refused_too() {
    check(DeliveryFault::RefusedToo, "delivered_although_refused");
}
