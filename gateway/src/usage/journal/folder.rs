//! The folder of the journals: those of boots that are gone, and those that are kept aside.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use protocol::limits::USAGE_SEEN_HOURS;
use protocol::{BootId, TenantId};
use router_core::store::UsageRecord;

use super::reading::{JournalContent, read};

/// The last part of the name of a journal.
const JOURNAL: &str = "journal";
/// A journal that is older is not booked: the ledger may not know any more which records it has. A day less
/// than it remembers, for the time until the journal is booked.
const OLD_MS: u64 = (USAGE_SEEN_HOURS as u64 - 24) * 60 * 60 * 1000;

/// The journal of a boot that is gone.
#[derive(Debug)]
pub(crate) struct DeadJournal {
    pub(crate) boot: BootId,
    /// What it has that is not booked.
    pub(crate) records: Vec<(TenantId, UsageRecord)>,
    path: PathBuf,
    /// Whether a part of it cannot be read: then it is kept.
    is_torn: bool,
    /// Held until it is booked.
    _lock: File,
}

impl DeadJournal {
    /// It is booked. What cannot be read of it is kept aside.
    pub(crate) fn remove(self) -> io::Result<()> {
        match self.is_torn {
            true => keep_aside(&self.path, "torn"),
            false => fs::remove_file(&self.path),
        }?;
        remove_lock(&self.path)
    }
}

/// The journal of a boot.
pub(super) fn journal_path(folder: &Path, boot: BootId) -> PathBuf {
    folder.join(format!("{boot}.{JOURNAL}"))
}

/// The lock of a boot.
pub(super) fn lock_path(folder: &Path, boot: BootId) -> PathBuf {
    folder.join(format!("{boot}.lock"))
}

/// The journals of boots that are gone, each locked. Those that are not to be booked are kept aside, and
/// reported.
pub(crate) fn dead_journals(
    folder: &Path,
    own: BootId,
    cluster: &str,
    now_ms: u64,
) -> Vec<DeadJournal> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort_unstable();
    let journals = paths.into_iter().filter(|path| {
        let is_journal = path.extension().is_some_and(|end| end == JOURNAL);
        is_journal && *path != journal_path(folder, own)
    });
    journals
        .filter_map(|path| dead_journal(path, cluster, now_ms))
        .collect()
}

fn dead_journal(path: PathBuf, cluster: &str, now_ms: u64) -> Option<DeadJournal> {
    let report = |error: &dyn std::fmt::Display| {
        tracing::warn!(path = %path.display(), %error, "a journal of usage is not booked");
    };
    // Of a node that lives, or that another one books just now.
    let lock = File::create(path.with_extension("lock")).and_then(|file| {
        file.try_lock()?;
        Ok(file)
    });
    let lock = lock.ok()?;
    let bytes = fs::read(&path).inspect_err(|error| report(error)).ok()?;
    let content = match read(&bytes, cluster) {
        Ok(content) => content,
        Err(error) => {
            report(&error);
            drop(keep_aside(&path, "kept"));
            drop(remove_lock(&path));
            return None;
        }
    };
    let JournalContent {
        boot,
        records,
        last_ms,
        is_torn,
    } = content;
    if !records.is_empty() && last_ms + OLD_MS < now_ms {
        report(&"it is older than 6 days");
        drop(keep_aside(&path, "kept"));
        drop(remove_lock(&path));
        return None;
    }
    if is_torn {
        report(
            &"a part of it is damaged; the part before is booked, and the file is kept with the extension .torn",
        );
    }
    Some(DeadJournal {
        boot,
        records,
        path,
        is_torn,
        _lock: lock,
    })
}

fn keep_aside(path: &Path, extension: &str) -> io::Result<()> {
    fs::rename(path, path.with_extension(extension))
}

fn remove_lock(path: &Path) -> io::Result<()> {
    fs::remove_file(path.with_extension("lock"))
}
