use std::fs;
use std::path::Path;
use std::process::Command;

use protocol::limits::USAGE_SEEN_HOURS;
use protocol::{BootId, TenantId, UsageCounts, UsageHour, UsageMeter};
use router_core::shard::{SocketCounts, UnbookedUsage, UsageReport};
use router_core::store::UsageRecord;
use tempfile::tempdir;

use super::{JournalBuffer, JournalWriter, dead_journals};

const CLUSTER: &str = "t2b";
const OWN: BootId = BootId::from_bits(7);
const OTHER: BootId = BootId::from_bits(8);
/// When the tests happen, Unix milliseconds.
const NOW_MS: u64 = 1_764_320_400_000;

fn record(seq: u64, bytes: u64) -> UsageRecord {
    let counts: UsageCounts = [(UsageMeter::BytesIn, bytes)].into_iter().collect();
    UsageRecord {
        boot: OWN,
        seq,
        hour: UsageHour::of(NOW_MS),
        counts,
    }
}

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

fn report(name: &str, records: &[UsageRecord], bots: u32) -> UsageReport {
    UsageReport {
        tenant: tenant(name),
        added: UsageCounts::default(),
        sockets_before: SocketCounts::default(),
        unbooked: UnbookedUsage {
            records: records.to_vec(),
            time_seq: 100,
            sockets: SocketCounts { bots, clients: 0 },
            timed_unix_ms: NOW_MS,
        },
    }
}

fn write(journal: &mut JournalWriter, unix_ms: u64, reports: &[UsageReport]) {
    let mut buffer = JournalBuffer::default();
    for report in reports {
        buffer.add(report.clone());
    }
    journal.append(OWN, unix_ms, &buffer).unwrap();
}

/// What a node finds that starts in this folder: tenant, seq and bytes of each record.
fn found(folder: &Path) -> Vec<(String, u64, u64)> {
    let journals = dead_journals(folder, OTHER, CLUSTER, NOW_MS + 1000);
    let records = journals.iter().flat_map(|journal| &journal.records);
    let records = records.map(|(tenant, record)| {
        let bytes = record.counts[UsageMeter::BytesIn];
        (tenant.to_string(), record.seq, bytes)
    });
    records.collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names
}

#[test]
fn the_last_word_about_each_tenant_counts() {
    let folder = tempdir().unwrap();
    let mut journal = JournalWriter::open(folder.path(), OWN, CLUSTER).unwrap();
    write(
        &mut journal,
        NOW_MS,
        &[
            report("a", &[record(1, 5)], 0),
            report("b", &[record(3, 1)], 0),
        ],
    );
    write(
        &mut journal,
        NOW_MS,
        &[report("a", &[record(1, 5), record(2, 6)], 0)],
    );
    write(&mut journal, NOW_MS, &[report("b", &[], 0)]);
    assert_eq!(found(folder.path()), [], "its node lives");
    drop(journal);
    let right = [("a".to_owned(), 1, 5), ("a".to_owned(), 2, 6)];
    assert_eq!(found(folder.path()), right);
    let two = dead_journals(folder.path(), OTHER, CLUSTER, NOW_MS);
    assert_eq!(found(folder.path()), [], "another node books it just now");
    for journal in two {
        journal.remove().unwrap();
    }
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn sockets_that_were_open_to_the_end_are_counted_until_the_last_write() {
    let folder = tempdir().unwrap();
    let mut journal = JournalWriter::open(folder.path(), OWN, CLUSTER).unwrap();
    write(&mut journal, NOW_MS, &[report("a", &[], 2)]);
    write(&mut journal, NOW_MS + 700, &[]);
    drop(journal);
    let journals = dead_journals(folder.path(), OTHER, CLUSTER, NOW_MS);
    let (_, rest) = &journals[0].records[0];
    assert_eq!(rest.seq, 100);
    assert_eq!(rest.counts[UsageMeter::ConnectionSecondsBot], 1400);
}

#[test]
fn a_journal_that_begins_anew_has_all_and_is_short() {
    let folder = tempdir().unwrap();
    let mut journal = JournalWriter::open(folder.path(), OWN, CLUSTER).unwrap();
    let many: Vec<UsageRecord> = (1..=24).map(|seq| record(seq, seq)).collect();
    let tenants: Vec<UsageReport> = (0..200)
        .map(|number| report(&format!("t{number}"), &many, 0))
        .collect();
    while !journal.must_begin_anew() {
        write(&mut journal, NOW_MS, &tenants);
    }
    let path = folder.path().join(format!("{OWN}.journal"));
    let before = fs::metadata(&path).unwrap().len();
    let mut all = JournalBuffer::default();
    all.add(report("a", &[record(9, 5)], 0));
    journal.begin_anew(OWN, NOW_MS, &all).unwrap();
    assert!(!journal.must_begin_anew());
    assert!(fs::metadata(&path).unwrap().len() < before / 1000);
    write(&mut journal, NOW_MS, &[report("b", &[record(3, 1)], 0)]);
    drop(journal);
    let right = [("a".to_owned(), 9, 5), ("b".to_owned(), 3, 1)];
    assert_eq!(found(folder.path()), right);
}

#[test]
fn a_journal_that_is_cut_off_or_changed_anywhere_is_booked_up_to_there() {
    let folder = tempdir().unwrap();
    let mut journal = JournalWriter::open(folder.path(), OWN, CLUSTER).unwrap();
    for seq in 1..=5 {
        let name = format!("t{seq}");
        write(
            &mut journal,
            NOW_MS,
            &[report(&name, &[record(seq, seq)], 0)],
        );
    }
    drop(journal);
    let path = folder.path().join(format!("{OWN}.journal"));
    let whole = fs::read(&path).unwrap();
    let content = |bytes: &[u8]| super::reading::read(bytes, CLUSTER);
    let all = content(&whole).unwrap();
    assert!(!all.is_torn && all.records.len() == 5);
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        for bytes in [&whole[..at], &changed] {
            let Ok(part) = content(bytes) else { continue };
            let count = part.records.len();
            assert_eq!(part.records[..], all.records[..count], "at {at}");
            assert!(count < 5, "at {at}");
        }
    }
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(found(folder.path()).len(), 4);
    for journal in dead_journals(folder.path(), OTHER, CLUSTER, NOW_MS) {
        journal.remove().unwrap();
    }
    assert_eq!(names(folder.path()), [format!("{OWN}.torn")]);
}

