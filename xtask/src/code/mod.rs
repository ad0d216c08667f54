//! The workspace's Rust code, parsed: what the checks of structure look at.
//!
//! A [`Crate`] is the tree of modules under one root file. Test code is left out: modules and items
//! under `#[cfg(test)]`, and crates under `tests/`.

mod files;
mod modules;
mod paths;

use anyhow::Context;

pub(crate) use files::{Files, package_of};
pub(crate) use modules::Crate;
pub(crate) use paths::PathList;

/// Every library and program of the workspace, without its tests. A package with both has two.
///
/// Errors: a file that Rust's grammar does not allow, or a module without a file.
pub(crate) fn crates(files: &Files) -> anyhow::Result<Vec<Crate>> {
    let roots = files
        .keys()
        .filter(|path| path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs"));
    roots
        .map(|root| Crate::read(root, files).with_context(|| format!("reading {root}")))
        .collect()
}
