//! The requests other than messages: small, read into typed values.
//!
//! Their texts must be Unicode: a lone surrogate is `invalid_id` in an id, `bad_frame` elsewhere.
//! Ids stay text here; router-core parses them.

use serde::de::DeserializeOwned;

use super::decode::Data;
use super::value::{BAD_FRAME, Refusal, missing, string};
use crate::connect::Auth;
use crate::error::ErrorCode;
use crate::frame::StatusRequest;
use crate::limits::{
    BOT_NAME_BYTES_MAX, BOT_TYPE_BYTES_MAX, CAPABILITIES_MAX, CAPABILITY_BYTES_MAX,
    CONFIG_BYTES_MAX, DESCRIPTION_BYTES_MAX, FRAME_ID_BYTES_MAX, INSTANCE_BYTES_MAX,
};
use crate::presence::{BotRef, ListBots, RegisterBot};

const AUTH: [&str; 5] = ["clientId", "apiKey", "token", "acks", "resume"];
const REGISTER_BOT: [&str; 9] = [
    "botId",
    "config",
    "name",
    "type",
    "capabilities",
    "description",
    "takeover",
    "instance",
    "confirm",
];
const BOT_REF: [&str; 1] = ["botId"];
const LIST_BOTS: [&str; 3] = ["limit", "cursor", "requestId"];
const STATUS: [&str; 1] = ["request"];

pub(super) fn auth(data: &Data<'_>) -> Result<Auth, Refusal> {
    let [client_id, ..] = data.pick(AUTH)?;
    client_id.map(is_text).transpose()?;
    parse(data)
}

pub(super) fn register_bot(data: &Data<'_>) -> Result<RegisterBot, Refusal> {
    let [bot_id, config, ..] = data.pick(REGISTER_BOT)?;
    is_text(bot_id.ok_or(missing("botId"))?)?;
    at_most(config.map(<[u8]>::len), CONFIG_BYTES_MAX)?;
    let bot: RegisterBot = parse(data)?;
    let bytes = |text: &Option<String>| text.as_ref().map(String::len);
    at_most(bytes(&bot.name), BOT_NAME_BYTES_MAX)?;
    at_most(bytes(&bot.kind), BOT_TYPE_BYTES_MAX)?;
    at_most(bytes(&bot.description), DESCRIPTION_BYTES_MAX)?;
    at_most(bytes(&bot.instance), INSTANCE_BYTES_MAX)?;
    at_most(Some(bot.capabilities.len()), CAPABILITIES_MAX)?;
    at_most(
        bot.capabilities.iter().map(String::len).max(),
        CAPABILITY_BYTES_MAX,
    )?;
    Ok(bot)
}

pub(super) fn bot_ref(data: &Data<'_>) -> Result<BotRef, Refusal> {
    let [bot_id] = data.pick(BOT_REF)?;
    is_text(bot_id.ok_or(missing("botId"))?)?;
    parse(data)
}

pub(super) fn list_bots(data: &Data<'_>) -> Result<ListBots, Refusal> {
    data.pick(LIST_BOTS)?;
    let list: ListBots = parse(data)?;
    at_most(
        list.request_id.as_ref().map(String::len),
        FRAME_ID_BYTES_MAX,
    )?;
    Ok(list)
}

pub(super) fn status(data: &Data<'_>) -> Result<StatusRequest, Refusal> {
    let [request] = data.pick(STATUS)?;
    request.ok_or(missing("request"))?;
    parse(data)
}

fn parse<T: DeserializeOwned>(data: &Data<'_>) -> Result<T, Refusal> {
    serde_json::from_slice(data.object()?).map_err(|_| BAD_FRAME)
}

fn is_text(raw: &[u8]) -> Result<(), Refusal> {
    match string(raw) {
        Some(_) => Ok(()),
        None => Err(ErrorCode::InvalidId.into()),
    }
}

fn at_most(size: Option<usize>, size_max: usize) -> Result<(), Refusal> {
    if size.unwrap_or(0) <= size_max {
        Ok(())
    } else {
        Err(ErrorCode::TooLarge.into())
    }
}

#[cfg(test)]
mod tests {
    use schemars::{JsonSchema, schema_for};

    use super::*;

    fn check<T: JsonSchema>(names: &[&str]) {
        let schema = schema_for!(T);
        let properties = schema.get("properties").unwrap().as_object().unwrap();
        let mut members: Vec<_> = properties.keys().map(String::as_str).collect();
        let mut names = names.to_vec();
        members.sort_unstable();
        names.sort_unstable();
        assert_eq!(members, names);
    }

    #[test]
    fn every_member_of_a_request_is_watched_for_doubles() {
        check::<Auth>(&AUTH);
        check::<RegisterBot>(&REGISTER_BOT);
        check::<BotRef>(&BOT_REF);
        check::<ListBots>(&LIST_BOTS);
        check::<StatusRequest>(&STATUS);
    }
}
