//! What the system gives a process: a home, and so many open files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The state directory if nobody names one: `~/.local/state/t2b`. None without a home.
pub fn default_state_dir(environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    let home = environment.get("HOME").filter(|home| !home.is_empty())?;
    Some(Path::new(home).join(".local/state/t2b"))
}

/// Lets this process open as many files as the system allows it, and says how many that is.
pub fn raise_file_limit() -> u64 {
    rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024)
}
