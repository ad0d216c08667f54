//! Rows that the receiver may not know any more, or does not take any more: reported, and a person decides.

use super::billing::MockKind;
use super::receiver::ReceiverFault::{KillAfter, LostAnswer, LostRequest, None as Fine};
use super::stage::ExportStage;

const DAY_MS: u64 = 86_400_000;

/// The ids of the rows that an export reports.
fn reported(said: &str) -> Vec<String> {
    let lines = said.lines().filter(|line| line.starts_with("{\"reason\""));
    let ids = lines.filter_map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        value["reported"].as_str().map(str::to_owned)
    });
    ids.collect()
}

/// A batch whose answer is lost, then a window that is over.
#[test]
fn a_row_in_doubt_is_reported_after_the_window_and_not_sent() {
    for kind in [
        MockKind::OpenMeter,
        MockKind::Stripe,
        MockKind::StripeStream,
        MockKind::Metronome,
    ] {
        let stage = ExportStage::with_hours(kind, 2);
        stage.receiver.fail(&[Fine, LostAnswer]);
        stage.export(&["--attempts", "1"]).with(75);
        // The receiver has forgotten what it has: if it gets these rows again, it bills them again.
        stage.receiver.be_ahead(if kind == MockKind::Metronome {
            0
        } else {
            2 * DAY_MS
        });
        let said = stage.export(&["--window", "1ms"]).with(1);
        let rows = reported(&said);
        assert!(said.contains("rows_reported"), "{said}");
        assert_eq!(
            rows.len(),
            if kind == MockKind::Stripe { 1 } else { 4 },
            "{said}"
        );
        stage.check(&format!("{kind:?}: everything else was sent"));
        // They are reported until somebody decides, and stay unsent.
        let requests = stage.receiver.requests().len();
        let again = stage.export(&["--window", "1ms"]).with(1);
        assert_eq!(reported(&again), rows);
        assert_eq!(stage.receiver.requests().len(), requests);
        let decision: Vec<&str> = rows.iter().map(String::as_str).collect();
        let said = stage
            .export(&[&["--acknowledge"][..], &decision].concat())
            .with(0);
        assert!(said.contains("acknowledged:"), "{said}");
        stage.export(&["--window", "1ms"]).with(0);
        stage.check(&format!("{kind:?}"));
    }
}

#[test]
fn a_row_that_never_arrived_is_sent_again_on_request() {
    let stage = ExportStage::with_hours(MockKind::Stripe, 1);
    stage.receiver.fail(&[LostRequest]);
    stage.export(&["--attempts", "1"]).with(75);
    let said = stage.export(&["--window", "1ms"]).with(1);
    let rows = reported(&said);
    let [row] = &rows[..] else { panic!("{said}") };
    // Only rows that were sent can be sent again.
    let other = row.replace("messages_accepted", "bytes_in");
    let refused = stage.export(&["--resend", row, &other]).with(64);
    assert!(refused.contains("bytes_in"), "{refused}");
    stage.export(&["--window", "1ms"]).with(1);
    stage.export(&["--resend", row]).with(0);
    stage.export(&["--window", "1ms"]).with(0);
    stage.check("resent");
}

/// For good means for good: these receivers get a row again after any time.
#[test]
fn receivers_that_never_forget_get_rows_again() {
    for kind in [MockKind::Lago, MockKind::Orb] {
        let stage = ExportStage::with_hours(kind, 1);
        stage.receiver.fail(&[LostAnswer]);
        stage.export(&["--attempts", "1"]).with(75);
        stage.receiver.be_ahead(400 * DAY_MS);
        stage.export(&[]).with(0);
        stage.check(&format!("{kind:?}"));
    }
}

/// Rows that were sent are reported even if the ledger does not have them any more, and whatever the range is.
#[test]
fn a_row_in_doubt_is_reported_whatever_the_range_is() {
    let stage = ExportStage::with_hours(MockKind::OpenMeter, 1);
    stage.receiver.fail(&[KillAfter]);
    let process = stage.start(&[]);
    stage.receiver.watch(process.pid());
    assert_eq!(process.wait().status.code(), None);
    let later = stage.first.plus(24).rfc3339();
    let said = stage.export(&["--window", "1ms", "--from", &later]).with(1);
    assert_eq!(reported(&said).len(), 4, "{said}");
}

/// Below, at and above the age that a receiver takes is in the unit tests: here a row is above it.
#[test]
fn rows_that_are_too_old_are_reported_and_not_sent() {
    for (kind, days) in [
        (MockKind::Stripe, 35),
        (MockKind::StripeStream, 35),
        (MockKind::Metronome, 34),
    ] {
        let stage = ExportStage::with_hours(kind, 1);
        let old = stage.first.minus(24 * days);
        stage
            .ledger
            .add("alice", protocol::UsageMeter::BytesIn, old, 5);
        let said = stage.export(&["--from", &old.rfc3339()]).with(1);
        assert_eq!(
            reported(&said),
            [format!("t2b:alice:bytes_in:{old}")],
            "{said}"
        );
        assert!(said.contains("too_old"), "{said}");
        let mut expected = stage.expected();
        expected.retain(|(_, name), _| name != "t2b_bytes_in");
        assert_eq!(stage.receiver.totals(), expected, "{kind:?}");
        // It is reported until somebody decides, although no range is given.
        let said = stage.export(&[]).with(1);
        let rows = reported(&said);
        assert_eq!(rows.len(), 1, "{said}");
        stage.export(&["--acknowledge", &rows[0]]).with(0);
        stage.export(&[]).with(0);
    }
}
