//! ACK-1: "delivered" is said only when it is true, an error other than `delivery_unknown` only
//! when it never reaches a queue, and whatever is accepted is answered exactly once while its
//! socket stays open.

use router_core::{ConnKey, Millis};

use super::{HeardFrame, RunObserver};

/// What an error may say of a message that is in a queue nevertheless.
const UNKNOWN: &str = "delivery_unknown";

impl RunObserver {
    pub(super) fn ack_1_delivered(&mut self, key: ConnKey, heard: &HeardFrame) {
        let Some(tag) = heard.tag() else { return };
        self.sent[tag].queued.push(key);
        let answer = self.sent[tag].answers.first();
        let error = answer.filter(|it| *it != "delivered" && *it != "duplicate" && *it != UNKNOWN);
        if let Some(error) = error.cloned() {
            let what = format!("{tag} was answered {error}, and reached {key:?} then");
            self.fail("ACK-1", &what);
        }
    }

    pub(super) fn ack_1_answered(&mut self, key: ConnKey, heard: &HeardFrame) {
        let tag = heard.id.strip_prefix('m').and_then(|tag| tag.parse().ok());
        let Some(tag) = tag else {
            return self.ack_1_request(key, heard);
        };
        let tag: usize = tag;
        let answer = match heard.kind.as_str() {
            "error" => heard.reason.clone(),
            _ => heard.status.clone(),
        };
        let sent = &mut self.sent[tag];
        sent.answers.push(answer.clone());
        let (owner, answers, queued) = (sent.conn, sent.answers.len(), sent.queued.len());
        if owner != key || answers > 1 {
            let what = format!("{tag} of {owner:?} was answered {answers} times, now {key:?}");
            return self.fail("ACK-1", &what);
        }
        let what = match answer.as_str() {
            "delivered" if queued == 0 => "and is in no queue",
            "duplicate" if !self.was_delivered_before(tag) => "and never was before",
            "delivered" | "duplicate" | UNKNOWN => return,
            _ if queued > 0 => "and is in a queue",
            _ => return,
        };
        self.fail("ACK-1", &format!("{tag} was answered {answer} {what}"));
    }

    fn was_delivered_before(&self, tag: usize) -> bool {
        let own = &self.sent[tag];
        let same = |it: &&super::SentMessage| {
            let names = (it.tenant, &it.from, &it.to) == (own.tenant, &own.from, &own.to);
            names && it.message_id == own.message_id
        };
        let mut all = self.sent.iter().filter(same);
        all.any(|it| !it.queued.is_empty())
    }

    fn ack_1_request(&mut self, key: ConnKey, heard: &HeardFrame) {
        if heard.id.is_empty() {
            return;
        }
        let Some(answers) = self.requests.get_mut(&(key, heard.id.clone())) else {
            let what = format!("{key:?} never asked {}", heard.id);
            return self.fail("ACK-1", &what);
        };
        *answers += 1;
        if *answers > 1 {
            let what = format!("{} of {key:?} was answered twice", heard.id);
            self.fail("ACK-1", &what);
        }
    }

    /// At the end: what was accepted before `before_ms` on a socket that is open is answered.
    pub(crate) fn ack_1_all(&mut self, before_ms: Millis) {
        let is_open = |key: &ConnKey| self.conns.get(key).is_some_and(|conn| !conn.closed);
        let messages = self.sent.iter().enumerate();
        let mut silent = messages.filter(|(_, sent)| {
            let said = sent.said_ms.is_some_and(|at_ms| at_ms < before_ms);
            said && sent.answers.is_empty() && is_open(&sent.conn)
        });
        let message = silent.next().map(|(tag, _)| format!("message {tag}"));
        let mut requests = self.requests.iter();
        let request = requests.find(|((key, _), answers)| **answers == 0 && is_open(key));
        let request = request.map(|((key, id), _)| format!("{id} of {key:?}"));
        if let Some(what) = message.or(request) {
            self.fail("ACK-1", &format!("{what} was never answered"));
        }
    }
}
