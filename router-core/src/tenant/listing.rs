//! Lists a tenant's bots: pages of entries that are encoded once for each change of a bot.

use std::cell::OnceCell;
use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use protocol::codec::encode::{self, ListPage};
use protocol::limits::LIST_BYTES_MAX;
use protocol::presence::BotInfo;
use protocol::{BotId, FrameId};

use super::Tenant;
use super::rates::Payer;
use crate::effect::{Class, TenantEffects};
use crate::env::{Env, Millis};
use crate::ids::ConnKey;
use crate::permit::{Grant, may_see};
use crate::refusal::Refusal;
use crate::request::{List, Purpose};

/// Room for what a page has besides its entries.
const PAGE_OVERHEAD_BYTES: usize = 1024;

/// A bot as others see it, and the same as JSON once somebody has asked. Whoever changes it loses
/// the text.
#[derive(Debug)]
pub(super) struct Listed {
    info: BotInfo,
    json: OnceCell<Box<str>>,
}

impl Listed {
    fn json(&self) -> &str {
        self.json.get_or_init(|| {
            let text = serde_json::to_string(&self.info);
            text.expect("texts serialise").into_boxed_str()
        })
    }

    pub fn into_info(self) -> BotInfo {
        self.info
    }
}

impl From<BotInfo> for Listed {
    fn from(info: BotInfo) -> Self {
        let json = OnceCell::new();
        Self { info, json }
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
        self.json.take();
        &mut self.info
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
        if conn.purpose == Purpose::Socket
            && let Err(retry_ms) = self.rates.take_unit(payer)
        {
            return Refusal::rate(retry_ms).tell(env, key, id.as_ref(), fx);
        }
        let page = self.page(env.unix_ms, &conn.grant, &list, id.as_ref());
        self.rates.charge_list(payer, page.len());
        fx.deliver(key, page, Class::Answer);
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
            return Refusal::from(self.unknown(env)).tell(env, key, id.as_ref(), fx);
        };
        let page = ListPage {
            entries: &[found.about.info.json()],
            next_cursor: None,
            request_id: None,
        };
        let text = encode::bots_list(&page, id.as_ref(), env.unix_ms);
        fx.deliver(key, text, Class::Answer);
    }

    /// The bots behind a cursor that the bearer may see, as many as fit, as a finished frame.
    pub(super) fn page(
        &self,
        unix_ms: Millis,
        grant: &Grant,
        list: &List,
        id: Option<&FrameId>,
    ) -> Bytes {
        let (listed, next_cursor) = self.listed(grant, list);
        let entries: Vec<&str> = listed.iter().map(|it| it.json()).collect();
        let page = ListPage {
            entries: &entries,
            next_cursor,
            request_id: list.request_id.as_deref(),
        };
        encode::bots_list(&page, id, unix_ms)
    }

    /// The same bots, and the cursor of the next page if there is one.
    pub(super) fn listed(&self, grant: &Grant, list: &List) -> (Vec<&Listed>, Option<&str>) {
        let all = self.routes.bots_after(list.after.as_ref());
        let all = all.map(|bot| &bot.about.info);
        let (mut listed, mut bytes) = (Vec::<&Listed>::new(), 0);
        for info in all.filter(|info| may_see(grant, &info.id)) {
            bytes += info.json().len() + 1;
            let is_full =
                listed.len() == list.limit || bytes > LIST_BYTES_MAX - PAGE_OVERHEAD_BYTES;
            if is_full && let Some(last) = listed.last() {
                let cursor = last.id.as_str();
                return (listed, Some(cursor));
            }
            listed.push(info);
        }
        (listed, None)
    }
}
