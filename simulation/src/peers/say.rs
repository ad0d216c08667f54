//! The frames that peers send.

use serde_json::json;

use super::SimPeers;
use crate::checks::{HeardFrame, SentMessage};
use crate::outside::OutsideWorld;
use crate::said::SaidRecord;

/// Messages that a peer remembers, to repeat one.
const RECENT: usize = 6;

/// A message that is to be said.
#[derive(Debug, Default)]
struct MessageDraft {
    from: Option<String>,
    to: String,
    message_id: Option<String>,
    /// The message that it repeats, by number.
    body: Option<usize>,
    reply_to: Option<String>,
    stream: Option<String>,
}

impl SimPeers {
    pub(super) fn register(&mut self, outside: &mut OutsideWorld, i: usize, bot: &str) {
        let reject = outside.dice.permille(100);
        let Some(socket) = &mut self.all[i].socket else {
            return;
        };
        socket.requests += 1;
        socket.asked.insert(bot.to_owned());
        let id = format!("r{}-{bot}", socket.requests);
        let takeover = if reject { "reject" } else { "replace" };
        let instance = &self.all[i].instance;
        let data = json!({"botId": bot, "instance": instance, "takeover": takeover});
        let frame = json!({"type": "register_bot", "id": id, "data": data});
        self.say(outside, i, frame.to_string(), SaidRecord::Request(id));
    }

    /// The same bots once more, as a peer that is not sure.
    pub(super) fn register_again(&mut self, outside: &mut OutsideWorld, i: usize) {
        for bot in self.all[i].bots.clone() {
            self.register(outside, i, &bot);
        }
    }

    pub(super) fn unregister(&mut self, outside: &mut OutsideWorld, i: usize) {
        let bot = outside.dice.one_of(&self.all[i].bots).clone();
        let Some(socket) = &mut self.all[i].socket else {
            return;
        };
        socket.requests += 1;
        let id = format!("u{}-{bot}", socket.requests);
        let frame = json!({"type": "unregister_bot", "id": id, "data": {"botId": bot}});
        self.say(outside, i, frame.to_string(), SaidRecord::Request(id));
    }

    /// A few messages to one recipient at once: their order shows.
    pub(super) fn burst(&mut self, outside: &mut OutsideWorld, i: usize) {
        let to = self.somebody(outside, i);
        for _ in 0..outside.dice.between(1, 6) {
            let message_id = self.maybe_id(outside);
            let draft = MessageDraft {
                to: to.clone(),
                message_id,
                ..MessageDraft::default()
            };
            self.message(outside, i, draft);
        }
    }

    /// More than the rates of the noisy tenant allow: messages, lists, and bots registered anew.
    pub(super) fn flood(&mut self, outside: &mut OutsideWorld, i: usize) {
        for _ in 0..outside.dice.between(5, 20) {
            let to = self.somebody(outside, i);
            let draft = MessageDraft {
                from: self.all[i].bots.first().cloned(),
                to,
                ..MessageDraft::default()
            };
            self.message(outside, i, draft);
        }
        if let Some(socket) = &mut self.all[i].socket {
            socket.requests += 1;
            let id = format!("l{}", socket.requests);
            let frame = json!({"type": "list_bots", "id": id, "data": {"limit": 1000}});
            self.say(outside, i, frame.to_string(), SaidRecord::Request(id));
        }
        self.register_again(outside, i);
    }

    /// Says something again, under its message id.
    pub(super) fn repeat(&mut self, outside: &mut OutsideWorld, i: usize) {
        if self.all[i].recent.is_empty() {
            return;
        }
        let tag = *outside.dice.one_of(&self.all[i].recent);
        let sent = &outside.observer.sent[tag];
        let draft = MessageDraft {
            to: sent.to.clone(),
            message_id: sent.message_id.clone(),
            body: Some(sent.body),
            ..MessageDraft::default()
        };
        self.message(outside, i, draft);
    }

    pub(super) fn typing(&mut self, outside: &mut OutsideWorld, i: usize) {
        let to = self.somebody(outside, i);
        let frame = json!({"type": "typing", "data": {"to": to, "active": true}});
        self.say(outside, i, frame.to_string(), SaidRecord::Other);
    }

