//! The file through its whole life.

use std::fs;
use std::path::Path;

use protocol::http::UsageStep;
use protocol::{UsageHour, UsageMeter};

use super::StateFile;
use super::records::{ExportWay, StateHead};
use crate::usage::export::row_key::RowKey;

const METERS: &[UsageMeter] = &[UsageMeter::BytesIn];

fn head() -> StateHead {
    StateHead::new("lago", ExportWay::Post, ("t2b", UsageStep::Hour))
}

fn id(user: &str, hour: &str) -> String {
    format!("t2b:{user}:bytes_in:{hour}")
}

fn hour(text: &str) -> UsageHour {
    UsageHour::parse(text).unwrap()
}

fn opened(path: &Path) -> StateFile {
    let mut state = StateFile::open(path).unwrap();
    state.claim(&head()).unwrap();
    state
}

fn key(state: &StateFile, id: &str) -> RowKey {
    state.space().unwrap().parse(id).unwrap()
}

/// A file with each kind of record.
fn written(path: &Path) {
    let mut state = opened(path);
    let ids = |hour| ["a", "b", "c"].map(|user| id(user, hour)).to_vec();
    state.begin(hour("2026112800")).unwrap();
    state.mark_sent(ids("2026112800"), 7).unwrap();
    state.acknowledge(ids("2026112800")).unwrap();
    let range = (hour("2026112800"), hour("2026112801"));
    state.cover(METERS, range).unwrap();
    state.mark_sent(ids("2026112801"), 8).unwrap();
    state.release(vec![id("c", "2026112801")]).unwrap();
    state.acknowledge(vec![id("a", "2026112801")]).unwrap();
}

#[track_caller]
fn check(state: &StateFile) {
    let is_acknowledged = |id: &str| state.is_acknowledged(&key(state, id));
    assert!(is_acknowledged(&id("a", "2026112800")));
    assert!(is_acknowledged(&id("whoever", "2026112800")));
    assert!(is_acknowledged(&id("a", "2026112801")));
    for user in ["b", "c"] {
        assert!(!is_acknowledged(&id(user, "2026112801")));
    }
    let sent: Vec<_> = state
        .sent()
        .map(|(key, at)| (key.tenant.as_str(), at))
        .collect();
    assert_eq!(sent, [("b", 8)]);
    assert_eq!(state.first_hole(METERS), Some(hour("2026112801")));
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    written(&path);
    check(&opened(&path));
    // Compacted, it says the same.
    let long = fs::metadata(&path).unwrap().len();
    opened(&path).compact().unwrap();
    assert!(fs::metadata(&path).unwrap().len() < long);
    check(&opened(&path));
}

/// Killed while it compacted: the new file is not in place yet.
#[test]
fn half_of_a_new_file_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    written(&path);
    fs::write(folder.path().join("state.new"), "half a li").unwrap();
    check(&opened(&path));
    opened(&path).compact().unwrap();
    check(&opened(&path));
    assert!(!folder.path().join("state.new").exists());
}

#[test]
fn the_first_time_of_sending_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = opened(&folder.path().join("state"));
    let row = vec![id("a", "2026112801")];
    state.mark_sent(row.clone(), 7).unwrap();
    state.mark_sent(row.clone(), 9).unwrap();
    assert_eq!(state.sent_ms(&key(&state, &row[0])), Some(7));
    state.release(row.clone()).unwrap();
    state.mark_sent(row.clone(), 9).unwrap();
    assert_eq!(state.sent_ms(&key(&state, &row[0])), Some(9));
}

/// Every byte counts: each is changed once.
#[test]
fn a_damaged_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    written(&path);
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        let error = StateFile::open(&path).map(|state| state.head().is_some());
        // Without its line break the last line looks like one that was cut off.
        if at + 1 == good.len() {
            assert!(error.unwrap());
            continue;
        }
        let error = error.unwrap_err().to_string();
        assert!(error.contains("damaged"), "byte {at}: {error}");
        assert_eq!(fs::read(&path).unwrap(), bad, "byte {at}");
    }
}

