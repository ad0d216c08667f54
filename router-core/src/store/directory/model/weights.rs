//! What a record takes of the store: its texts, and a fixed overhead.

use protocol::ClientId;
use protocol::presence::BotInfo;

use crate::store::directory::records::ConnRecord;

/// Charged for each record besides its texts: map nodes and allocations.
const RECORD_BYTES: u64 = 256;

pub(super) fn client_bytes(client: &ClientId) -> u64 {
    RECORD_BYTES + client.as_str().len() as u64
}

pub(super) fn conn_bytes(record: &ConnRecord) -> u64 {
    RECORD_BYTES + record.client.as_str().len() as u64
}

pub(super) fn bot_bytes(info: &BotInfo) -> u64 {
    let capabilities: usize = info.capabilities.iter().map(|text| text.len() + 24).sum();
    let texts = info.id.as_str().len() + info.name.len() + info.kind.len() + info.description.len();
    RECORD_BYTES + (capabilities + texts) as u64
}
