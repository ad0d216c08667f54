//! Tells a tenant's owner which connections there are, on all nodes, a page at a time.
//!
//! Nothing is kept for it: a connection's id says when it was made, and the directory has its client
//! id and its bots. A page takes as long as the tenant has bots, and the page connections.

use std::collections::BTreeMap;

use protocol::limits::LIST_BYTES_MAX;
use protocol::presence::BotInfo;
use protocol::status::{ConnectionInfo, ConnectionsList, FullStatus};
use protocol::{Answer, BotId, ConnectionId, FrameId, Refusal};

use super::Tenant;
use super::rates::Payer;
use super::routes::Home;
use crate::effect::TenantEffects;
use crate::env::Env;
use crate::ids::ConnKey;
use crate::request::{List, Survey};

/// What one connection takes in the answer beside its names, bytes: member names, id and time.
const INFO_BYTES: usize = 100;
/// What a name takes beside its characters: quotes and a comma.
const NAME_BYTES: usize = 3;

impl Tenant {
    pub(super) fn survey(
        &mut self,
        env: &Env<'_>,
        key: ConnKey,
        id: Option<FrameId>,
        survey: &Survey,
        fx: &mut TenantEffects,
    ) {
        let Some(conn) = self.routes.connection(key) else {
            return;
        };
        let payer = Payer::new(env, &self.limits, &self.routes, Some(&conn.grant));
        if let Err(retry_ms) = self.rates.take_unit(payer) {
            return fx.refuse(key, id.as_ref(), Refusal::rate(retry_ms));
        }
        let (page, mut bytes) = self.connections_page(survey);
        let answer = match survey.is_full {
            false => Answer::Connections(page),
            true => {
                let first = List {
                    limit: survey.limit,
                    after: None,
                    request_id: None,
                };
                let (page_of_bots, bytes_of_bots) = self.page(&conn.grant, first);
                bytes += bytes_of_bots;
                let bots = page_of_bots.bots.iter();
                Answer::Full(FullStatus {
                    bot_count: count(self.routes.bot_count()),
                    bots: bots.map(|bot| BotInfo::clone(bot)).collect(),
                    next_bots: page_of_bots.next_cursor.map(|bot| bot.to_string()),
                    connection_count: page.count,
                    connections: page.connections,
                    next_connections: page.next_cursor,
                })
            }
        };
        self.rates.charge_list(payer, bytes);
        fx.answer(key, id.as_ref(), answer);
    }

    /// The connections behind the survey's cursor, as many as fit, and how long that is, bytes.
    fn connections_page(&self, survey: &Survey) -> (ConnectionsList, usize) {
        // One more than the page holds shows whether there is another page.
        let wanted = survey.limit + 1;
        let mut found: Vec<ConnectionInfo> = self.here(survey).take(wanted).collect();
        found.extend(self.there(survey).take(wanted));
        found.sort_unstable_by_key(|info| info.id);
        let mut page = ConnectionsList {
            count: count(self.routes.connection_count()),
            connections: Vec::new(),
            next_cursor: None,
        };
        let mut bytes = 0;
        for info in found {
            let more = json_bytes(&info);
            let is_full = page.connections.len() == survey.limit || bytes + more > LIST_BYTES_MAX;
            if is_full && let Some(last) = page.connections.last() {
                page.next_cursor = Some(last.id.to_string());
                break;
            }
            bytes += more;
            page.connections.push(info);
        }
        (page, bytes)
    }

    /// Those of this node that the directory has too, in id order.
    fn here(&self, survey: &Survey) -> impl Iterator<Item = ConnectionInfo> {
        let keys = self.routes.ids_after(survey.after.as_ref());
        let conns = keys.filter_map(|key| self.routes.connection(key));
        let entered = conns.filter(|conn| conn.capabilities.is_listed());
        entered.map(|conn| ConnectionInfo {
            id: conn.id,
            client_id: conn.client.clone(),
            since: conn.id.made_ms(),
            bots: conn.bots.iter().cloned().collect(),
        })
    }

    /// Those of other nodes, in id order.
    fn there(&self, survey: &Survey) -> impl Iterator<Item = ConnectionInfo> {
        let mut bots: BTreeMap<ConnectionId, Vec<BotId>> = BTreeMap::new();
        for bot in self.routes.bots() {
            if let Some(Home::There(holder)) = &bot.home {
                let held = bots.entry(holder.conn).or_default();
                held.push(bot.about.info.id.clone());
            }
        }
        let behind = self.routes.there_after(survey.after.as_ref());
        behind.map(move |(id, record)| ConnectionInfo {
            id: *id,
            client_id: record.client.clone(),
            since: id.made_ms(),
            bots: bots.remove(id).unwrap_or_default(),
        })
    }
}

fn json_bytes(info: &ConnectionInfo) -> usize {
    let bots = info.bots.iter().map(|bot| bot.as_str().len() + NAME_BYTES);
    INFO_BYTES + info.client_id.as_str().len() + bots.sum::<usize>()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
