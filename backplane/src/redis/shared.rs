//! What all requests of a node share of its Redis.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use protocol::{BootId, TenantId};
use router_core::Millis;

use super::config::StoreClock;
use super::error::CommandFailure;
use super::pubsub::intake::MessageIntake;
use super::session::RedisSession;
use super::topology::place::RedisPlace;
use super::turns::TenantTurns;
use crate::bounds;
use crate::keys::KeyNames;

/// What is to be subscribed, in whatever session.
#[derive(Default)]
pub(crate) struct WantedChannels {
    pub(crate) tenants: BTreeSet<TenantId>,
    pub(super) boots: BTreeSet<BootId>,
}

/// A node's Redis, as requests and the supervisor use it.
pub(crate) struct RedisShared {
    pub(crate) place: RedisPlace,
    pub(crate) intake: Arc<MessageIntake>,
    pub(crate) turns: TenantTurns,
    wanted: Mutex<WantedChannels>,
    /// Empty during an outage.
    pub(super) current: ArcSwapOption<RedisSession>,
}

impl RedisShared {
    pub(super) fn new(
        place: RedisPlace,
        intake: Arc<MessageIntake>,
        session: Arc<RedisSession>,
    ) -> Self {
        Self {
            place,
            intake,
            turns: TenantTurns::default(),
            wanted: Mutex::default(),
            current: ArcSwapOption::new(Some(session)),
        }
    }

    /// The names of keys and channels.
    pub(crate) fn names(&self) -> &KeyNames {
        &self.intake.names
    }

    /// The connections. Errors: `store_unavailable`, during an outage.
    pub(crate) fn session(&self) -> Result<Arc<RedisSession>, CommandFailure> {
        let session = self.current.load_full();
        session.ok_or(CommandFailure::UNAVAILABLE)
    }

    pub(crate) fn wanted(&self) -> MutexGuard<'_, WantedChannels> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The failure of an answer about a tenant that is none: somebody else wrote what it is made of.
    pub(crate) fn misread(&self, tenant: &TenantId) -> CommandFailure {
        let problem = format!("an answer about the tenant {tenant} was not understood");
        self.intake.counters.misread(problem);
        CommandFailure::Misread
    }

    /// What time it is, as scripts take it: 0 = the server is to say.
    pub(crate) fn script_ms(&self, asker_ms: Millis) -> Millis {
        match self.place.clock {
            StoreClock::Server => 0,
            StoreClock::Asker => asker_ms,
        }
    }

    /// How long the usage ledger keeps an hour, hours.
    pub(crate) fn usage_keep_hours(&self) -> u32 {
        self.place.usage_keep_hours
    }

    /// The failure of an answer about a key that is none.
    pub(crate) fn misread_key(&self, key: &str) -> CommandFailure {
        self.note_misread_key(key);
        CommandFailure::Misread
    }

    /// A key is not what it should be, and the request goes on without it.
    pub(crate) fn note_misread_key(&self, key: &str) {
        let problem = format!("the key {key} was not understood");
        self.intake.counters.misread(problem);
    }

    /// This machine's time less the server's, milliseconds. `None`: there is no answer in time.
    pub(super) async fn compare_clocks(&self, session: &RedisSession) -> Option<i64> {
        let asked_ms = bounds::unix_ms();
        let server_ms = session.time().await.ok()?;
        let answered_ms = bounds::unix_ms();
        Some(self.intake.clock.compare(asked_ms, server_ms, answered_ms))
    }
}
