//! The state file: one export at a time, one receiver, and never overwritten if it is anything else.

use std::fs;
use std::path::Path;
use std::process::Command;

use protocol::UsageMeter;

use super::billing::MockKind;
use super::receiver::ReceiverFault::{LateAnswer, Status};
use super::stage::{ExportStage, USERS};

#[test]
fn a_second_export_with_the_same_file_is_refused() {
    let stage = ExportStage::with_hours(MockKind::Lago, 1);
    stage.receiver.fail(&[LateAnswer]);
    let mut first = stage.start(&["--timeout", "30s"]);
    fixtures::blocking_until(fixtures::DEADLINE, "the first one has sent", || {
        (!stage.receiver.requests().is_empty()).then_some(())
    });
    let said = stage.export(&[]).with(75);
    assert!(said.contains("state_in_use"), "{said}");
    let said = stage
        .export(&["--acknowledge", "t2b:a:bytes_in:2026112800"])
        .with(75);
    assert!(said.contains("state_in_use"), "{said}");
    assert_eq!(stage.receiver.requests().len(), 1);
    // Its lock ends with it, however it ends.
    first.signal("-KILL");
    first.end_input();
    assert_eq!(first.wait().status.code(), None);
    stage.export(&[]).with(0);
    stage.check("after the first was killed");
}

#[test]
fn a_file_of_another_receiver_or_cluster_is_refused_and_left_alone() {
    let stage = ExportStage::with_hours(MockKind::Orb, 1);
    stage.export(&[]).with(0);
    let before = fs::read(stage.state()).unwrap();
    let requests = stage.receiver.requests().len();
    let state = stage.state();
    let state = state.to_str().unwrap();
    let print = |kind: &'static str| ["usage", "export", "--as", kind, "--state", state];
    for (kind, member) in [
        ("metronome", "its receiver is orb"),
        ("orb", "its way is post"),
    ] {
        let said = stage.home.run(&print(kind)).with(64);
        assert!(said.contains(member), "{said}");
    }
    let said = stage
        .export(&["--step", "day", "--from", "2026-11-01"])
        .with(64);
    assert!(said.contains("its step is hour"), "{said}");
    stage.ledger.rename("eu");
    stage.use_hour(stage.first.plus(1));
    let said = stage.export(&[]).with(64);
    assert!(
        said.contains("its cluster is t2b, and this export's is eu"),
        "{said}"
    );
    assert_eq!(fs::read(state).unwrap(), before);
    assert_eq!(stage.receiver.requests().len(), requests);
}

#[test]
fn a_damaged_file_is_refused_and_left_alone() {
    let stage = ExportStage::with_hours(MockKind::Orb, 1);
    stage.export(&[]).with(0);
    let good = fs::read(stage.state()).unwrap();
    let requests = stage.receiver.requests().len();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    for content in [&bad[..], b"", b"something else\n"] {
        fs::write(stage.state(), content).unwrap();
        stage.export(&[]).with(1);
        assert_eq!(fs::read(stage.state()).unwrap(), content);
    }
    fs::write(stage.state(), &good).unwrap();
    stage.export(&[]).with(0);
    assert_eq!(stage.receiver.requests().len(), requests);
}

/// Nothing is read of what is no file, or too large to be a state.
#[test]
fn what_is_no_state_file_is_not_read() {
    let stage = ExportStage::with_hours(MockKind::Orb, 1);
    let folder = stage.home.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let pipe = stage.home.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let huge = stage.home.path().join("huge");
    let file = fs::File::create(&huge).unwrap();
    file.set_len((1 << 30) + 1).unwrap();
    for (path, told) in [
        (Path::new("/dev/full"), "is not a regular file"),
        (Path::new("/dev/zero"), "is not a regular file"),
        (&folder, "is not a regular file"),
        (&pipe, "is not a regular file"),
        (&huge, "has more than 1 GiB"),
    ] {
        let mut args = stage.args(&["--from", &stage.first.rfc3339()]);
        let own = stage.state();
        let state = args.iter_mut().find(|arg| **arg == own.to_str().unwrap());
        *state.unwrap() = path.to_str().unwrap().to_owned();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let variables = [("T2B_ADMIN_TOKEN", super::ledger::TOKEN)];
        let said = stage.home.run_with(&args, &variables).with(1);
        assert!(said.contains(told), "{}: {said}", path.display());
        let lock = format!("{}.lock", path.display());
        assert!(!Path::new(&lock).exists(), "{lock}");
    }
    assert_eq!(stage.receiver.requests().len(), 0);
}

