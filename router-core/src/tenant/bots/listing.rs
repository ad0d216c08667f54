//! Pages of a tenant's bots. What a page has of a bot is shared, so that a dialect writes it once for
//! each change of the bot.

use protocol::BotId;
use protocol::limits::LIST_BYTES_MAX;
use protocol::outbound::BotsPage;

use super::Bots;
use super::bot::ListedBot;
use crate::permit::{Grant, may_see};
use crate::request::ListRequest;

/// Room for what a page has besides its entries.
const PAGE_OVERHEAD_BYTES: usize = 1024;

impl Bots {
    /// The bots behind a cursor that the bearer may see, as many as fit, and how long the page is,
    /// bytes.
    pub fn page(&self, grant: &Grant, list: ListRequest) -> (BotsPage, usize) {
        let (listed, next_cursor) = self.fitting(grant, &list);
        let bytes = listed.iter().map(|it| it.bytes() + 1).sum::<usize>();
        let page = BotsPage {
            bots: listed.iter().map(|it| it.shared()).collect(),
            next_cursor: next_cursor.cloned(),
            request_id: list.request_id,
        };
        (page, bytes)
    }

    /// A page of one bot. None: unknown and out of sight are one case, so that they cannot be told
    /// apart.
    pub fn page_of(&self, grant: &Grant, bot: &BotId) -> Option<BotsPage> {
        let found = self.get(bot.as_str()).filter(|_| may_see(grant, bot))?;
        Some(BotsPage {
            bots: vec![found.details.info.shared()],
            next_cursor: None,
            request_id: None,
        })
    }

    /// How many the bearer may see.
    pub fn count_visible(&self, grant: &Grant) -> usize {
        let visible = self
            .iter()
            .filter(|bot| may_see(grant, &bot.details.info.id));
        visible.count()
    }

    /// The bots of a page, and the cursor of the next one if there is one.
    fn fitting(&self, grant: &Grant, list: &ListRequest) -> (Vec<&ListedBot>, Option<&BotId>) {
        let all = self.listed.iter_after(list.after.as_ref());
        let all = all.map(|(_, bot)| &bot.details.info);
        let (mut listed, mut bytes) = (Vec::<&ListedBot>::new(), 0);
        for info in all.filter(|info| may_see(grant, &info.id)) {
            bytes += info.bytes() + 1;
            let is_full =
                listed.len() == list.limit || bytes > LIST_BYTES_MAX - PAGE_OVERHEAD_BYTES;
            if is_full && let Some(last) = listed.last() {
                let cursor = &last.id;
                return (listed, Some(cursor));
            }
            listed.push(info);
        }
        (listed, None)
    }
}
