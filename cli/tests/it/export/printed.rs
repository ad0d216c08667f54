//! Without `--post`: events on standard output.

use super::billing::MockKind;
use super::ledger::TOKEN;
use super::stage::{ExportStage, USERS};
use crate::harness::EndedProcess;

fn print(stage: &ExportStage, args: &[&str]) -> EndedProcess {
    let from = stage.first.rfc3339();
    let all = [
        &[
            "usage",
            "export",
            "--admin-listen",
            &stage.ledger.address,
            "--from",
            &from,
        ][..],
        args,
    ];
    stage
        .home
        .run_with(&all.concat(), &[("T2B_ADMIN_TOKEN", TOKEN)])
}

#[test]
fn bodies_are_printed_within_the_limit_of_the_receiver() {
    let stage = ExportStage::with_hours(MockKind::Lago, 50);
    let customers = stage.home.path().join("customers");
    let customers = customers.to_str().unwrap();
    // Most rows of a line. None is a batch of all: the rows of 50 hours are of three days at least.
    for (kind, key, most) in [
        ("csv", "t2b:", 1),
        ("ndjson", "\"id\"", 1),
        ("stripe", "\"identifier\"", 1),
        ("lago", "\"transaction_id\"", 100),
        ("orb", "\"idempotency_key\"", 100),
        ("metronome", "\"transaction_id\"", 100),
        ("cloudevents", "\"specversion\"", 100),
    ] {
        let more = ["--customers", customers];
        let needs = ["stripe", "lago"].contains(&kind);
        let args = [&["--as", kind][..], if needs { &more } else { &[] }].concat();
        let ended = print(&stage, &args);
        let counts: Vec<_> = ended
            .stdout
            .lines()
            .map(|line| line.matches(key).count())
            .collect();
        let said = ended.with(0);
        assert_eq!(counts.iter().max(), Some(&most), "{kind}");
        let rows: usize = counts.iter().sum();
        assert_eq!(rows, 300, "{kind}");
        assert!(said.contains("300 rows exported"), "{said}");
    }
}

#[test]
fn what_was_printed_is_acknowledged_in_the_state_file() {
    let stage = ExportStage::with_hours(MockKind::Orb, 1);
    let state = stage.home.path().join("printed.state");
    let args = ["--as", "ndjson", "--state", state.to_str().unwrap()];
    assert_eq!(print(&stage, &args).stdout.lines().count(), 6);
    assert_eq!(print(&stage, &args).stdout, "");
    stage.use_hour(stage.first.plus(1));
    assert_eq!(print(&stage, &args).stdout.lines().count(), 6);
}

#[test]
fn days_users_and_meters_are_chosen() {
    let stage = ExportStage::with_hours(MockKind::Orb, 60);
    let day = stage.first.day().plus(24);
    let next = day.plus(24).rfc3339();
    let from = day.rfc3339();
    let args = [
        "--as",
        "csv",
        "--step",
        "day",
        "--to",
        &next,
        "--meter",
        "messages_accepted",
    ];
    // The last --from counts for nothing here: clap refuses a second one.
    let all = [
        &[
            "usage",
            "export",
            USERS[0],
            "--admin-listen",
            &stage.ledger.address,
            "--from",
            &from,
        ][..],
        &args,
    ];
    let ended = stage
        .home
        .run_with(&all.concat(), &[("T2B_ADMIN_TOKEN", TOKEN)]);
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let id = format!("t2b:alice:messages_accepted:{},alice,", day.day_text());
    assert!(lines[1].starts_with(&id), "{lines:?}");
}

#[test]
fn wrong_arguments_are_64() {
    let stage = ExportStage::new(MockKind::Orb);
    for (args, text) in [
        (&["--as", "focus"][..], "focus"),
        (&["--as", "orb", "--post", "http://127.0.0.1/"], "--state"),
        (
            &["--as", "csv", "--state", "s", "--post", "http://127.0.0.1/"],
            "only printed",
        ),
        (
            &["--as", "orb", "--state", "s", "--post", "ftp://127.0.0.1/"],
            "https://",
        ),
        (
            &["--as", "orb", "--state", "s", "--post", "https://a:b@c/"],
            "login",
        ),
        (&["--as", "lago"], "--customers"),
        (&["--as", "orb", "--skip-unknown"], "--customers"),
        (&["--as", "orb", "--meter", "bytes"], "--meter"),
        (&["--as", "orb", "--to", "yesterday"], "--to"),
        (&["--as", "orb", "--to", "2020-01-01"], "--to"),
        (
            &[
                "--as",
                "orb",
                "--step",
                "day",
                "--to",
                "2026-11-28T09:00:00Z",
            ],
            "--to",
        ),
        (&["--as", "orb", "--batch", "101"], "--batch"),
    ] {
        let said = print(&stage, args).with(64);
        assert!(said.contains(text), "{args:?}: {said}");
    }
}
