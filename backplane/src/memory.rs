//! The store of a single node: the model, in memory.
//!
//! One thing outlives a restart: who is revoked or suspended, in `policies.json` of the state
//! directory. A restart must not revive a revoked key.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::{ErrorCode, TenantId};
use router_core::store::{Model, Policy, Reply, Request};
use serde::{Deserialize, Serialize};

const FILE: &str = "policies.json";
/// Tenants looked at in one sweep, so that one hold of the lock stays short.
const SWEEP_TENANTS: usize = 256;

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
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    generation: u64,
    suspended: bool,
}

/// The model behind a lock, and the file of its policies.
#[derive(Debug)]
pub struct Memory {
    model: Mutex<Model>,
    file: Option<PathBuf>,
    bytes_max: u64,
}

impl Memory {
    /// A store of at most `bytes_max` bytes. Without a state directory policies die with it.
    pub fn open(bytes_max: u64, state_dir: Option<&Path>) -> Result<Self, OpenError> {
        let mut model = Model::new(bytes_max);
        let file = state_dir.map(|dir| dir.join(FILE));
        for (tenant, kept) in file.as_deref().map(read).transpose()?.unwrap_or_default() {
            let Kept {
                generation,
                suspended,
            } = kept;
            model.restore(
                tenant,
                Policy {
                    generation,
                    suspended,
                },
            );
        }
        Ok(Self {
            model: Mutex::new(model),
            file,
            bytes_max,
        })
    }

    /// Answers a request. A changed policy is in the file before the answer is given; if it cannot
    /// be written the answer is `store_unavailable`, and the change holds until the restart.
    pub fn execute(&self, request: Request) -> Reply {
        let mut model = self.model();
        let (reply, _) = model.execute(request);
        let saved = match (&reply, &self.file) {
            (Reply::Policy(_), Some(file)) => write(file, &model),
            (Reply::Policy(_), None)
            | (
                Reply::Loaded(_)
                | Reply::Version(_)
                | Reply::Claimed { .. }
                | Reply::Newer(_)
                | Reply::Asserted(_)
                | Reply::Done
                | Reply::Refused(_)
                | Reply::Lost,
                _,
            ) => Ok(()),
        };
        match saved {
            Ok(()) => reply,
            Err(_) => Reply::Refused(ErrorCode::StoreUnavailable),
        }
    }

    /// Forgets what is a day old, some tenants at a time.
    pub fn sweep(&self, now_ms: u64) {
        self.model().sweep(now_ms, SWEEP_TENANTS);
    }

    /// Bytes in use and the most there may be.
    pub fn bytes(&self) -> (u64, u64) {
        (self.model().bytes(), self.bytes_max)
    }

    /// The model is never left half changed by a panic, so a poisoned lock is still good.
    fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> Result<BTreeMap<TenantId, Kept>, OpenError> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|source| OpenError::Parse {
            path: path.to_owned(),
            source,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(source) => Err(OpenError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Replaces the file as a whole: a crash leaves the old one or the new one.
fn write(path: &Path, model: &Model) -> io::Result<()> {
    let kept: BTreeMap<&TenantId, Kept> = model
        .policies()
        .map(|(tenant, policy)| {
            let Policy {
                generation,
                suspended,
            } = policy;
            (
                tenant,
                Kept {
                    generation,
                    suspended,
                },
            )
        })
        .collect();
    let fresh = path.with_extension("json.new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(&serde_json::to_vec_pretty(&kept)?)?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use router_core::store::{Ask, DirectoryCaps};

    use super::*;

    fn ask(memory: &Memory, ask: Ask) -> Reply {
        memory.execute(Request {
            tenant: TenantId::parse("alice").unwrap(),
            ask,
            known_ver: 0,
            now_ms: 1,
            caps: DirectoryCaps::default(),
        })
    }

    #[test]
    fn a_restart_does_not_revive_a_revoked_key() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Memory::open(1 << 20, Some(dir.path())).unwrap();
        ask(&open(), Ask::Revoke);
        ask(&open(), Ask::Revoke);
        let policy = Policy {
            generation: 2,
            suspended: true,
        };
        assert_eq!(ask(&open(), Ask::Suspend(true)), Reply::Policy(policy));
        let load = Ask::Load {
            dead: Default::default(),
        };
        let Reply::Loaded(snapshot) = ask(&open(), load) else {
            panic!()
        };
        assert_eq!(snapshot.policy, policy);
    }

    #[test]
    fn a_file_that_is_not_ours_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "{]").unwrap();
        let error = Memory::open(1, Some(dir.path())).unwrap_err().to_string();
        assert!(error.contains("policies.json is not valid"), "{error}");
    }

    #[test]
    fn a_policy_that_cannot_be_kept_is_not_confirmed() {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::open(1 << 20, Some(&dir.path().join("gone"))).unwrap();
        assert_eq!(
            ask(&memory, Ask::Revoke),
            Reply::Refused(ErrorCode::StoreUnavailable)
        );
    }
}
