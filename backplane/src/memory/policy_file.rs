//! `policies.json` in the state directory: who is revoked or suspended, and what is assigned to whom.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use protocol::TenantId;
use router_core::store::{AssignedTerms, Model, TenantPolicy};
use serde::{Deserialize, Serialize};

/// Its name.
pub(super) const FILE: &str = "policies.json";

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is there and cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what this program wrote.
    #[error("{path} is not valid: {source}", path = path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where it is wrong.
        source: serde_json::Error,
    },
}

/// A policy as the file has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedPolicy {
    generation: u64,
    suspended: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    assigned: Option<AssignedTerms>,
}

/// What the file has; nothing if it is not there.
pub(super) fn policies(path: &Path) -> Result<Vec<(TenantId, TenantPolicy)>, OpenError> {
    let saved = read(path)?.into_iter();
    let policies = saved.map(|(tenant, saved)| {
        let policy = TenantPolicy {
            generation: saved.generation,
            suspended: saved.suspended,
            assigned: saved.assigned.and_then(AssignedTerms::non_empty),
        };
        (tenant, policy)
    });
    Ok(policies.collect())
}

fn read(path: &Path) -> Result<BTreeMap<TenantId, SavedPolicy>, OpenError> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|source| OpenError::Parse {
            path: path.to_owned(),
            source,
        }),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(BTreeMap::new())
        }
        Err(source) => Err(OpenError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Replaces the file as a whole: a crash leaves the old one or the new one.
pub(super) fn write(path: &Path, model: &Model) -> io::Result<()> {
    let kept: BTreeMap<&TenantId, SavedPolicy> = model
        .policies()
        .map(|(tenant, policy)| {
            let saved = SavedPolicy {
                generation: policy.generation,
                suspended: policy.suspended,
                assigned: policy.assigned.as_deref().cloned(),
            };
            (tenant, saved)
        })
        .collect();
    let fresh = fresh(path);
    let mut file = open(&fresh)?;
    file.write_all(&serde_json::to_vec_pretty(&kept)?)?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

/// Where the next version of the file is written.
fn fresh(path: &Path) -> PathBuf {
    path.with_extension("json.new")
}

/// An empty file, mode 0600, in a folder that is made, mode 0700, if it is not there.
fn open(path: &Path) -> io::Result<fs::File> {
    if let Some(dir) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)?;
    }
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

/// Whether the file can be written; makes its folder.
pub(super) fn check(path: &Path) -> io::Result<()> {
    let fresh = fresh(path);
    open(&fresh)?;
    fs::remove_file(&fresh)
}
