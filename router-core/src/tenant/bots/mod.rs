//! The bots of a tenant: which are listed, where each is at home, and the claims that are under way.

pub(super) mod bot;
pub(super) mod claims;
mod eligibility;
mod flaps;
mod homes;
mod listing;

use protocol::presence::BotState;
use protocol::{BootId, BotId};

use crate::env::Millis;
use crate::ids::ConnKey;
use crate::small::SmallMap;
use bot::Bot;
use claims::ClaimQueues;

/// The bots of a tenant, in this order: what every message needs is in front.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Bots {
    listed: SmallMap<BotId, Bot, 1>,
    claims: ClaimQueues,
}

impl Bots {
    /// A listed bot. Messages name it by text, so a text does.
    pub fn get(&self, id: &str) -> Option<&Bot> {
        self.listed.get(id)
    }

    /// How many are listed.
    pub fn len(&self) -> usize {
        self.listed.len()
    }

    /// Every listed bot, in id order.
    pub fn iter(&self) -> impl Iterator<Item = &Bot> {
        self.listed.iter().map(|(_, bot)| bot)
    }

    /// The ids of those that connections of this node hold, in id order.
    pub fn held_here(&self) -> impl Iterator<Item = &BotId> {
        let here = self.iter().filter(|bot| bot.here().is_some());
        here.map(|bot| &bot.details.info.id)
    }

    /// Whether a name is a listed bot's, or may become one by a claim that is under way.
    pub fn reserves(&self, name: &str) -> bool {
        self.listed.contains_key(name) || self.claims.contains(name)
    }

    /// The claims that are under way.
    pub fn claims(&self) -> &ClaimQueues {
        &self.claims
    }

    pub fn claims_mut(&mut self) -> &mut ClaimQueues {
        &mut self.claims
    }

    /// Takes a bot off the list.
    pub fn remove(&mut self, id: &BotId) -> Option<Bot> {
        self.listed.remove(id)
    }

    /// A bot has no home any more. Returns it, if it is listed.
    pub fn lose_home(&mut self, id: &BotId, unix_ms: Millis) -> Option<&Bot> {
        let bot = self.listed.get_mut(id)?;
        bot.home = None;
        bot.details.info.status = BotState::Offline;
        bot.details.info.since = unix_ms;
        Some(bot)
    }

    /// The ids of the bots that a node holds.
    pub fn held_by(&self, boot: BootId) -> Vec<BotId> {
        let is_there = |bot: &&Bot| bot.there().is_some_and(|holder| holder.boot == boot);
        let bots = self.iter().filter(is_there);
        bots.map(|bot| bot.details.info.id.clone()).collect()
    }

    /// The store lost a later claim of another node, and nobody has registered it again: what is
    /// stored holds, although it is older. `ver`: up to this number the snapshot has all that counts.
    pub fn go_back(&mut self, id: &BotId, epoch: u64, ver: u64) {
        if let Some(known) = self.listed.get_mut(id)
            && known.here().is_none()
            && known.details.epoch <= ver
        {
            known.details.epoch = known.details.epoch.min(epoch);
        }
    }

    /// Forgets those that went offline before a time.
    pub fn forget_before(&mut self, then_ms: Millis) {
        self.listed
            .retain(|_, bot| bot.home.is_some() || bot.details.info.since >= then_ms);
    }

    /// The connection of this node that holds a bot.
    pub fn home_here(&self, id: &BotId) -> Option<ConnKey> {
        self.get(id.as_str()).and_then(Bot::here)
    }
}
