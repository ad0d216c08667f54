//! The place of a state file: what may be there, and how it is opened.

use std::fs::{self, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// The file holds ids of users.
const MODE: u32 = 0o600;
/// Most bytes of a file that is read: a day of thousands of users has less.
pub(super) const BYTES_MAX: u64 = 1 << 30;

/// Whether something is at a path. Errors: it cannot be a state file, see [`check`].
pub(super) fn is_state(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(found) => check(&found).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a file may be a state. Errors: it is a device, a pipe or a folder, which may have no end; or it is too
/// large.
pub(super) fn check(found: &Metadata) -> io::Result<()> {
    match found.is_file() {
        true => check_bytes(found.len()),
        false => Err(io::Error::other("is not a regular file")),
    }
}

/// Whether a state may have so many bytes.
pub(super) fn check_bytes(bytes: u64) -> io::Result<()> {
    match bytes <= BYTES_MAX {
        true => Ok(()),
        false => Err(io::Error::other("has more than 1 GiB")),
    }
}

/// Opens for writing, and creates.
pub(super) fn writable() -> OpenOptions {
    let mut options = OpenOptions::new();
    // Without it, a pipe of this name would be waited for until somebody reads it.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    options
        .write(true)
        .create(true)
        .mode(MODE)
        .custom_flags(flags);
    options
}

/// A file of this name and another ending.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}