/// What is not acknowledged is not covered: an hour that comes late is sent, and so are meters that come later.
#[test]
fn an_export_goes_on_where_the_last_one_stopped() {
    let stage = ExportStage::with_hours(MockKind::Metronome, 3);
    stage.export(&["--meter", "messages_accepted"]).with(0);
    stage.receiver.fail(&[Status(400)]);
    stage.export(&[]).with(1);
    stage.use_hour(stage.first.plus(3));
    // A whole day later, as after a night.
    stage.use_hour(stage.first.plus(30));
    stage.export(&[]).with(0);
    stage.check("all meters");
    let said = stage.export(&[]).with(0);
    assert!(said.contains("0 rows exported"), "{said}");
}

/// A day that is exported by hand: the next export does not begin there.
#[test]
fn an_older_range_by_hand_does_not_move_the_beginning() {
    let stage = ExportStage::with_hours(MockKind::Orb, 2);
    for back in [24, 48, 72] {
        let old = stage.first.minus(back);
        stage
            .ledger
            .add("alice", UsageMeter::BytesIn, old, u64::from(back));
    }
    stage.export(&[]).with(0);
    let (from, to) = (
        stage.first.minus(72).rfc3339(),
        stage.first.minus(71).rfc3339(),
    );
    stage.export(&["--from", &from, "--to", &to]).with(0);
    stage.use_hour(stage.first.plus(2));
    stage.export(&[]).with(0);
    let mut expected = stage.expected();
    expected.insert(("alice".to_owned(), "t2b_bytes_in".to_owned()), 72_000);
    assert_eq!(stage.receiver.totals(), expected);
}

#[test]
fn an_open_hour_is_exported_when_it_is_closed() {
    let stage = ExportStage::with_hours(MockKind::Lago, 2);
    let open = stage.first.plus(2);
    stage
        .ledger
        .add("alice", UsageMeter::MessagesAccepted, open, 5);
    stage.export(&[]).with(0);
    stage.check("without the open hour");
    stage.ledger.close(open.plus(1));
    stage.export(&[]).with(0);
    stage.check("with it");
}

/// An hour that is closed between two pages: some of its rows were passed when they were still open.
#[test]
fn an_hour_that_is_closed_meanwhile_is_exported_whole() {
    // An export of these hours reads the ledger twice, in three pages each time.
    for requests in 0..8 {
        let stage = ExportStage::with_hours(MockKind::Lago, 3);
        let closed = stage.first.plus(2);
        stage.ledger.close(closed);
        stage.ledger.close_after(requests, closed.plus(1));
        stage.export(&[]).with(0);
        stage.ledger.close(closed.plus(1));
        stage.export(&[]).with(0);
        stage.check(&format!("closed after {requests} requests"));
    }
}

/// A gateway that is started again while its rows are read shows hours as open which were closed before.
#[test]
fn an_hour_that_is_shown_as_open_again_is_not_forgotten() {
    let mut interrupted = 0;
    for requests in 0..8 {
        let stage = ExportStage::with_hours(MockKind::Lago, 3);
        stage.ledger.close_after(requests, stage.first);
        let ended = stage.export(&[]);
        interrupted += u32::from(ended.status.code() == Some(75));
        stage.ledger.close_after(0, stage.first.plus(3));
        stage.export(&[]).with(0);
        stage.check(&format!("open again after {requests} requests"));
    }
    assert!(interrupted > 1, "{interrupted}");
}

#[test]
fn a_user_without_a_customer_stops_the_export_before_anything_is_sent() {
    let stage = ExportStage::with_hours(MockKind::Lago, 2);
    let last = stage.first.plus(1);
    stage
        .ledger
        .add("zoe", UsageMeter::MessagesAccepted, last, 5);
    let said = stage.export(&[]).with(1);
    assert!(
        said.contains("no_customer") && said.contains("zoe"),
        "{said}"
    );
    assert_eq!(stage.receiver.requests(), Vec::<String>::new());
    let said = stage.export(&["--skip-unknown"]).with(0);
    assert!(said.contains("1 row left out"), "{said}");
    let mut expected = stage.expected();
    expected.retain(|(customer, _), _| customer != "cus_zoe");
    assert_eq!(stage.receiver.totals(), expected);
}

/// One user, then all: the rows of the one are not sent twice, and the rows of the others are not forgotten.
#[test]
fn an_export_of_one_user_leaves_the_others_pending() {
    let stage = ExportStage::with_hours(MockKind::OpenMeter, 2);
    stage.export(&[USERS[1]]).with(0);
    let customers: Vec<_> = stage
        .receiver
        .totals()
        .into_keys()
        .map(|(user, _)| user)
        .collect();
    assert!(
        customers.iter().all(|user| user == USERS[1]),
        "{customers:?}"
    );
    stage.export(&[]).with(0);
    stage.check("all users");
}
