//! The newest change of each bot, in the order of the changes.
//!
//! A socket has one number: the last change that it was told. So a socket that cannot take news
//! costs eight bytes, however many bots change meanwhile, and nothing is encoded for it.
//!
//! ```text
//! number   17     19     20     23          a bot that changes again moves to the end
//! bot      bot_c  bot_a  bot_d  bot_b
//!             ^ a slow socket        ^ all others
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::limits::PRESENCE_FLUSH_MS;
use protocol::presence::BotStatus;
use protocol::{BotId, Shared};

use crate::env::{Env, Millis};

/// Changes in their order.
#[derive(Debug)]
pub(super) struct BotChanges {
    by_number: BTreeMap<u64, BotChange>,
    of_bot: BTreeMap<BotId, u64>,
    last: u64,
}

#[derive(Debug)]
struct BotChange {
    /// What all share who are told in the same round.
    status: Arc<Shared<BotStatus>>,
    /// When the first of them was told: a text that was written then has that time in it.
    told_ms: Option<Millis>,
}

impl BotChanges {
    /// None yet, behind this number.
    pub fn after(last: u64) -> Self {
        Self {
            by_number: BTreeMap::new(),
            of_bot: BTreeMap::new(),
            last,
        }
    }

    /// The number of the last change.
    pub fn last(&self) -> u64 {
        self.last
    }

    pub fn len(&self) -> usize {
        self.by_number.len()
    }

    /// Appends a change, in place of an older one of the same bot.
    pub fn push(&mut self, status: BotStatus) {
        self.last += 1;
        if let Some(older) = self.of_bot.insert(status.bot_id.clone(), self.last) {
            self.by_number.remove(&older);
        }
        let change = BotChange {
            status: Arc::new(Shared::new(status)),
            told_ms: None,
        };
        self.by_number.insert(self.last, change);
    }

    /// The first change behind a number, up to and including another.
    pub fn next(&self, told: u64, until: u64) -> Option<(u64, &BotId)> {
        if told >= until {
            return None;
        }
        let (number, change) = self.by_number.range(told + 1..=until).next()?;
        Some((*number, &change.status.bot_id))
    }

    /// What tells a change.
    pub fn tell(&mut self, number: u64, env: &Env<'_>) -> Option<Arc<Shared<BotStatus>>> {
        let change = self.by_number.get_mut(&number)?;
        let told_ms = *change.told_ms.get_or_insert(env.now_ms);
        if env.now_ms.saturating_sub(told_ms) >= PRESENCE_FLUSH_MS {
            change.told_ms = Some(env.now_ms);
            change.status = Arc::new(Shared::clone(&change.status));
        }
        Some(Arc::clone(&change.status))
    }

    /// Forgets the oldest one; returns its number.
    pub fn drop_first(&mut self) -> Option<u64> {
        let (number, change) = self.by_number.pop_first()?;
        self.of_bot.remove(&change.status.bot_id);
        Some(number)
    }

    /// Forgets those that everybody was told.
    pub fn drop_told(&mut self, told: u64) {
        while self
            .by_number
            .first_key_value()
            .is_some_and(|(number, _)| *number <= told)
        {
            self.drop_first();
        }
    }
}
