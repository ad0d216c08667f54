//! The folder of the journals: those of boots that are gone, and those that are kept aside.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use protocol::limits::USAGE_SEEN_HOURS;
use protocol::{BootId, TenantId};
use router_core::store::UsageRecord;
use rustix::fs::OFlags;

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
    /// What it has that is not booked: the records of each tenant together, in the order of their numbers.
    pub(crate) records: Vec<(TenantId, UsageRecord)>,
    path: PathBuf,
    /// When it was written last, Unix milliseconds.
    last_ms: u64,
    /// Whether a part of it cannot be read: then it is kept.
    is_torn: bool,
    /// Held until it is booked.
    _locks: [File; 2],
}

impl DeadJournal {
    /// Keeps it aside, and reports that, if the ledger may not know any more which of its records it has.
    pub(crate) fn unless_old(self, now_ms: u64) -> Option<Self> {
        if self.records.is_empty() || self.last_ms + OLD_MS >= now_ms {
            return Some(self);
        }
        report(&self.path, &"it is older than 6 days");
        keep(&self.path);
        None
    }

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

/// Takes the lock beside a journal, which is there before the journal is. Errors: `WouldBlock`: the node of the journal
/// lives, or another one books it just now.
pub(super) fn take_lock(journal: &Path) -> io::Result<File> {
    let lock = options()
        .create(true)
        .open(journal.with_extension("lock"))?;
    lock.try_lock()?;
    Ok(lock)
}

/// For writing, without waiting for the other end of a pipe that has the name.
pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    options.write(true).custom_flags(flags);
    options
}

/// Which file it is, of all that exist now.
pub(super) fn file_id(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
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
    let (file, lock) = match take_journal(&path) {
        Ok(locked) => locked,
        // Its node lives, or another one books it just now, or has booked it.
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotFound) => {
            return None;
        }
        Err(error) => {
            report(&path, &error);
            return None;
        }
    };
    let mut bytes = Vec::new();
    let read_all = (&file).read_to_end(&mut bytes);
    read_all.inspect_err(|error| report(&path, error)).ok()?;
    let content = match read(&bytes, cluster) {
        Ok(content) => content,
        Err(error) => {
            report(&path, &error);
            keep(&path);
            return None;
        }
    };
    let JournalContent {
        boot,
        records,
        last_ms,
        is_torn,
    } = content;
    if is_torn {
        report(
            &path,
            &"a part of it is damaged; the part before is booked, and the file is kept with the extension .torn",
        );
    }
    let journal = DeadJournal {
        boot,
        records,
        path,
        last_ms,
        is_torn,
        _locks: [file, lock],
    };
    journal.unless_old(now_ms)
}

fn report(path: &Path, error: &dyn std::fmt::Display) {
    tracing::warn!(path = %path.display(), %error, "a journal of usage is not booked");
}

/// Keeps a journal that is not to be booked.
fn keep(path: &Path) {
    drop(keep_aside(path, "kept"));
    drop(remove_lock(path));
}

/// Opens a journal and locks it. Errors: `WouldBlock`: its node lives, or another one books it just now; it is no
/// regular file.
fn take_journal(path: &Path) -> io::Result<(File, File)> {
    let file = options().read(true).open(path)?;
    // What was opened, and not what has the name now: a device or a pipe may never end.
    let opened = file.metadata()?;
    if !opened.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let lock = take_lock(path)?;
    file.try_lock()?;
    // A node that began its journal anew meanwhile holds the lock of the new file.
    match file_id(&fs::symlink_metadata(path)?) == file_id(&opened) {
        true => Ok((file, lock)),
        false => Err(ErrorKind::WouldBlock.into()),
    }
}

fn keep_aside(path: &Path, extension: &str) -> io::Result<()> {
    fs::rename(path, path.with_extension(extension))
}

/// Removes the lock beside a journal. Somebody may have done so before.
pub(super) fn remove_lock(journal: &Path) -> io::Result<()> {
    match fs::remove_file(journal.with_extension("lock")) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
