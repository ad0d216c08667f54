//! The bots that a client holds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::presence::RegisterBot;

/// The bots that are registered anew on every connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeldBots(Arc<Mutex<BTreeMap<String, RegisterBot>>>);

impl HeldBots {
    fn with<T>(&self, use_them: impl FnOnce(&mut BTreeMap<String, RegisterBot>) -> T) -> T {
        use_them(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn remember(&self, bot: RegisterBot) {
        self.with(|bots| bots.insert(bot.bot_id.clone(), bot));
    }

    pub fn forget(&self, bot_id: &str) {
        self.with(|bots| bots.remove(bot_id));
    }

    pub fn holds(&self, bot_id: &str) -> bool {
        self.with(|bots| bots.contains_key(bot_id))
    }

    pub fn all(&self) -> Vec<RegisterBot> {
        self.with(|bots| bots.values().cloned().collect())
    }
}
