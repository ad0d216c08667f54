//! The journal of this boot.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use protocol::BootId;

use super::folder::{file_id, journal_path, options, remove_lock, take_lock};
use super::format::{JournalBuffer, JournalHead, MAGIC, NewWrite, block};

/// The file begins anew when it is longer than this, bytes…
const LONG_BYTES: u64 = 4 * 1024 * 1024;
/// …and so many times as long as it was when it began.
const LONG_FACTOR: u64 = 4;

/// The journal of this boot. It is removed when it is dropped with nothing in it that is not booked.
pub(crate) struct JournalWriter {
    path: PathBuf,
    head: Vec<u8>,
    /// Locked, so that no other node takes the journal for that of a dead one.
    file: File,
    /// Which file that is.
    id: (u64, u64),
    bytes: u64,
    begun_bytes: u64,
    /// Whether a write failed, and what is in the file behind that place is not read; or the file is not at its path.
    is_damaged: bool,
    /// Held as long as the process lives: there is no journal yet, or another one, while it begins.
    _lock: File,
}

impl JournalWriter {
    /// Begins a journal in a folder, which it makes. Errors: the folder cannot be written.
    pub(crate) fn open(folder: &Path, boot: BootId, cluster: &str) -> io::Result<Self> {
        make_folder(folder)?;
        let path = journal_path(folder, boot);
        let lock = take_lock(&path)?;
        let head = [MAGIC, &block(&JournalHead::new(cluster, boot))[..]].concat();
        let file = put_file(&path, &head)?;
        let bytes = head.len() as u64;
        Ok(Self {
            id: file_id(&file.metadata()?),
            path,
            head,
            file,
            bytes,
            begun_bytes: bytes,
            is_damaged: false,
            _lock: lock,
        })
    }

    /// Whether the next write should [begin anew](Self::begin_anew).
    pub(crate) fn must_begin_anew(&self) -> bool {
        self.is_damaged || self.bytes > LONG_BYTES.max(LONG_FACTOR * self.begun_bytes)
    }

    /// Looks whether the journal is still where the next node finds it. Errors: somebody deleted or replaced it, or
    /// its folder; then it must begin anew.
    pub(crate) fn check_place(&mut self) -> io::Result<()> {
        let found = fs::symlink_metadata(&self.path);
        let checked = match found {
            Ok(found) if file_id(&found) == self.id => Ok(()),
            Ok(_) => Err(io::Error::other("another file is in its place")),
            Err(error) => Err(error),
        };
        self.is_damaged |= checked.is_err();
        checked
    }

    /// Adds a write. `boot`: that of now; a node that was evicted has another one than at its start.
    pub(crate) fn append(
        &mut self,
        boot: BootId,
        unix_ms: u64,
        buffer: &JournalBuffer,
    ) -> io::Result<()> {
        self.check_place()?;
        let block = write_block(boot, unix_ms, buffer);
        self.bytes += block.len() as u64;
        let written = self.file.write_all(&block);
        self.is_damaged |= written.is_err();
        written
    }

    /// Begins anew with all that tenants have. Until the new file is whole, the old one stays.
    pub(crate) fn begin_anew(
        &mut self,
        boot: BootId,
        unix_ms: u64,
        all: &JournalBuffer,
    ) -> io::Result<()> {
        let bytes = [&self.head[..], &write_block(boot, unix_ms, all)].concat();
        if let Some(folder) = self.path.parent() {
            make_folder(folder)?;
        }
        let file = put_file(&self.path, &bytes)?;
        self.id = file_id(&file.metadata()?);
        self.file = file;
        self.bytes = bytes.len() as u64;
        self.begun_bytes = self.bytes;
        self.is_damaged = false;
        Ok(())
    }

    /// The node ends with everything booked: nobody needs the journal.
    pub(crate) fn remove(mut self) -> io::Result<()> {
        self.check_place()?;
        fs::remove_file(&self.path)?;
        remove_lock(&self.path)
    }
}

/// It may be what makes the state directory, which nobody else may read.
fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)
}

/// Puts a file with these bytes at a path, in place of the one that may be there. It is locked before it is there.
fn put_file(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let new = path.with_extension("new");
    let mut file = options().create(true).truncate(true).open(&new)?;
    file.try_lock()?;
    file.write_all(bytes)?;
    fs::rename(&new, path)?;
    Ok(file)
}

fn write_block(boot: BootId, unix_ms: u64, buffer: &JournalBuffer) -> Vec<u8> {
    block(&NewWrite {
        boot: boot.to_string(),
        unix_ms,
        tenants: buffer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_fails_makes_the_journal_begin_anew() {
        let folder = tempfile::tempdir().unwrap();
        let boot = BootId::from_bits(1);
        let mut journal = JournalWriter::open(folder.path(), boot, "t2b").unwrap();
        journal.append(boot, 1, &JournalBuffer::default()).unwrap();
        assert!(!journal.must_begin_anew());

        journal.file = options().open("/dev/full").unwrap();
        let failed = journal.append(boot, 2, &JournalBuffer::default());
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(journal.must_begin_anew());

        journal
            .begin_anew(boot, 3, &JournalBuffer::default())
            .unwrap();
        assert!(!journal.must_begin_anew());
        journal.append(boot, 4, &JournalBuffer::default()).unwrap();
        assert_eq!(fs::metadata(&journal.path).unwrap().len(), journal.bytes);
    }
}
