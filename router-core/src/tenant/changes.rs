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

use bytes::Bytes;
use protocol::BotId;
use protocol::codec::encode;
use protocol::frame::ServerMessage;
use protocol::limits::PRESENCE_FLUSH_MS;
use protocol::presence::BotStatus;

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
    status: BotStatus,
    /// The frame that was made last, and when: all who are told in the same round share it.
    frame: Option<(Millis, Bytes)>,
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
            status,
            frame: None,
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

    /// The frame that tells a change.
    pub fn frame(&mut self, number: u64, env: &Env<'_>) -> Option<Bytes> {
        let change = self.by_number.get_mut(&number)?;
        if let Some((made_ms, frame)) = &change.frame
            && env.now_ms.saturating_sub(*made_ms) < PRESENCE_FLUSH_MS
        {
            return Some(frame.clone());
        }
        let message = ServerMessage::BotStatus(change.status.clone());
        let frame = encode::server(&message, None, env.unix_ms);
        change.frame = Some((env.now_ms, frame.clone()));
        Some(frame)
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
