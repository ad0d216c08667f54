//! Pages of bots, put together from entries that are written once a change.

use bytes::Bytes;

use super::pieces::{Pieces, Quoted, Size, escaped, joined, put_end};
use crate::dialect::DialectKind;
use crate::ids::{BotId, FrameId};
use crate::outbound::BotsPage;
use crate::presence::BotInfo;

/// `status{bots_list}`, put together from its entries, each of which is written once a change.
pub(super) fn bots_list(page: &BotsPage, id: Option<&FrameId>, now_ms: u64) -> Bytes {
    let mut now = itoa::Buffer::new();
    let now = now.format(now_ms);
    let id = id.map(Quoted::new);
    let request_id = page.request_id.as_deref().map(escaped);
    let entries = entries_of(page);
    joined!(|out| {
        out.put(r#"{"type":"status","data":{"type":"bots_list","#);
        put_bots(out, &entries, page.next_cursor.as_ref());
        if let Some(request_id) = &request_id {
            out.put(r#","requestId":""#)
                .put(request_id.as_bytes())
                .put("\"");
        }
        out.put("}");
        put_end(out, id.as_ref(), now);
    })
}

/// The entries of a page, each as it stands in the list.
pub(crate) fn entries_of(page: &BotsPage) -> Vec<&Bytes> {
    page.bots
        .iter()
        .map(|bot| bot.kept_text(DialectKind::T2b, bot_info))
        .collect()
}

/// Puts the members that a page has in every dialect.
pub(crate) fn put_bots(out: &mut impl Pieces, entries: &[&Bytes], next_cursor: Option<&BotId>) {
    out.put(r#""bots":["#);
    for (at, entry) in entries.iter().enumerate() {
        out.put(if at == 0 { "" } else { "," }).put(entry);
    }
    out.put("]");
    if let Some(cursor) = next_cursor {
        out.put(r#","nextCursor":""#).put(cursor.as_str()).put("\"");
    }
}

fn bot_info(bot: &BotInfo) -> Bytes {
    let text = serde_json::to_vec(bot).expect("texts serialise");
    Bytes::from(text.into_boxed_slice())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::typed::server;
    use crate::presence::{BotState, BotsList};
    use crate::shared::Shared;
    use crate::t2b::frames::{ServerMessage, Status, TypedStatus};

    use super::*;

    #[test]
    fn a_page_is_put_together_as_serde_json_does() {
        let bot = |name: &str| BotInfo {
            id: BotId::parse("bot_a").unwrap(),
            name: name.to_owned(),
            kind: "bot".to_owned(),
            description: "a \"b\"".to_owned(),
            capabilities: vec!["chat".to_owned()],
            status: BotState::Online,
            since: 7,
        };
        let id = FrameId::parse("i\"d").unwrap();
        for (names, cursor, asked, id) in [
            (&[][..], None, None, None),
            (&["one"][..], None, Some("r\n1"), Some(&id)),
            (&["one", "two \u{1f}"][..], Some("bot_a"), None, None),
        ] {
            let bots: Vec<_> = names.iter().copied().map(bot).collect();
            let page = BotsPage {
                bots: bots
                    .iter()
                    .cloned()
                    .map(Shared::new)
                    .map(Arc::new)
                    .collect(),
                next_cursor: cursor.map(|it| BotId::parse(it).unwrap()),
                request_id: asked.map(str::to_owned),
            };
            let list = BotsList {
                bots,
                next_cursor: cursor.map(str::to_owned),
                request_id: asked.map(str::to_owned),
            };
            let status = Status::Typed(TypedStatus::BotsList(list));
            let right = server(&ServerMessage::Status(status), id, 9);
            assert_eq!(bots_list(&page, id, 9), right);
        }
    }
}
