//! Calls of scripts that take a step of a tenant's directory. The scripts begin with `step.lua`.

use protocol::TenantId;
use redis::Value;
use router_core::Millis;
use router_core::store::DirectoryCaps;

use super::directory::keys::{DIR, VER};
use crate::redis::error::CommandFailure;
use crate::redis::session::RedisSession;
use crate::redis::shared::RedisShared;
use crate::script::{LuaScript, ScriptCall};

/// A call, without what every step takes last.
#[derive(Debug)]
pub(super) struct StepCall {
    script: &'static LuaScript,
    /// Keys of the tenant beside the directory and its counter.
    key_names: &'static [&'static str],
    args: Vec<String>,
}

/// The asker of a step, and its tenant.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepAsker<'a> {
    pub(super) tenant: &'a TenantId,
    /// The asker's time, Unix milliseconds.
    pub(super) now_ms: Millis,
    /// The highest number of the counter that it has seen.
    pub(super) known_ver: u64,
    pub(super) caps: DirectoryCaps,
}

impl StepCall {
    pub(super) fn new(
        script: &'static LuaScript,
        key_names: &'static [&'static str],
        args: Vec<String>,
    ) -> Self {
        Self {
            script,
            key_names,
            args,
        }
    }

    /// Takes the step.
    pub(super) async fn run(
        self,
        store: &RedisShared,
        session: &RedisSession,
        asker: &StepAsker<'_>,
    ) -> Result<Value, CommandFailure> {
        let names = store.names();
        let now_ms = store.script_ms(asker.now_ms);
        let last = [
            asker.caps.clients.to_string(),
            asker.caps.entries.to_string(),
            names.events(asker.tenant),
            session.publish.to_owned(),
            asker.known_ver.to_string(),
            now_ms.to_string(),
        ];
        let own = [DIR, VER];
        let key_names = own.iter().chain(self.key_names);
        let args = self.args.into_iter().chain(last);
        let call = ScriptCall {
            script: self.script,
            keys: key_names
                .map(|name| names.tenant_key(asker.tenant, name))
                .collect(),
            args: args.map(String::into_bytes).collect(),
        };
        session.run(&call).await
    }
}
