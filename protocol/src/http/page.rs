//! `GET /v1/bots`: the body of its answer.

use bytes::Bytes;

use crate::outbound::BotsPage;
use crate::t2b::encode::bots::{entries_of, put_bots};
use crate::t2b::encode::pieces::{Pieces, Size, joined};

/// The body of the HTTP API that has a page of bots: a [`BotPage`](crate::http::BotPage).
pub fn bot_page(page: &BotsPage) -> Bytes {
    let entries = entries_of(page);
    joined!(|out| {
        out.put("{");
        put_bots(out, &entries, page.next_cursor.as_ref());
        out.put("}");
    })
}
