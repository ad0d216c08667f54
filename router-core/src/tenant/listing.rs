//! Lists a tenant's bots, a page at a time. What a page has of a bot is shared, so that a dialect
//! writes it once for each change of the bot.

use std::cell::OnceCell;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use protocol::limits::LIST_BYTES_MAX;
use protocol::outbound::BotsPage;
use protocol::presence::BotInfo;
use protocol::{Answer, BotId, FrameId, Refusal, Shared};

use super::Tenant;
use super::rates::Payer;
use crate::effect::TenantEffects;
use crate::env::Env;
use crate::ids::ConnKey;
use crate::permit::{Grant, may_see};
use crate::request::List;

/// Room for what a page has besides its entries.
const PAGE_OVERHEAD_BYTES: usize = 1024;

/// A bot as others see it, and how long that is once somebody has asked. Whoever changes it makes both
/// anew.
#[derive(Debug)]
pub(super) struct Listed {
    info: Arc<Shared<BotInfo>>,
    bytes: OnceCell<usize>,
}

impl Listed {
    /// How long it is when it is written, bytes.
    fn bytes(&self) -> usize {
        *self.bytes.get_or_init(|| self.info.written_bytes())
    }

    pub fn into_info(self) -> BotInfo {
        Arc::unwrap_or_clone(self.info).into_inner()
    }
}

impl From<BotInfo> for Listed {
    fn from(info: BotInfo) -> Self {
        Self {
            info: Arc::new(Shared::new(info)),
            bytes: OnceCell::new(),
        }
    }
}

impl Deref for Listed {
    type Target = BotInfo;

    fn deref(&self) -> &BotInfo {
        &self.info
    }
}

impl DerefMut for Listed {
    fn deref_mut(&mut self) -> &mut BotInfo {
        self.bytes.take();
        Arc::make_mut(&mut self.info).get_mut()
    }
}

impl Tenant {
    pub(super) fn list(
        &mut self,
        env: &Env<'_>,
        key: ConnKey,
        id: Option<FrameId>,
        list: List,
        fx: &mut TenantEffects,
    ) {
        let Some(conn) = self.routes.connection(key) else {
            return;
        };
        let grant = Some(&conn.grant);
        let payer = Payer::new(env, &self.limits, &self.routes, grant);
        // A call paid when it joined.
        if !conn.capabilities.pays_when_it_joins()
            && let Err(retry_ms) = self.rates.take_unit(payer)
        {
            return fx.refuse(key, id.as_ref(), Refusal::rate(retry_ms));
        }
        let (page, bytes) = self.page(&conn.grant, list);
        self.rates.charge_list(payer, bytes);
        fx.answer(key, id.as_ref(), Answer::Bots(page));
    }

    pub(super) fn find(
        &mut self,
        env: &Env<'_>,
        key: ConnKey,
        id: Option<FrameId>,
        bot: &BotId,
        fx: &mut TenantEffects,
    ) {
        let Some(conn) = self.routes.connection(key) else {
            return;
        };
        // Unknown and out of sight are one case, so that they cannot be told apart.
        let found = self.routes.bot(bot).filter(|_| may_see(&conn.grant, bot));
        let Some(found) = found else {
            return fx.refuse(key, id.as_ref(), Refusal::from(self.unknown(env)));
        };
        let page = BotsPage {
            bots: vec![Arc::clone(&found.about.info.info)],
            next_cursor: None,
            request_id: None,
        };
        fx.answer(key, id.as_ref(), Answer::Bots(page));
    }

    /// The bots behind a cursor that the bearer may see, as many as fit, and how long the page is, bytes.
    pub(super) fn page(&self, grant: &Grant, list: List) -> (BotsPage, usize) {
        let (listed, next_cursor) = self.listed(grant, &list);
        let bytes = listed.iter().map(|it| it.bytes() + 1).sum::<usize>();
        let page = BotsPage {
            bots: listed.iter().map(|it| Arc::clone(&it.info)).collect(),
            next_cursor: next_cursor.cloned(),
            request_id: list.request_id,
        };
        (page, bytes)
    }

    /// The same bots, and the cursor of the next page if there is one.
    pub(super) fn listed(&self, grant: &Grant, list: &List) -> (Vec<&Listed>, Option<&BotId>) {
        let all = self.routes.bots_after(list.after.as_ref());
        let all = all.map(|bot| &bot.about.info);
        let (mut listed, mut bytes) = (Vec::<&Listed>::new(), 0);
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
