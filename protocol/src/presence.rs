//! The presence feature: bots as they are registered, listed and announced.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ids::BotId;
use crate::integer;

/// `register_bot`: this socket is the bot's home from now on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct RegisterBot {
    /// The bot.
    pub bot_id: String,
    /// What people call it, at most 128 bytes. Default: `botId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub name: Option<String>,
    /// What it is, at most 32 bytes. Default: `bot`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub kind: Option<String>,
    /// What it can do: at most 32 of at most 64 bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<String>>")]
    pub capabilities: Vec<String>,
    /// A sentence about it, at most 1 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub description: Option<String>,
    /// Whatever the bot's makers put there, at most 4 KiB of JSON; kept nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "unknown")]
    pub config: Option<serde_json::Value>,
    /// What happens if another socket holds the bot. Default: `replace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub takeover: Option<Takeover>,
    /// Random per start of the bot's process, at most 64 bytes; a claim by the same instance
    /// always wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub instance: Option<String>,
    /// Asks for stored messages. Answered `confirm: false` until they are built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub confirm: Option<bool>,
}

/// What a registration does to the bot's present holder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "lowercase")]
pub enum Takeover {
    /// Takes the bot; the holder is told `bot_unregistered{replaced}`.
    #[default]
    Replace,
    /// Leaves it there; the newcomer is told `already_registered`.
    Reject,
}

/// A bot as others see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct BotInfo {
    /// The bot.
    #[ts(type = "string")]
    pub id: BotId,
    /// What people call it.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// A sentence about it; may be empty.
    pub description: String,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Whether a socket holds it now.
    pub status: BotState,
    /// Since when it has this status, Unix milliseconds.
    #[ts(type = "number")]
    pub since: u64,
}

impl BotInfo {
    /// How long it is as JSON, bytes: what a page of bots, which has a limit, is made up of.
    pub fn written_bytes(&self) -> usize {
        const MEMBERS: usize = r#"{"id":"","name":"","type":"","description":"","capabilities":[],"status":"offline","since":}"#.len();
        let texts = [self.id.as_str(), &self.name, &self.kind, &self.description];
        let texts: usize = texts.into_iter().map(escaped_bytes).sum();
        // Two quotes and a comma each.
        let capabilities = self.capabilities.iter().map(|it| escaped_bytes(it) + 3);
        MEMBERS + texts + capabilities.sum::<usize>() + itoa::Buffer::new().format(self.since).len()
    }
}

/// How long a text is between the quotes of a JSON string, bytes.
fn escaped_bytes(text: &str) -> usize {
    let bytes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | 0x08 | 0x09 | 0x0a | 0x0c | 0x0d => 2,
        0..0x20 => 6,
        _ => 1,
    });
    bytes.sum()
}

/// Whether a bot can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "lowercase")]
pub enum BotState {
    /// A socket holds it.
    Online,
    /// No socket holds it; it stays listed for 24 h.
    Offline,
}

/// `bot_registered`: the answer to `register_bot`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct BotRegistered {
    /// The bot as others see it.
    #[serde(flatten)]
    pub bot: BotInfo,
    /// The number of this claim of the bot; a later claim of it, by whomever, has a higher one.
    #[ts(type = "number")]
    pub epoch: u64,
    /// Present if `confirm` was asked: whether messages to this bot are stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub confirm: Option<bool>,
}

/// `unregister_bot`, `subscribe`, `unsubscribe`: one bot is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct BotRef {
    /// The bot.
    pub bot_id: String,
}

/// `bot_unregistered`: this socket no longer holds the bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct BotUnregistered {
    /// The bot.
    #[ts(type = "string")]
    pub bot_id: BotId,
    /// Why it was lost: absent in the answer to `unregister_bot`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reason: Option<UnregisterReason>,
    /// The claim that took it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub epoch: Option<u64>,
}

/// Why a socket lost a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "lowercase")]
pub enum UnregisterReason {
    /// Another socket registered it.
    Replaced,
}

/// `bot_status`: a bot came, went or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct BotStatus {
    /// The bot.
    #[ts(type = "string")]
    pub bot_id: BotId,
    /// What people call it.
    pub name: String,
    /// Whether a socket holds it now.
    pub status: BotState,
    /// Since when, Unix milliseconds.
    #[ts(type = "number")]
    pub since: u64,
}

/// `list_bots`: one page of the bots this credential may see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct ListBots {
    /// Most bots in the answer, 1 to 1000. Default: 100.
    #[serde(
        default,
        deserialize_with = "integer::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[ts(optional)]
    pub limit: Option<u32>,
    /// `nextCursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub cursor: Option<String>,
    /// Comes back in the answer's `data`, for old clients; at most 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub request_id: Option<String>,
}

/// The data of `status{bots_list}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct BotsList {
    /// In id order.
    pub bots: Vec<BotInfo>,
    /// Where the next page begins, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub next_cursor: Option<String>,
    /// The request's `requestId`, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub request_id: Option<String>,
}

/// The data of `status{subscribed}` and `status{unsubscribed}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// The bot.
    #[ts(type = "string")]
    pub bot_id: BotId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bot_is_at_most_as_long_as_it_says() {
        for (text, capabilities) in [
            ("", vec![]),
            ("plain", vec!["chat"]),
            ("\"\\\u{8}\t\n\u{c}\r\u{1f}/\u{7f}ä😀", vec!["\u{0}", "b"]),
        ] {
            let bot = BotInfo {
                id: BotId::parse("bot_a").unwrap(),
                name: text.to_owned(),
                kind: text.to_owned(),
                description: text.to_owned(),
                capabilities: capabilities.iter().map(|it| (*it).to_owned()).collect(),
                status: BotState::Offline,
                since: 1_763_695_000_042,
            };
            let written = serde_json::to_string(&bot).unwrap().len();
            // A list of several has a comma less than texts.
            let most = written + usize::from(!capabilities.is_empty());
            assert_eq!(bot.written_bytes(), most);
        }
    }
}
