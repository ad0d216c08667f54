//! The store of a single node: the model, in memory.
//!
//! One thing outlives a restart: who is revoked or suspended, in `policies.json` of the state
//! directory. A restart must not revive a revoked key.

mod policy_file;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use router_core::store::tenants::{ListedTenant, TenantPart};
use router_core::store::usage::TenantIndex;
use router_core::store::{
    Model, PolicyQuery, StoreQuery, StoreRequest, StoreResult, UsageIndexQuery,
};

use self::policy_file::FILE;

pub use self::policy_file::OpenError;

/// Why nothing can be written without one.
const NO_DIRECTORY: &str = "there is no state directory";
/// Tenants looked at in one sweep, so that one hold of the lock stays short.
const SWEEP_TENANTS: usize = 256;

/// The model behind a lock, and the file of its policies.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<MemoryState>,
    file: Option<PathBuf>,
    bytes_max: u64,
}

#[derive(Debug)]
struct MemoryState {
    model: Model,
    /// Why the file lacks a policy of the model.
    unsaved: Option<String>,
}

impl MemoryStore {
    /// A store of at most `bytes_max` bytes. Without a state directory policies die with it.
    pub fn open(bytes_max: u64, state_dir: Option<&Path>) -> Result<Self, OpenError> {
        let mut model = Model::new(bytes_max);
        let file = state_dir.map(|dir| dir.join(FILE));
        let kept = file.as_deref().map(policy_file::policies).transpose()?;
        for (tenant, policy) in kept.unwrap_or_default() {
            model.restore(tenant, policy);
        }
        Ok(Self {
            state: Mutex::new(MemoryState {
                model,
                unsaved: None,
            }),
            file,
            bytes_max,
        })
    }

    /// The same, with a ledger that keeps each hour for so many hours.
    #[must_use]
    pub fn keep_usage(self, hours: u32) -> Self {
        self.state().model.keep_usage(hours);
        self
    }

    /// Answers a request. A changed policy is in the file before the answer is given; if it cannot
    /// be written it holds all the same, and [`Self::unsaved_policies`] says why.
    pub fn execute(&self, request: StoreRequest) -> StoreResult {
        let is_change = match &request.query {
            StoreQuery::Policy(request) => request.query != PolicyQuery::Read,
            StoreQuery::Directory(_) | StoreQuery::Labels(_) | StoreQuery::Usage(_) => false,
        };
        let mut state = self.state();
        let (reply, _) = state.model.execute(request);
        if is_change && reply.is_ok() {
            self.save(&mut state);
        }
        reply
    }

    /// The tenants that used something on a day.
    pub fn usage_index(&self, query: &UsageIndexQuery) -> TenantIndex {
        self.state().model.usage_index(query)
    }

    /// The tenants of a part of the list.
    pub fn tenants(&self, part: TenantPart) -> Vec<ListedTenant> {
        self.state().model.tenants(part)
    }

    /// Why policies that hold now would not outlive the process; `None`: all are in the file.
    pub fn unsaved_policies(&self) -> Option<String> {
        self.state().unsaved.clone()
    }

    /// Whether policies can be kept; makes the state directory. Errors: why not, with the path.
    pub fn check_file(&self) -> Result<(), String> {
        let file = self.file.as_ref().ok_or(NO_DIRECTORY)?;
        let _turn = self.state();
        policy_file::check(file).map_err(|error| not_written(file, &error))
    }

    /// Forgets what is a day old, some tenants at a time; writes policies that could not be written.
    pub fn sweep(&self, now_ms: u64) {
        let mut state = self.state();
        state.model.sweep(now_ms, SWEEP_TENANTS);
        if state.unsaved.is_some() {
            self.save(&mut state);
        }
    }

    fn save(&self, state: &mut MemoryState) {
        let saved = match &self.file {
            Some(file) => {
                policy_file::write(file, &state.model).map_err(|error| not_written(file, &error))
            }
            None => Err(NO_DIRECTORY.to_owned()),
        };
        state.unsaved = saved.err();
    }

