//! The requests other than messages: small, read into typed values.
//!
//! Their texts must be Unicode: a lone surrogate is `invalid_id` in an id, `bad_frame` elsewhere.
//! Ids stay text here; router-core parses them.

use serde::de::DeserializeOwned;

use super::data::FrameData;
use super::value::{BAD_FRAME, FrameFault, bad, missing, string, wrong};
use crate::connect::{Acks, Auth, Resume};
use crate::error::ErrorCode;
use crate::integer::natural;
use crate::limits::{
    BOT_NAME_BYTES_MAX, BOT_TYPE_BYTES_MAX, CAPABILITIES_MAX, CAPABILITY_BYTES_MAX,
    CONFIG_BYTES_MAX, DESCRIPTION_BYTES_MAX, FRAME_ID_BYTES_MAX, INSTANCE_BYTES_MAX,
};
use crate::presence::{BotRef, ListBots, RegisterBot, Takeover};
use crate::rule::Rule;
use crate::status::{StatusOf, StatusRequest};

/// A member that is known of a request, and the check of its value as written.
pub(crate) type KnownMember = (Rule, fn(&[u8]) -> bool);

const AUTH: [KnownMember; 5] = [
    (Rule::ClientId, is_text),
    (Rule::ApiKey, is_text),
    (Rule::Token, is_text),
    (Rule::Acks, reads::<Acks>),
    (Rule::Resume, reads::<Resume>),
];
const REGISTER_BOT: [KnownMember; 9] = [
    (Rule::BotId, is_text),
    (Rule::Config, reads::<serde_json::Value>),
    (Rule::Name, is_text),
    (Rule::Kind, is_text),
    (Rule::Capabilities, reads::<Vec<String>>),
    (Rule::Description, is_text),
    (Rule::Takeover, reads::<Takeover>),
    (Rule::Instance, is_text),
    (Rule::Confirm, reads::<bool>),
];
const BOT_REF: [KnownMember; 1] = [(Rule::BotId, is_text)];
const LIST_BOTS: [KnownMember; 3] = [
    (Rule::Limit, is_limit),
    (Rule::Cursor, is_text),
    (Rule::RequestId, is_text),
];
const STATUS: [KnownMember; 3] = [
    (Rule::StatusRequest, reads::<StatusOf>),
    (Rule::Limit, is_limit),
    (Rule::Cursor, is_text),
];

pub(crate) fn auth(data: &FrameData<'_>) -> Result<Auth, FrameFault> {
    members(data, AUTH)?;
    parse(data)
}

pub(crate) fn register_bot(data: &FrameData<'_>) -> Result<RegisterBot, FrameFault> {
    let [bot_id, config, ..] = members(data, REGISTER_BOT)?;
    bot_id.ok_or(missing(Rule::BotId))?;
    let size = config.map(<[u8]>::len);
    at_most(size, CONFIG_BYTES_MAX, Rule::Config)?;
    let bot: RegisterBot = parse(data)?;
    let bytes = |text: &Option<String>| text.as_ref().map(String::len);
    at_most(bytes(&bot.name), BOT_NAME_BYTES_MAX, Rule::Name)?;
    at_most(bytes(&bot.kind), BOT_TYPE_BYTES_MAX, Rule::Kind)?;
    let size = bytes(&bot.description);
    at_most(size, DESCRIPTION_BYTES_MAX, Rule::Description)?;
    at_most(bytes(&bot.instance), INSTANCE_BYTES_MAX, Rule::Instance)?;
    let count = Some(bot.capabilities.len());
    at_most(count, CAPABILITIES_MAX, Rule::Capabilities)?;
    let longest = bot.capabilities.iter().map(String::len).max();
    at_most(longest, CAPABILITY_BYTES_MAX, Rule::Capabilities)?;
    Ok(bot)
}

pub(crate) fn bot_ref(data: &FrameData<'_>) -> Result<BotRef, FrameFault> {
    let [bot_id] = members(data, BOT_REF)?;
    bot_id.ok_or(missing(Rule::BotId))?;
    parse(data)
}

pub(crate) fn list_bots(data: &FrameData<'_>) -> Result<ListBots, FrameFault> {
    members(data, LIST_BOTS)?;
    let list: ListBots = parse(data)?;
    let size = list.request_id.as_ref().map(String::len);
    at_most(size, FRAME_ID_BYTES_MAX, Rule::RequestId)?;
    Ok(list)
}

pub(crate) fn status(data: &FrameData<'_>) -> Result<StatusRequest, FrameFault> {
    let [request, ..] = members(data, STATUS)?;
    request.ok_or(missing(Rule::StatusRequest))?;
    parse(data)
}

/// The values of the known members, in their order. Errors: the first that fails its check.
pub(crate) fn members<'a, const N: usize>(
    data: &FrameData<'a>,
    known: [KnownMember; N],
) -> Result<[Option<&'a [u8]>; N], FrameFault> {
    let values = data.pick(known.map(|(rule, _)| rule.field()))?;
    for (value, (rule, is_good)) in values.iter().zip(known) {
        if value.is_some_and(|raw| !is_good(raw)) {
            let is_id = matches!(rule, Rule::BotId | Rule::ClientId);
            return Err(match is_id {
                true => wrong(ErrorCode::InvalidId, rule),
                false => bad(rule),
            });
        }
    }
    Ok(values)
}

fn parse<T: DeserializeOwned>(data: &FrameData<'_>) -> Result<T, FrameFault> {
    serde_json::from_slice(data.object()?).map_err(|_| BAD_FRAME)
}

pub(crate) fn is_text(raw: &[u8]) -> bool {
    string(raw).is_some()
}

/// Its range is for the session to say, as of limits that come otherwise.
fn is_limit(raw: &[u8]) -> bool {
    natural(raw).is_some_and(|limit| u32::try_from(limit).is_ok())
}

pub(crate) fn reads<T: DeserializeOwned>(raw: &[u8]) -> bool {
    serde_json::from_slice::<T>(raw).is_ok()
}

fn at_most(size: Option<usize>, size_max: usize, rule: Rule) -> Result<(), FrameFault> {
    if size.unwrap_or(0) <= size_max {
        Ok(())
    } else {
        Err(wrong(ErrorCode::TooLarge, rule))
    }
}

#[cfg(test)]
mod tests {
    use schemars::{JsonSchema, schema_for};

    use super::*;

    fn check<T: JsonSchema>(known: &[KnownMember]) {
        let schema = schema_for!(T);
        let properties = schema.get("properties").unwrap().as_object().unwrap();
        let mut members: Vec<_> = properties.keys().map(String::as_str).collect();
        let mut names: Vec<_> = known.iter().map(|(rule, _)| rule.field()).collect();
        members.sort_unstable();
        names.sort_unstable();
        assert_eq!(members, names);
    }

    #[test]
    fn every_member_of_a_request_is_checked() {
        check::<Auth>(&AUTH);
        check::<RegisterBot>(&REGISTER_BOT);
        check::<BotRef>(&BOT_REF);
        check::<ListBots>(&LIST_BOTS);
        check::<StatusRequest>(&STATUS);
    }
}
