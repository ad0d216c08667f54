//! HOME-1: per bot and epoch at most one home; epochs never go back on one connection; who was told
//! that it lost a bot is delivered nothing for it; and only who has an epoch lets go of it. A home
//! that somebody else let go of claims anew at once, so that shows in the store only.

use router_core::ConnKey;
use router_core::store::{DirectoryChange, DirectoryEvent, EntryRelease};

use super::{HeardFrame, RunObserver};

impl RunObserver {
    pub(super) fn home_1(&mut self, key: ConnKey, heard: &HeardFrame) {
        let Some(conn) = self.conns.get_mut(&key) else {
            return;
        };
        let (tenant, bot, epoch) = (conn.tenant, heard.bot.clone(), heard.epoch);
        if heard.kind == "bot_unregistered" {
            conn.bots.remove(&bot);
            return;
        }
        let last = conn.bots.insert(bot.clone(), epoch);
        if last.is_some_and(|last| last > epoch) {
            self.fail(
                "HOME-1",
                &format!("the epoch of {bot} went back to {epoch}"),
            );
        }
        let epoch = (tenant, bot.clone(), epoch);
        let home = *self.homes.0.entry(epoch).or_insert(key);
        if home != key {
            let what = format!("{bot} is at home on {home:?} and {key:?}, one epoch");
            self.fail("HOME-1", &what);
        }
    }

    /// The store executed a release, and this is what it changed.
    pub(crate) fn home_1_released(&mut self, release: &EntryRelease, event: &DirectoryEvent) {
        for change in &event.changes {
            let DirectoryChange::Bot(record) = change else {
                continue;
            };
            let (id, epoch) = (&record.info.id, record.epoch);
            let fences = release.bots.iter().filter(|(bot, _)| bot == id);
            if !fences.map(|(_, fence)| fence.epoch).any(|it| it == epoch) {
                let what = format!("{release:?} let go of {id} of epoch {epoch}");
                self.fail("HOME-1", &what);
            }
        }
    }

    pub(super) fn home_1_delivered(&mut self, key: ConnKey, heard: &HeardFrame) {
        let Some(conn) = self.conns.get(&key) else {
            return;
        };
        if heard.to.starts_with("bot_") && !conn.bots.contains_key(&heard.to) {
            let what = format!("{key:?} got a message for {}, which it lost", heard.to);
            self.fail("HOME-1", &what);
        }
    }
}