#[test]
fn what_must_not_be_booked_is_kept_aside() {
    let old_ms = NOW_MS + u64::from(USAGE_SEEN_HOURS) * 3_600_000;
    for (cluster, now_ms) in [("other", NOW_MS), (CLUSTER, old_ms)] {
        let folder = tempdir().unwrap();
        let mut journal = JournalWriter::open(folder.path(), OWN, CLUSTER).unwrap();
        write(&mut journal, NOW_MS, &[report("a", &[record(1, 5)], 0)]);
        drop(journal);
        let journals = dead_journals(folder.path(), OTHER, cluster, now_ms);
        assert!(journals.is_empty(), "{cluster}");
        assert_eq!(names(folder.path()), [format!("{OWN}.kept")]);
    }
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("x.journal"), "not a journal").unwrap();
    assert!(dead_journals(folder.path(), OTHER, CLUSTER, NOW_MS).is_empty());
    assert_eq!(names(folder.path()), ["x.kept"]);
}

#[test]
fn only_regular_files_are_journals() {
    let folder = tempdir().unwrap();
    let pipe = folder.path().join("0.journal");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    fs::create_dir(folder.path().join("1.journal")).unwrap();
    let mut journal = JournalWriter::open(folder.path(), OWN, CLUSTER).unwrap();
    write(&mut journal, NOW_MS, &[report("a", &[record(1, 5)], 0)]);
    drop(journal);
    assert_eq!(found(folder.path()), [("a".to_owned(), 1, 5)]);
    assert!(pipe.exists());
}

#[test]
fn a_journal_is_locked_even_if_its_lock_file_is_deleted() {
    let folder = tempdir().unwrap();
    let mut journal = JournalWriter::open(folder.path(), OWN, CLUSTER).unwrap();
    let lock = folder.path().join(format!("{OWN}.lock"));
    for seq in 1..=2 {
        write(&mut journal, NOW_MS, &[report("a", &[record(seq, 5)], 0)]);
        fs::remove_file(&lock).unwrap();
        assert_eq!(found(folder.path()), [], "its node lives");
        let mut all = JournalBuffer::default();
        all.add(report("a", &[record(seq, 5)], 0));
        journal.begin_anew(OWN, NOW_MS, &all).unwrap();
    }
    drop(journal);
    assert_eq!(found(folder.path()), [("a".to_owned(), 2, 5)]);
}

#[test]
fn a_journal_that_was_deleted_or_replaced_begins_anew() {
    let root = tempdir().unwrap();
    let folder = root.path().join("usage");
    let mut journal = JournalWriter::open(&folder, OWN, CLUSTER).unwrap();
    let path = folder.join(format!("{OWN}.journal"));
    let mut all = JournalBuffer::default();
    all.add(report("a", &[record(1, 5)], 0));
    let deletes: [&dyn Fn(); 3] = [
        &|| fs::remove_file(&path).unwrap(),
        &|| fs::remove_dir_all(&folder).unwrap(),
        &|| {
            fs::rename(&path, folder.join("moved")).unwrap();
            fs::write(&path, "of somebody else").unwrap();
        },
    ];
    for delete in deletes {
        journal.append(OWN, NOW_MS, &all).unwrap();
        journal.check_place().unwrap();
        delete();
        assert!(journal.check_place().is_err());
        assert!(journal.must_begin_anew());
        assert!(journal.append(OWN, NOW_MS, &all).is_err());
        journal.begin_anew(OWN, NOW_MS, &all).unwrap();
        journal.check_place().unwrap();
    }
    assert_eq!(found(&folder), [], "its node lives");
    drop(journal);
    assert_eq!(found(&folder), [("a".to_owned(), 1, 5)]);
}

#[test]
fn a_journal_of_another_version_says_which() {
    let head = (2u32, "words", "of a later build", 7);
    let bytes = [&super::format::MAGIC[..], &super::format::block(&head)].concat();
    let error = super::reading::read(&bytes, CLUSTER).unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
}
