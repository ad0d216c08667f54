//! The public conformance cases (Autobahn's, run by `kosoku`) against the echo server.

use std::collections::BTreeMap;
use std::path::Path;

use gateway::ws::Budget;
use serde_json::Value;
use tokio::process::Command;

use crate::server::{Server, Setup, write_limits};

/// All cases but 12.* and 13.*, which are compression, an extension that is not negotiated.
const CASES: usize = 301;

/// The cases that are not plainly `OK`: 6.4.3 and 6.4.4 cut one frame inside a bad character, and a
/// server may judge a frame when it is whole; the others have no right answer.
const OTHER_VERDICTS: [(&str, &str); 5] = [
    ("6.4.3", "NON-STRICT"),
    ("6.4.4", "NON-STRICT"),
    ("7.1.6", "INFORMATIONAL"),
    ("7.13.1", "INFORMATIONAL"),
    ("7.13.2", "INFORMATIONAL"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_public_cases_pass() {
    let Some(kosoku) = fixtures::tool("TEST_KOSOKU", "the program `kosoku` 0.1.0") else {
        return;
    };
    let server = Server::start(Setup {
        // The largest case is a message of 16 MiB.
        message_bytes: 17 << 20,
        assembly: Budget::new(256 << 20, None),
        write: write_limits(64 << 20, 1 << 20),
        controls_per_second: 1000,
        ..Setup::default()
    })
    .await;
    let reports = tempfile::tempdir().unwrap();
    let output = Command::new(kosoku)
        .args(["-p", "4", "-x", "12.*", "-x", "13.*", "-o"])
        .arg(reports.path())
        .arg(format!("ws://{}/", server.address))
        .output()
        .await
        .unwrap();
    let verdicts = verdicts(reports.path());
    let other: Vec<_> = verdicts
        .iter()
        .filter(|(_, verdict)| *verdict != "OK")
        .collect();
    let expected = OTHER_VERDICTS.map(|(case, verdict)| (case.to_owned(), verdict.to_owned()));
    let expected: Vec<_> = expected
        .iter()
        .map(|(case, verdict)| (case, verdict))
        .collect();
    assert_eq!(
        other,
        expected,
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert_eq!(verdicts.len(), CASES);
    assert!(output.status.success(), "{output:?}");
}

/// The verdict of each case: of its behaviour, or of its closing handshake if that is a failure.
fn verdicts(reports: &Path) -> BTreeMap<String, String> {
    let index = std::fs::read(reports.join("index.json")).expect("kosoku wrote no report");
    let index: Value = serde_json::from_slice(&index).unwrap();
    let agents = index.as_object().unwrap();
    assert_eq!(agents.len(), 1, "one server was tested");
    let cases = agents.values().flat_map(|cases| cases.as_object().unwrap());
    cases
        .map(|(case, entry)| (case.clone(), verdict(entry)))
        .collect()
}

fn verdict(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap().to_owned();
    match text("behaviorClose").as_str() {
        "OK" | "INFORMATIONAL" => text("behavior"),
        failed => format!("close: {failed}"),
    }
}
