//! Tells of bots that came and went.
//!
//! Changes gather for 100 ms, newest wins; then every socket that watches the bot gets one
//! `bot_status`. A round over many sockets is cut into holds of the shard's lock of about 256
//! frames, and between two of them others get their turn.
//!
//! Frames go out one by one: the outcome of one decides what comes next. A socket whose queue has no
//! room is not tried again before [`ShardInput::Room`](crate::shard::ShardInput::Room) says that it has; then it
//! is told what changed since, in its newest form. One that is further behind than the changes that are kept
//! is closed with 4408.

mod changes;
mod news;
pub(super) mod telling;
pub(super) mod watch;

use protocol::limits::PRESENCE_FLUSH_MS;
use protocol::presence::{BotInfo, BotStatus};
use protocol::{BotId, ErrorCode, Limits};

use crate::env::Millis;
use crate::ids::ConnKey;
use news::PresenceNews;
use watch::BotWatch;

/// Changes that are kept for slow sockets, for each bot that the tenant may have: all that are
/// listed, and as many that are not any more.
const CHANGES_PER_BOT: usize = 2;

/// What a tenant keeps to tell of its bots.
#[derive(Debug)]
pub(super) struct Presence {
    /// Absent while no change is pending: most tenants, most of the time.
    news: Option<Box<PresenceNews>>,
    /// The number of the last change, while there are no news.
    last: u64,
    changes_max: usize,
    /// What all subscriptions of the tenant's sockets are charged with.
    subscribed_bytes: u64,
}

impl Presence {
    pub fn new(limits: &Limits) -> Self {
        Self {
            news: None,
            last: 0,
            changes_max: CHANGES_PER_BOT * limits.bots_per_tenant as usize,
            subscribed_bytes: 0,
        }
    }

    /// Other limits hold from now on.
    pub fn set_limits(&mut self, limits: &Limits) {
        self.changes_max = CHANGES_PER_BOT * limits.bots_per_tenant as usize;
    }

    /// What a socket watches that is greeted now.
    pub fn watch_all(&self) -> BotWatch {
        let news = self.news.as_ref();
        BotWatch::all(news.map_or(self.last, |news| news.changes.last()))
    }

    /// Remembers a change until the next round.
    pub fn changed(&mut self, info: &BotInfo, now_ms: Millis) {
        let status = BotStatus {
            bot_id: info.id.clone(),
            name: info.name.clone(),
            status: info.status,
            since: info.since,
        };
        let last = self.last;
        let news = self
            .news
            .get_or_insert_with(|| Box::new(PresenceNews::after(last)));
        news.gather(status, self.changes_max);
        news.flush_ms.get_or_insert(now_ms + PRESENCE_FLUSH_MS);
    }

    /// When the next round, or the rest of this one, is due.
    pub fn next_wakeup(&self) -> Millis {
        let due_ms = self.news.as_ref().and_then(|news| news.next_wakeup());
        due_ms.unwrap_or(Millis::MAX)
    }

    /// Has a socket told of a bot's changes, or not. Errors: it named or muted too many.
    pub fn subscribe(
        &mut self,
        limits: &Limits,
        watch: &mut BotWatch,
        bot: &BotId,
        wanted: bool,
    ) -> Result<(), ErrorCode> {
        let before = watch.bytes();
        let bots_max = limits.bots_per_tenant as usize;
        let most = limits.subscription_bytes_per_tenant;
        let left = most.saturating_sub(self.subscribed_bytes);
        if !watch.subscribe(bot, wanted, bots_max, left) {
            return Err(ErrorCode::QuotaExceeded);
        }
        self.subscribed_bytes += watch.bytes() - before;
        Ok(())
    }

    /// A socket is gone.
    pub fn forget(&mut self, conn: ConnKey, watch: &BotWatch) {
        self.subscribed_bytes -= watch.bytes();
        if let Some(news) = &mut self.news {
            news.full.remove(&conn);
            news.behind.remove(&conn);
        }
        self.drop_news_if_told();
    }

    /// Frees the changes once every socket has been sent them.
    fn drop_news_if_told(&mut self) {
        if let Some(news) = self.news.take_if(|news| news.is_over()) {
            self.last = news.changes.last();
        }
    }
}
