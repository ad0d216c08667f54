//! What the checks know of the workspace: its crates, their direct dependencies, its tracked files.
//!
//! Reads only; no network: `cargo metadata --no-deps` and `git ls-files`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::code::Files;

/// One crate of the workspace.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Its name, which is also its folder's.
    pub name: String,
    /// What its `Cargo.toml` names.
    pub dependencies: Vec<Dependency>,
}

/// One line under `[dependencies]`, `[build-dependencies]` or `[dev-dependencies]`.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    /// The package's name, not the name it is renamed to.
    pub name: String,
    /// Whether only tests, examples and benches see it.
    pub dev: bool,
}

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the workspace")
        .to_owned()
}

/// Every crate of the workspace, by name. Errors: cargo cannot read a manifest.
pub(crate) fn members(root: &Path) -> anyhow::Result<Vec<Member>> {
    let metadata = MetadataCommand::new()
        .current_dir(root)
        .no_deps()
        .exec()
        .context("cargo metadata")?;
    let mut members: Vec<Member> = metadata
        .packages
        .into_iter()
        .map(|package| Member {
            name: package.name.to_string(),
            dependencies: package
                .dependencies
                .into_iter()
                .map(|dependency| Dependency {
                    name: dependency.name,
                    dev: dependency.kind == DependencyKind::Development,
                })
                .collect(),
        })
        .collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(members)
}

/// Every file that git tracks or would track and that is there, relative to `root`, in order.
///
/// Errors: `root` is no git work tree.
pub(crate) fn tracked_files(root: &Path) -> anyhow::Result<Vec<String>> {
    let output = Command::new("git")
        // A checkout that belongs to somebody else, as in a container, is still only read.
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .args(["--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("git ls-files")?;
    ensure!(
        output.status.success(),
        "git ls-files: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut files: Vec<String> = String::from_utf8(output.stdout)
        .context("a file name that is not UTF-8")?
        .split_terminator('\0')
        .filter(|path| root.join(path).is_file())
        .map(str::to_owned)
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}
/// Every tracked file that is UTF-8; the others are pictures and the like.
pub(crate) fn read_texts(root: &Path) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for path in tracked_files(root)? {
        if let Ok(text) = String::from_utf8(std::fs::read(root.join(&path))?) {
            files.insert(path, text);
        }
    }
    Ok(files)
}