/// Killed while it wrote: whatever is left of the last record, the file reads as before it, and goes on.
#[test]
fn a_record_that_was_cut_off_was_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    written(&path);
    let good = fs::read(&path).unwrap();
    let mut state = opened(&path);
    state.acknowledge(vec![id("b", "2026112801")]).unwrap();
    drop(state);
    let longer = fs::read(&path).unwrap();
    for end in good.len()..longer.len() {
        fs::write(&path, &longer[..end]).unwrap();
        let mut state = opened(&path);
        check(&state);
        state.acknowledge(vec![id("b", "2026112801")]).unwrap();
        drop(state);
        assert_eq!(fs::read(&path).unwrap(), longer, "cut at {end}");
    }
}

#[test]
fn a_file_of_anything_else_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    for text in ["", "\n", "{}\n", "a shopping list\n", "no line break"] {
        fs::write(&path, text).unwrap();
        let error = StateFile::open(&path).unwrap_err().to_string();
        assert!(error.contains("not a state file"), "{text:?}: {error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn each_member_of_the_head_has_to_be_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    drop(opened(&path));
    let hour = UsageStep::Hour;
    for (member, other) in [
        (
            "receiver",
            StateHead::new("orb", ExportWay::Post, ("t2b", hour)),
        ),
        (
            "cluster",
            StateHead::new("lago", ExportWay::Post, ("us", hour)),
        ),
        (
            "way",
            StateHead::new("lago", ExportWay::Print, ("t2b", hour)),
        ),
        (
            "step",
            StateHead::new("lago", ExportWay::Post, ("t2b", UsageStep::Day)),
        ),
    ] {
        let error = StateFile::open(&path).unwrap().claim(&other).unwrap_err();
        assert_eq!(error.exit, crate::failure::USAGE);
        let text = error.to_string();
        assert!(text.contains(&format!("its {member} is")), "{text}");
    }
}

#[test]
fn a_range_with_a_row_in_doubt_is_not_covered() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = opened(&folder.path().join("state"));
    state.begin(hour("2026112800")).unwrap();
    state.mark_sent(vec![id("a", "2026112801")], 7).unwrap();
    for (to, hole) in [("2026112802", "2026112800"), ("2026112801", "2026112801")] {
        let range = (hour("2026112800"), hour(to));
        state.cover(METERS, range).unwrap();
        assert_eq!(state.first_hole(METERS), Some(hour(hole)));
    }
    assert_eq!(state.sent().count(), 1);
}

/// Many days of exports: what is covered is forgotten, in the file too.
#[test]
fn the_file_is_bounded() {
    const DAYS: u32 = 60;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut state = opened(&path);
    let first = hour("2026010100");
    state.begin(first).unwrap();
    let mut largest = 0;
    for day in 0..DAYS {
        let from = first.plus(24 * day);
        let users = (0..10).map(|number| format!("user{number}"));
        let hours = |user: String| (0..24).map(move |at| id(&user, &from.plus(at).to_string()));
        let rows: Vec<_> = users.flat_map(hours).collect();
        state.mark_sent(rows.clone(), 7).unwrap();
        state.acknowledge(rows).unwrap();
        state.cover(METERS, (from, from.plus(24))).unwrap();
        largest = largest.max(fs::metadata(&path).unwrap().len());
    }
    assert!(largest < 100_000, "{largest} bytes");
    drop(state);
    assert_eq!(
        opened(&path).first_hole(METERS),
        Some(first.plus(24 * DAYS))
    );
}

#[test]
fn a_second_export_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let first = opened(&path);
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for name in [&path, &link] {
        let error = StateFile::open(name).unwrap_err();
        assert_eq!(error.exit, 75);
        assert!(error.to_string().contains("another export"), "{error}");
    }
    drop(first);
    opened(&path);
}
