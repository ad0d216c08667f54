//! Which connections there are, on all nodes, a page at a time: for the tenant's owner.
//!
//! Nothing is kept for it: a connection's id says when it was made, and the directory has its client
//! id and its bots. A page takes as long as the tenant has bots, and the page connections.

use std::collections::BTreeMap;

use protocol::limits::LIST_BYTES_MAX;
use protocol::status::{ConnectionInfo, ConnectionsList};
use protocol::{BotId, ConnectionId};

use super::Members;
use crate::request::SurveyRequest;
use crate::tenant::bots::Bots;

/// What one connection takes in the answer beside its names, bytes: member names, id and time.
const INFO_BYTES: usize = 100;
/// What a name takes beside its characters: quotes and a comma.
const NAME_BYTES: usize = 3;

impl Members {
    /// The connections behind the survey's cursor, as many as fit, and how long that is, bytes.
    pub fn page(&self, survey: &SurveyRequest, bots: &Bots) -> (ConnectionsList, usize) {
        // One more than the page holds shows whether there is another page.
        let wanted = survey.limit + 1;
        let mut found: Vec<ConnectionInfo> = self.here(survey).take(wanted).collect();
        found.extend(self.there(survey, bots).take(wanted));
        found.sort_unstable_by_key(|info| info.id);
        let mut page = ConnectionsList {
            count: as_count(self.connection_count()),
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
    fn here(&self, survey: &SurveyRequest) -> impl Iterator<Item = ConnectionInfo> {
        let keys = self.by_id.iter_after(survey.after.as_ref());
        let conns = keys.filter_map(|(_, key)| self.connection(*key));
        let entered = conns.filter(|conn| conn.capabilities.is_listed());
        entered.map(|conn| ConnectionInfo {
            id: conn.id,
            client_id: conn.client.clone(),
            since: conn.id.made_ms(),
            bots: conn.bots.iter().cloned().collect(),
        })
    }

    /// Those of other nodes, in id order.
    fn there(&self, survey: &SurveyRequest, bots: &Bots) -> impl Iterator<Item = ConnectionInfo> {
        let mut held: BTreeMap<ConnectionId, Vec<BotId>> = BTreeMap::new();
        for bot in bots.iter() {
            if let Some(holder) = bot.there() {
                let held = held.entry(holder.conn).or_default();
                held.push(bot.details.info.id.clone());
            }
        }
        let behind = self.remote.after(survey.after.as_ref());
        behind.map(move |(id, record)| ConnectionInfo {
            id: *id,
            client_id: record.client.clone(),
            since: id.made_ms(),
            bots: held.remove(id).unwrap_or_default(),
        })
    }
}

fn json_bytes(info: &ConnectionInfo) -> usize {
    let bots = info.bots.iter().map(|bot| bot.as_str().len() + NAME_BYTES);
    INFO_BYTES + info.client_id.as_str().len() + bots.sum::<usize>()
}

/// A number as a status has it.
pub(in crate::tenant) fn as_count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
