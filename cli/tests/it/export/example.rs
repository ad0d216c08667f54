//! The receiver that docs/billing.md tells people to try.

use std::process::{Command, Stdio};

use super::billing::MockKind;
use super::stage::ExportStage;
use crate::harness::PipedProcess;

const RECEIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/receiver.py");

#[test]
fn the_receiver_of_the_page_bills_what_the_ledger_has() {
    let Some(python) = fixtures::tool("TEST_PYTHON", "Python 3") else {
        return;
    };
    let mut stage = ExportStage::with_hours(MockKind::Orb, 2);
    let mut command = Command::new(python);
    command.args([RECEIVER, "0"]).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut receiver = PipedProcess::start(command);
    let line = receiver.wait_for("listening");
    stage.receiver.url = line.trim_start_matches("listening: ").to_owned();
    stage.export(&[]).with(0);
    for ((customer, name), sum) in stage.expected() {
        let amount = match sum % 1000 {
            0 => (sum / 1000).to_string(),
            _ => format!("{}.{:03}", sum / 1000, sum % 1000),
        };
        receiver.wait_for(&format!("{customer} {name} {amount}"));
    }
    let said = stage.export(&[]).with(0);
    assert!(said.contains("0 rows exported"), "{said}");
}
