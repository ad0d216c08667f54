//! A system clock that a test sets: libfaketime stands between processes and their clock, and a file says how far it
//! is off.

use std::fs;
use std::path::PathBuf;

use fixtures::skip;
use tempfile::TempDir;

use crate::gateway::NodeEnvironment;

/// A clock for processes that are started with its environment.
pub struct FakeClock {
    library: PathBuf,
    place: TempDir,
}

impl FakeClock {
    /// A clock that is right. `None`: there is no libfaketime, and the test is to be skipped. Panics: it has to be
    /// there and is not.
    pub fn new() -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let clock = Self {
            library: library()?,
            place,
        };
        clock.set("+0");
        Some(clock)
    }

    /// How far it is off from now on, like `-2h` or `+90s`.
    pub fn set(&self, offset: &str) {
        // A reader sees the old file or the new one.
        let new = self.place.path().join("new");
        fs::write(&new, offset).unwrap();
        fs::rename(new, self.file()).unwrap();
    }

    /// What a process has to be started with.
    pub fn environment(&self) -> NodeEnvironment {
        // Without libc behind it, the allocator of Redis asks for the time before libfaketime is ready.
        let libraries = format!("{} libc.so.6", self.library.display());
        vec![
            ("LD_PRELOAD", libraries),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }

    fn file(&self) -> PathBuf {
        self.place.path().join("clock")
    }
}

/// libfaketime for programs of many threads, where Debian puts it.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").unwrap().flatten();
    let places = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    let found = places.into_iter().find(|path| path.exists());
    if found.is_none() {
        skip("no libfaketime: make tools");
    }
    found
}
