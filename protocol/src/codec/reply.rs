//! A delivered message read again, for whoever waits for it without a socket: the whole `data`, or
//! that of several parts joined. Not a client's parser: it reads frames that this gateway wrote.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::value::{given, inside, pick, position};
use crate::integer::natural;
use crate::json::{Members, Span, Walk};

/// A reply that is being delivered, whole or in parts.
///
/// The first message decides of how many parts it is; messages that are cut otherwise are passed
/// over, and a part that comes again changes nothing.
#[derive(Debug, Default)]
pub struct Reply {
    parts: u64,
    /// The frames as they came: what is found in them may be larger than they are.
    have: BTreeMap<u64, Bytes>,
}

/// What a frame is to a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// The last that was missing; this is the reply's whole `data`.
    Whole(Bytes),
    /// A message, and there is more to come.
    Part,
    /// No message.
    Other,
}

impl Reply {
    /// Takes the next frame.
    ///
    /// `data` of a reply in parts is that of its first part, without `part` and `parts`, `text`
    /// being the texts of all in order.
    pub fn take(&mut self, frame: &Bytes) -> Taken {
        let mut walk = Walk::default();
        let walked = walk.run(frame);
        let Ok([Some(kind), Some(data)]) = pick(frame, &walk.frame, ["type", "data"]) else {
            return Taken::Other;
        };
        if walked.is_err() || kind.of(frame) != br#""message""# {
            return Taken::Other;
        }
        match self.whole(frame, &walk, data) {
            Some(data) => Taken::Whole(data),
            None => Taken::Part,
        }
    }

    fn whole(&mut self, frame: &Bytes, walk: &Walk, data: Span) -> Option<Bytes> {
        let [part, parts] = pick(frame, &walk.data, ["part", "parts"]).ok()?;
        let number = |value| given(frame, value).and_then(natural);
        let (Some(part), Some(parts)) = (number(part), number(parts)) else {
            let is_first = self.have.is_empty();
            return is_first.then(|| frame.slice(data.start as usize..data.end as usize));
        };
        if self.have.is_empty() {
            self.parts = parts;
        }
        if parts == self.parts {
            self.have.entry(part).or_insert_with(|| frame.clone());
        }
        (self.have.len() as u64 == self.parts).then(|| self.join())
    }

    fn join(&self) -> Bytes {
        let mut data = Vec::from(*b"{");
        if let Some(first) = self.have.values().next() {
            for member in &members_of(first) {
                if position(first, member, &["part", "parts", "text"]).is_none() {
                    // A key's span lies within its quotes.
                    let (start, end) = (member.key.start as usize - 1, member.value.end as usize);
                    data.extend_from_slice(&first[start..end]);
                    data.push(b',');
                }
            }
        }
        data.extend_from_slice(b"\"text\":\"");
        for part in self.have.values() {
            let text = pick(part, &members_of(part), ["text"]);
            let text = text.ok().and_then(|[text]| given(part, text));
            data.extend_from_slice(text.and_then(inside).unwrap_or_default());
        }
        data.extend_from_slice(b"\"}");
        Bytes::from(data)
    }
}

/// The members of `data` of a frame that was walked to its end before.
fn members_of(frame: &Bytes) -> Members {
    let mut walk = Walk::default();
    walk.run(frame)
        .map_or_else(|_| Members::default(), |()| walk.data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(reply: &mut Reply, data: &str) -> Option<String> {
        let frame = format!(r#"{{"type":"message","data":{data},"timestamp":1}}"#);
        match reply.take(&Bytes::from(frame)) {
            Taken::Whole(data) => Some(String::from_utf8(data.to_vec()).unwrap()),
            Taken::Part => None,
            Taken::Other => panic!("{data} is a message"),
        }
    }

    #[test]
    fn a_whole_reply_is_its_data_to_the_byte() {
        let data = r#"{"from":"bot_a", "text":"\ud800 \u0041","x":1,"x":{ }}"#;
        assert_eq!(taken(&mut Reply::default(), data).unwrap(), data);
        let mut reply = Reply::default();
        let typing = Bytes::from_static(br#"{"type":"typing","data":{"text":"no"}}"#);
        assert_eq!(reply.take(&typing), Taken::Other);
    }

    #[test]
    fn parts_are_joined_in_their_order_whichever_comes_first() {
        let mut reply = Reply::default();
        let part =
            |n, text| format!(r#"{{"id":"m:{n}","text":{text},"part":{n},"p\u0061rts":3,"z":0}}"#);
        assert_eq!(taken(&mut reply, &part(3, r#""\ude00!""#)), None);
        assert_eq!(taken(&mut reply, &part(3, r#""again""#)), None);
        assert_eq!(taken(&mut reply, &part(1, "null")), None);
        assert_eq!(taken(&mut reply, r#"{"text":"whole"}"#), None);
        assert_eq!(
            taken(&mut reply, r#"{"text":"of four","part":2,"parts":4}"#),
            None
        );
        let joined = taken(&mut reply, &part(2, r#""a\"\ud83d""#)).unwrap();
        assert_eq!(joined, r#"{"id":"m:1","z":0,"text":"a\"\ud83d\ude00!"}"#);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&joined).unwrap()["text"],
            "a\"😀!"
        );
    }

    #[test]
    fn one_part_of_one_is_whole() {
        let joined = taken(&mut Reply::default(), r#"{"part":1,"parts":1}"#).unwrap();
        assert_eq!(joined, r#"{"text":""}"#);
    }
}