    /// Bytes in use and the most there may be.
    pub fn bytes(&self) -> (u64, u64) {
        (self.state().model.bytes(), self.bytes_max)
    }

    /// The model is never left half changed by a panic, so a poisoned lock is still good.
    fn state(&self) -> MutexGuard<'_, MemoryState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_written(file: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", file.display())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use protocol::TenantId;
    use router_core::store::{
        DirectoryQuery, DirectoryReply, PolicyReply, StoreReply, TenantPolicy,
    };

    use super::*;

    fn ask(memory: &MemoryStore, query: impl Into<StoreQuery>) -> StoreReply {
        let request = StoreRequest {
            tenant: TenantId::parse("alice").unwrap(),
            now_ms: 1,
            query: query.into(),
        };
        memory.execute(request).unwrap()
    }

    fn order(memory: &MemoryStore, query: PolicyQuery) -> TenantPolicy {
        let PolicyReply::Changed(policy) = ask(memory, query).into_policy().unwrap();
        policy
    }

    #[test]
    fn a_restart_does_not_revive_a_revoked_key() {
        let dir = tempfile::tempdir().unwrap();
        let open = || MemoryStore::open(1 << 20, Some(dir.path())).unwrap();
        order(&open(), PolicyQuery::Revoke);
        order(&open(), PolicyQuery::Revoke);
        let policy = TenantPolicy {
            generation: 2,
            suspended: true,
            assigned: None,
        };
        assert_eq!(order(&open(), PolicyQuery::Suspend(true)), policy);
        let load = DirectoryQuery::Load {
            dead: Default::default(),
        };
        let loaded = ask(&open(), load);
        let StoreReply::Directory(DirectoryReply::Loaded(snapshot)) = loaded else {
            panic!()
        };
        assert_eq!(snapshot.policy, policy);
    }

    #[test]
    fn a_file_that_is_not_ours_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "{]").unwrap();
        let error = MemoryStore::open(1, Some(dir.path()))
            .unwrap_err()
            .to_string();
        assert!(error.contains("policies.json is not valid"), "{error}");
    }

    #[test]
    fn a_policy_that_cannot_be_written_holds_until_it_can() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state");
        fs::write(&file, "").unwrap();
        let memory = MemoryStore::open(1 << 20, Some(&file)).unwrap();
        assert!(memory.check_file().is_err());
        let policy = TenantPolicy {
            generation: 1,
            suspended: false,
            assigned: None,
        };
        assert_eq!(order(&memory, PolicyQuery::Revoke), policy);
        let why = memory.unsaved_policies().unwrap();
        assert!(why.contains(file.to_str().unwrap()), "{why}");
        fs::remove_file(&file).unwrap();
        memory.sweep(1);
        assert_eq!(memory.unsaved_policies(), None);
        let kept = MemoryStore::open(1 << 20, Some(&file)).unwrap();
        assert_eq!(order(&kept, PolicyQuery::Suspend(false)), policy);
    }

    #[test]
    fn only_a_change_writes_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let memory = MemoryStore::open(1 << 20, Some(dir.path())).unwrap();
        let policy = order(&memory, PolicyQuery::Suspend(true));
        let file = dir.path().join(FILE);
        fs::remove_file(&file).unwrap();
        assert_eq!(order(&memory, PolicyQuery::Read), policy);
        assert!(!file.exists());
        order(&memory, PolicyQuery::Suspend(true));
        assert!(file.exists());
    }

    #[test]
    fn a_check_leaves_nothing_but_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("deep/state");
        MemoryStore::open(1, Some(&state))
            .unwrap()
            .check_file()
            .unwrap();
        assert_eq!(fs::read_dir(&state).unwrap().count(), 0);
        let none = MemoryStore::open(1, None).unwrap();
        assert!(none.check_file().is_err());
        order(&none, PolicyQuery::Suspend(true));
        assert!(none.unsaved_policies().is_some());
    }
}
