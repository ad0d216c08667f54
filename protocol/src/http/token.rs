//! `POST /v1/tokens`: its body, read with the member named that is at fault.

use bytes::Bytes;

use crate::error::ErrorCode;
use crate::integer::natural;
use crate::json::Member;
use crate::request::RejectedRequest;
use crate::rule::Rule;
use crate::t2b::data::FrameData;
use crate::t2b::requests::{KnownMember, is_text, members, reads};
use crate::t2b::value::{BAD_FRAME, FrameFault, bad, position};
use crate::t2b::walk::Walk;
use crate::token::{TokenRequest, TokenScope};

const TOKEN: [KnownMember; 4] = [
    (Rule::Client, is_text),
    (Rule::Bots, reads::<Vec<String>>),
    (Rule::Scope, reads::<Vec<TokenScope>>),
    (Rule::TtlSeconds, |raw| natural(raw).is_some()),
];

/// Reads what a client token shall be.
///
/// `text`: UTF-8. Errors: [`RejectedRequest`] with `bad_request`, whatever is wrong.
pub fn decode_token_request(text: &Bytes) -> Result<TokenRequest, RejectedRequest> {
    let mut walk = Walk::default();
    let span = walk.run_data(text).ok();
    let data = FrameData {
        text,
        span,
        members: &walk.data,
    };
    read(&data).map_err(|refusal| RejectedRequest {
        code: ErrorCode::BadRequest,
        id: None,
        message_id: None,
        fault: refusal.fault,
    })
}

fn read(data: &FrameData<'_>) -> Result<TokenRequest, FrameFault> {
    let Some(span) = data.span else {
        return Err(BAD_FRAME);
    };
    let [client, ..] = members(data, TOKEN)?;
    client.ok_or(bad(Rule::Client))?;
    // Absent means all bots, so that `null` may be a slip.
    let is_null = |member: &Member| {
        let is_bots = position(data.text, member, &["bots"]).is_some();
        is_bots && member.value.of(data.text) == b"null"
    };
    if data.members.iter().any(is_null) {
        return Err(bad(Rule::Bots));
    }
    serde_json::from_slice(span.of(data.text)).map_err(|_| BAD_FRAME)
}
