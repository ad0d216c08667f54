//! Keys for people, made from the same secrets and generations that the gateway checks them with.

use std::io;
use std::path::Path;

use backplane::{Backplane, ConnectError, MemoryStore, OpenError, Redis, RedisConfig};
use protocol::{Secret, TenantId};
use router_core::auth::{AuthError, Credential, Keyring, WeakSecret};
use router_core::store::{DirectoryQuery, DirectoryReply, StoreReply, StoreRequest, StoreResult};

use super::checked::Config;
use super::secrets::{SECRET_FILE, kept_in};

/// Who a key belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOwner {
    /// The tenant.
    pub tenant: TenantId,
    /// The key's generation.
    pub generation: u64,
    /// The tenant's generation: a lower key was revoked.
    pub current: u64,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key was not made from a secret of this gateway.
    #[error("the key was not made from a secret of this gateway")]
    Invalid,
    /// The secret in the state directory cannot be read or made. The error has its path.
    #[error("the secret in the state directory: {0}")]
    Secret(#[from] io::Error),
    /// The secret in the state directory is too weak.
    #[error("the secret in the state directory: {0}")]
    Weak(#[from] WeakSecret),
    /// The generations in the state directory cannot be read.
    #[error(transparent)]
    Generation(#[from] OpenError),
    /// The generations are in a Redis that cannot be asked.
    #[error(transparent)]
    Redis(#[from] Box<ConnectError>),
    /// It does not answer.
    #[error("Redis did not return the key generation")]
    Silent,
}

impl Config {
    /// The key of a tenant; without a generation, of its present one.
    ///
    /// Errors: the generations, in the state directory or in Redis, cannot be read.
    pub async fn issue_key(
        &self,
        tenant: &TenantId,
        generation: Option<u64>,
    ) -> Result<Secret<String>, KeyError> {
        let generation = match generation {
            Some(generation) => generation,
            None => self.generation_of(tenant).await?,
        };
        Ok(self.keyring().issue_key(tenant, generation))
    }

    /// Whose key it is. Errors: `Invalid`; the generations cannot be read.
    pub async fn verify_key(&self, key: &str) -> Result<KeyOwner, KeyError> {
        let credential = Credential::ApiKey(Secret::new(key.to_owned()));
        // The time is of no matter to keys.
        let verified = self.keyring().verify(&credential, 0);
        let grant = match verified {
            Ok(verified) => verified.grant,
            Err(
                AuthError::Invalid
                | AuthError::Expired
                | AuthError::Later
                | AuthError::Throttled { .. },
            ) => {
                return Err(KeyError::Invalid);
            }
        };
        Ok(KeyOwner {
            tenant: grant.tenant().clone(),
            generation: grant.generation(),
            current: self.generation_of(grant.tenant()).await?,
        })
    }

    /// The highest of what the file and the store say: Redis, or else the state directory.
    async fn generation_of(&self, tenant: &TenantId) -> Result<u64, KeyError> {
        let by_file = self.tenants.get(tenant).map_or(0, |own| own.key_generation);
        let by_store = match self.redis() {
            Some(redis) => generation_at(redis, tenant).await?,
            None => generation_in(self.state_dir.as_deref(), tenant)?,
        };
        Ok(by_file.max(by_store))
    }
}

/// The present key of a tenant, from the secret that a state directory holds; made if need be.
///
/// Errors: the directory's files cannot be read or made.
pub fn local_key(state_dir: &Path, tenant: &TenantId) -> Result<Secret<String>, KeyError> {
    let keyring = Keyring::new(&[kept_in(state_dir, SECRET_FILE)?])?;
    Ok(keyring.issue_key(tenant, generation_in(Some(state_dir), tenant)?))
}

/// 0 without a directory: nothing was revoked that outlives a gateway.
fn generation_in(state_dir: Option<&Path>, tenant: &TenantId) -> Result<u64, KeyError> {
    let store = MemoryStore::open(u64::MAX, state_dir)?;
    Ok(generation_said(&store.execute(load(tenant))).unwrap_or(0))
}

async fn generation_at(redis: RedisConfig, tenant: &TenantId) -> Result<u64, KeyError> {
    let redis = Redis::connect(redis).await.map_err(Box::new)?;
    let reply = Backplane::redis(redis).execute(load(tenant)).await;
    generation_said(&reply).ok_or(KeyError::Silent)
}

fn load(tenant: &TenantId) -> StoreRequest {
    let dead = Default::default();
    StoreRequest {
        tenant: tenant.clone(),
        now_ms: 0,
        query: DirectoryQuery::Load { dead }.into(),
    }
}

fn generation_said(reply: &StoreResult) -> Option<u64> {
    if let Ok(StoreReply::Directory(DirectoryReply::Loaded(snapshot))) = reply {
        return Some(snapshot.policy.generation);
    }
    None
}

#[cfg(test)]
mod tests {
    use router_core::store::PolicyQuery;

    use super::*;

    #[tokio::test]
    async fn a_key_is_of_the_generation_that_a_revoke_left() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::for_test(dir.path()).unwrap();
        let alice = TenantId::parse("alice").unwrap();
        let first = config.issue_key(&alice, None).await.unwrap();
        assert_eq!(local_key(dir.path(), &alice).unwrap(), first);

        let store = MemoryStore::open(u64::MAX, Some(dir.path())).unwrap();
        let revoked = store.execute(StoreRequest {
            tenant: alice.clone(),
            now_ms: 0,
            query: PolicyQuery::Revoke.into(),
        });
        revoked.unwrap();
        let owner = config.verify_key(first.reveal()).await.unwrap();
        assert_eq!((owner.generation, owner.current), (0, 1));
        let second = config.issue_key(&alice, None).await.unwrap();
        assert_eq!(local_key(dir.path(), &alice).unwrap(), second);
        assert_eq!(
            config.verify_key(second.reveal()).await.unwrap().generation,
            1
        );
        assert!(
            config
                .verify_key("t2b_alice_0123456789abcdef")
                .await
                .is_err()
        );
    }
}
