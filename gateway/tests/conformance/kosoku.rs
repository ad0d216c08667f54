//! The public conformance cases (Autobahn's, run by `kosoku`) against the echo server.

use std::collections::BTreeMap;
use std::path::Path;

use gateway::ws::Budget;
use serde_json::Value;
use tokio::process::Command;

use crate::server::{Server, Setup, write_limits};

/// All cases but 12.* and 13.*, which are compression, an extension that is not negotiated.
const CASES: usize = 301;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_public_cases_pass() {
    let Ok(kosoku) = std::env::var("T2B_KOSOKU") else {
        let required = std::env::var("T2B_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
        assert!(
            !required,
            "T2B_KOSOKU is unset: it names the program `kosoku` 0.1.0"
        );
        eprintln!("skipped: T2B_KOSOKU is unset; it names the program `kosoku` 0.1.0");
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
    let failed: Vec<_> = verdicts
        .iter()
        .filter(|(_, verdict)| !is_pass(verdict))
        .collect();
    assert!(
        failed.is_empty(),
        "{failed:#?}\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert_eq!(verdicts.len(), CASES);
    assert!(output.status.success(), "{output:?}");
}

/// Behaviour of each case and of its closing handshake.
fn verdicts(reports: &Path) -> BTreeMap<String, (String, String)> {
    let index = std::fs::read(reports.join("index.json")).expect("kosoku wrote no report");
    let index: Value = serde_json::from_slice(&index).unwrap();
    let agents = index.as_object().unwrap();
    assert_eq!(agents.len(), 1, "one server was tested");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    agents
        .values()
        .flat_map(|cases| cases.as_object().unwrap())
        .map(|(case, entry)| {
            (
                case.clone(),
                (text(&entry["behavior"]), text(&entry["behaviorClose"])),
            )
        })
        .collect()
}

/// Informational cases have no right answer; anything short of `OK` in the others is a failure,
/// but for the fail-fast cases inside one frame, where a server may wait for the frame's end.
fn is_pass((behavior, close): &(String, String)) -> bool {
    let behaves = matches!(behavior.as_str(), "OK" | "NON-STRICT" | "INFORMATIONAL");
    behaves && matches!(close.as_str(), "OK" | "INFORMATIONAL")
}
