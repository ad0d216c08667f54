//! The words of random tenants: their credentials, and their frames as JSON texts.

use protocol::{BotId, ClientId, Secret};
use router_core::auth::{Credential, TokenClaims, TokenScope};

use crate::hostile::HOSTILE;
use crate::script::{Cred, Say, Script, To, name, tenant};
use crate::world::{CANARY, KEYRING, START_MS};

impl Script {
    pub fn credential(&self, side: u8, cred: Cred) -> Option<Credential> {
        let generation = self.generations[side as usize];
        let key = |side, g| Credential::ApiKey(KEYRING.issue_key(&tenant(side), g));
        let wrong = |side| {
            let text = format!("t2b_{}_0123456789abcdef", tenant(side));
            Credential::ApiKey(Secret::new(text))
        };
        let now_s = self.world.now_ms / 1000;
        let token = |scope, bots: Option<u8>, iat, exp| {
            let bots = bots.map(|n| [BotId::parse(&name(side, n)).unwrap()].into());
            Credential::Token(KEYRING.issue_token(&TokenClaims {
                tenant: tenant(side),
                client: ClientId::parse(&name(side, 4)).unwrap(),
                scope: vec![scope],
                g: generation,
                iat,
                exp,
                bots,
            }))
        };
        Some(match cred {
            Cred::Absent => return None,
            Cred::Key => key(side, generation),
            Cred::OldKey => key(side, generation.wrapping_sub(1)),
            Cred::WrongKey => wrong(side),
            Cred::OthersKey => wrong(1 - side),
            Cred::Chat => token(TokenScope::Chat, None, now_s, now_s + 3600),
            Cred::ChatOfOne => token(TokenScope::Chat, Some(0), now_s, now_s + 3600),
            Cred::Bot => token(TokenScope::Bot, Some(1), now_s, now_s + 3600),
            Cred::Short => token(TokenScope::Chat, None, now_s, now_s + 20),
            Cred::Expired => token(TokenScope::Chat, None, START_MS / 1000 - 90, now_s - 60),
        })
    }

    fn target(&self, side: u8, to: To) -> String {
        let conn = |side: u8, slot: u8| {
            let key = self.slots[side as usize][slot as usize];
            key.map(|key| self.world.conns[&key].session.id().to_string())
        };
        let known = match to {
            To::Name(n) => Some(name(side, n)),
            To::OthersName(n) => Some(name(1 - side, n)),
            To::Conn(slot) => conn(side, slot),
            To::OthersConn(slot) => conn(1 - side, slot),
            To::NoConn => None,
        };
        known.unwrap_or_else(|| "conn_01JD3ZK6M8QW4V5N7R9T2Y0ABC".to_owned())
    }

    pub fn text(&mut self, side: u8, say: &Say) -> String {
        self.sent += 1;
        let n = self.sent;
        let mark = if side == 1 { CANARY } else { "" };
        let target = |to: &To| self.target(side, *to);
        let from = |from: &Option<u8>| {
            let from = from.map(|n| format!(r#""from":"{}","#, name(side, n)));
            from.unwrap_or_default()
        };
        let (kind, data) = match say {
            Say::Auth(cred) => ("auth", self.auth_data(side, *cred)),
            Say::Register(bot, reject, instance) => {
                let takeover = match reject {
                    Some(true) => r#","takeover":"reject""#,
                    Some(false) => r#","takeover":"replace""#,
                    None => "",
                };
                let instance = instance.map(|i| format!(r#","instance":"i{i}{mark}""#));
                let (id, instance) = (name(side, *bot), instance.unwrap_or_default());
                let data = format!(r#""botId":"{id}","name":"Bot {mark}"{takeover}{instance}"#);
                ("register_bot", data)
            }
            Say::Unregister(to) => ("unregister_bot", format!(r#""botId":"{}""#, target(to))),
            Say::Message {
                from: own,
                to,
                key,
                answers,
            } => {
                let id = |member, id: &Option<u8>| {
                    let id = id.map(|id| format!(r#""{member}":"k{id}","#));
                    id.unwrap_or_default()
                };
                let ids = id("messageId", key) + &id("replyTo", answers);
                let (own, to) = (from(own), target(to));
                let data = format!(r#"{own}{ids}"to":"{to}","text":"{mark}","n":{n}"#);
                ("message", data)
            }
            Say::Partial(own, to) => {
                let (own, to) = (from(own), target(to));
                let stream = format!(r#""streamId":"s","seq":{n}"#);
                let data = format!(r#"{own}"to":"{to}",{stream},"text":"{mark}""#);
                ("message_partial", data)
            }
            Say::Typing(to) => {
                let data = format!(r#""to":"{}","active":true,"who":"{mark}""#, target(to));
                ("typing", data)
            }
            Say::Subscribe(to) => ("subscribe", format!(r#""botId":"{}""#, target(to))),
            Say::Unsubscribe(to) => ("unsubscribe", format!(r#""botId":"{}""#, target(to))),
            Say::List(limit) => {
                let limit = limit.map(|limit| format!(r#""limit":{limit}"#));
                ("list_bots", limit.unwrap_or_default())
            }
            Say::Ping | Say::Again => ("ping", String::new()),
            Say::Hostile(i) => return HOSTILE[i % HOSTILE.len()].to_owned(),
        };
        format!(r#"{{"type":"{kind}","data":{{{data}}},"id":"f{n}{mark}"}}"#)
    }

    fn auth_data(&self, side: u8, cred: Cred) -> String {
        match self.credential(side, cred) {
            None => String::new(),
            Some(Credential::ApiKey(key)) => format!(r#""apiKey":"{}""#, key.reveal()),
            Some(Credential::Token(token)) => format!(r#""token":"{}""#, token.reveal()),
        }
    }
}