    /// A bot writes to a client by itself.
    pub(super) fn write_to_a_client(&mut self, outside: &mut OutsideWorld, i: usize) {
        let from = Some(outside.dice.one_of(&self.all[i].bots).clone());
        let to = (*outside.dice.one_of(&["phone", "desk", "tv"])).to_owned();
        let message_id = self.maybe_id(outside);
        let draft = MessageDraft {
            from,
            to,
            message_id,
            ..MessageDraft::default()
        };
        self.message(outside, i, draft);
    }

    /// A bot answers: a few partials, then the final message that ends their stream.
    pub(super) fn reply(&mut self, outside: &mut OutsideWorld, i: usize, heard: &HeardFrame) {
        let tenant = self.all[i].tenant;
        let to_connection = outside.dice.permille(150) && !heard.connection.is_empty();
        let to = match to_connection {
            true => heard.connection.clone(),
            false => heard.from.clone(),
        };
        if to.starts_with("bot_") {
            return;
        }
        let stream = format!("s{}", outside.observer.sent.len());
        for seq in 1..=outside.dice.below(4) {
            let text = format!("{tenant}/-/{seq}");
            let data =
                json!({"to": to, "from": heard.to, "streamId": stream, "seq": seq, "text": text});
            let frame = json!({"type": "message_partial", "data": data});
            self.say(outside, i, frame.to_string(), SaidRecord::Partial);
        }
        let draft = MessageDraft {
            from: Some(heard.to.clone()),
            to,
            message_id: self.maybe_id(outside),
            reply_to: Some(heard.message_id.clone()),
            stream: Some(stream),
            body: None,
        };
        self.message(outside, i, draft);
    }

    /// One message to a bot, and its number.
    pub fn probe(&mut self, outside: &mut OutsideWorld, i: usize, bot: &str) -> Option<usize> {
        let draft = MessageDraft {
            to: bot.to_owned(),
            ..MessageDraft::default()
        };
        self.message(outside, i, draft)
    }

    fn message(
        &mut self,
        outside: &mut OutsideWorld,
        i: usize,
        draft: MessageDraft,
    ) -> Option<usize> {
        let peer = &mut self.all[i];
        let conn = peer.socket.as_ref()?.key;
        let tag = outside.observer.sent.len();
        let own = peer.client.clone().unwrap_or_default();
        if draft.message_id.is_some() && draft.from.is_none() {
            peer.recent.push(tag);
            if peer.recent.len() > RECENT {
                peer.recent.remove(0);
            }
        }
        let body = draft.body.unwrap_or(tag);
        let mut data = json!({"to": draft.to, "text": format!("{}/{body}", peer.tenant)});
        if body != tag {
            data["timestamp"] = json!(format!("{}/{tag}", peer.tenant));
        }
        let members = [
            ("from", &draft.from),
            ("messageId", &draft.message_id),
            ("replyTo", &draft.reply_to),
            ("streamId", &draft.stream),
        ];
        for (name, value) in members {
            if let Some(value) = value {
                data[name] = json!(value);
            }
        }
        let frame = json!({"type": "message", "id": format!("m{tag}"), "data": data});
        outside.observer.sent.push(SentMessage {
            conn,
            tenant: peer.tenant,
            from: draft.from.unwrap_or(own),
            to: draft.to,
            body,
            message_id: draft.message_id,
            said_ms: None,
            answers: Vec::new(),
            queued: Vec::new(),
            over_allowance: None,
        });
        self.say(outside, i, frame.to_string(), SaidRecord::Message { tag });
        Some(tag)
    }

    fn maybe_id(&self, outside: &mut OutsideWorld) -> Option<String> {
        let is_named = outside.dice.permille(500);
        is_named.then(|| format!("k{}", outside.observer.sent.len()))
    }

    fn somebody(&self, outside: &mut OutsideWorld, i: usize) -> String {
        let known = &self.all[i].known;
        match outside.dice.below(20) {
            0..14 => format!("bot_{}", outside.dice.below(5)),
            14..18 => (*outside.dice.one_of(&["phone", "desk", "tv"])).to_owned(),
            18 if !known.is_empty() => outside.dice.one_of(known).clone(),
            _ => "nobody".to_owned(),
        }
    }
}
