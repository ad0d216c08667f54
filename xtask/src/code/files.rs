//! The files that the checks read.

use std::collections::BTreeMap;

/// The tracked text files: path relative to the workspace, and content.
pub(crate) type Files = BTreeMap<String, String>;

/// The package that a file belongs to: the folder before `src`.
pub(crate) fn package_of(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}
