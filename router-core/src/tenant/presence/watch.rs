//! Which bots a socket is told of: all that it may see, or those that it named.

use std::collections::BTreeSet;

use protocol::BotId;

/// Charged for each bot that a socket named or muted, beside the bytes of its id: a place in a set, and
/// the allocation of a long id.
const SUBSCRIPTION_OVERHEAD_BYTES: usize = 64;

/// Which bots a socket is told of.
#[derive(Debug, Default)]
pub(in crate::tenant) struct BotWatch {
    /// The last change that it was told.
    pub told: u64,
    all: bool,
    /// Absent for most sockets: they name and mute nobody.
    lists: Option<Box<WatchLists>>,
}

#[derive(Debug, Default)]
struct WatchLists {
    named: BTreeSet<BotId>,
    muted: BTreeSet<BotId>,
    /// What both are charged with.
    bytes: u64,
}

impl WatchLists {
    /// Names a bot, or mutes it. False, and unchanged: there would be more than `most` in the list,
    /// or it takes more bytes than are left.
    fn subscribe(&mut self, bot: &BotId, wanted: bool, most: usize, left: u64) -> bool {
        let Self {
            named,
            muted,
            bytes,
        } = self;
        let (into, out_of) = match wanted {
            true => (named, muted),
            false => (muted, named),
        };
        if into.contains(bot) {
            return true;
        }
        let moves = out_of.contains(bot);
        let charge = if moves { 0 } else { charge_of(bot) };
        if into.len() >= most || charge > left {
            return false;
        }
        out_of.remove(bot);
        into.insert(bot.clone());
        *bytes += charge;
        true
    }
}

/// What a subscription is charged with, bytes.
fn charge_of(bot: &BotId) -> u64 {
    (bot.as_str().len() + SUBSCRIPTION_OVERHEAD_BYTES) as u64
}

impl BotWatch {
    /// Of every bot it may see, as a socket begins whose greeting has all changes up to `told`.
    pub fn all(told: u64) -> Self {
        Self {
            told,
            all: true,
            lists: None,
        }
    }

    /// Of those it named only, as a socket that holds bots goes on: or every bot of a tenant would
    /// be told of every other.
    pub fn unwatch_all(&mut self) {
        self.all = false;
    }

    /// Names a bot, or mutes it. False, and unchanged: there would be more than `most` of either, or
    /// it takes more bytes than are left.
    pub fn subscribe(&mut self, bot: &BotId, wanted: bool, most: usize, left: u64) -> bool {
        let lists = self.lists.get_or_insert_default();
        lists.subscribe(bot, wanted, most, left)
    }

    pub fn sees(&self, bot: &BotId) -> bool {
        let Some(lists) = &self.lists else {
            return self.all;
        };
        lists.named.contains(bot) || (self.all && !lists.muted.contains(bot))
    }

    pub fn sees_any(&self) -> bool {
        self.all || self.lists.as_ref().is_some_and(|it| !it.named.is_empty())
    }

    pub fn bytes(&self) -> u64 {
        self.lists.as_ref().map_or(0, |lists| lists.bytes)
    }
}
