//! Idempotency keys that were delivered, for ten minutes or the last 100,000.
//!
//! A key is the 128-bit keyed SipHash of (recipient, sender, `data.messageId`): 16 bytes each
//! instead of three texts, and nobody outside can make two collide. With it goes a hash of the body,
//! 8 bytes, so that the same id with another body is told from a repeat.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use protocol::limits::{DEDUPE_MAX, DEDUPE_MS};
use protocol::message::Body;
use protocol::{MessageId, Name};
use siphasher::sip128::{Hasher128, SipHasher13};
use smallvec::SmallVec;

use crate::check;
use crate::env::Millis;
use crate::ids::HashKeys;
use crate::invariant::Invariant;

/// Members of a body that are hashed without an allocation; most have fewer.
const MEMBERS: usize = 16;

/// One (recipient, sender, message id). Two halves, since a whole would be aligned to 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct MessageKey([u64; 2]);

/// A hash of a body's members but `timestamp`, which a repeat may write anew.
///
/// Whoever makes two bodies collide fools nobody but himself: that needs no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BodyDigest(u64);

/// What a message is known again by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MessagePrint {
    key: MessageKey,
    digest: BodyDigest,
}

/// What a message is to those that were delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KnownMessage {
    /// Its id is a new one.
    New,
    /// It repeats one.
    Repeat,
    /// It has the id of one, and another body.
    Conflict,
}

#[derive(Debug)]
pub(super) struct DedupeTable {
    seen: HashMap<MessageKey, BodyDigest, HashKeys>,
    order: VecDeque<(Millis, MessageKey)>,
    keys: HashKeys,
}

impl DedupeTable {
    pub fn new(keys: HashKeys) -> Self {
        Self {
            seen: HashMap::with_hasher(keys),
            order: VecDeque::new(),
            keys,
        }
    }

    pub fn print(
        &self,
        recipient: &Name,
        sender: &Name,
        id: &MessageId,
        body: &Body,
    ) -> MessagePrint {
        let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        (recipient, sender, id).hash(&mut hasher);
        let hash = hasher.finish128();
        MessagePrint {
            key: MessageKey([hash.h1, hash.h2]),
            digest: BodyDigest::of(body),
        }
    }

    /// What a message is to those that were delivered. One without an id is a new one.
    #[inline]
    pub fn known(&mut self, print: Option<&MessagePrint>, now_ms: Millis) -> KnownMessage {
        match print {
            Some(print) => self.look(print, now_ms),
            None => KnownMessage::New,
        }
    }

    fn look(&mut self, print: &MessagePrint, now_ms: Millis) -> KnownMessage {
        self.forget(now_ms);
        match self.seen.get(&print.key) {
            None => KnownMessage::New,
            Some(digest) if *digest == print.digest => KnownMessage::Repeat,
            Some(_) => KnownMessage::Conflict,
        }
    }

    /// Remembers a message; says whether its id is a new one.
    pub fn insert(&mut self, MessagePrint { key, digest }: MessagePrint, now_ms: Millis) -> bool {
        if self.order.len() >= DEDUPE_MAX
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        let is_new = match self.seen.entry(key) {
            Entry::Vacant(place) => {
                place.insert(digest);
                self.order.push_back((now_ms, key));
                true
            }
            Entry::Occupied(_) => false,
        };
        check!(
            Invariant::Bounded,
            self.order.len() <= DEDUPE_MAX && self.order.len() == self.seen.len(),
            "{} keys are remembered",
            self.seen.len()
        );
        is_new
    }

    pub fn forget(&mut self, now_ms: Millis) {
        while let Some((at_ms, key)) = self.order.front()
            && now_ms.saturating_sub(*at_ms) >= DEDUPE_MS
        {
            self.seen.remove(key);
            self.order.pop_front();
        }
    }
}

impl BodyDigest {
    /// Member by member, so that neither spaces between them matter nor what stood between them that
    /// only the gateway writes, nor their order: but that of members of one name, of which a reader
    /// may take the first or the last.
    fn of(body: &Body) -> Self {
        let hash = |bytes: &[u8]| {
            let mut hasher = FixedState::default().build_hasher();
            hasher.write(bytes);
            hasher.finish()
        };
        let mut members: SmallVec<[(u64, u64); MEMBERS]> = SmallVec::new();
        body.each_member(|key, member| {
            if key != b"timestamp" {
                members.push((hash(key), hash(member)));
            }
        });
        // By name; those of one name stay as they were.
        members.sort_by_key(|(name, _)| *name);
        let hasher = FixedState::default();
        Self(hasher.hash_one(&*members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(dedupe: &DedupeTable, to: &str, from: &str, id: &str) -> MessagePrint {
        let (to, from) = (Name::parse(to).unwrap(), Name::parse(from).unwrap());
        let body = Body::from_members(r#""text":"hi""#.into());
        dedupe.print(&to, &from, &MessageId::parse(id).unwrap(), &body)
    }

    #[test]
    fn a_key_is_all_three_and_lasts_ten_minutes() {
        let mut dedupe = DedupeTable::new(HashKeys(1, 2));
        let seen = print(&dedupe, "a", "b", "1");
        dedupe.insert(seen, 1000);
        for other in [
            print(&dedupe, "b", "a", "1"),
            print(&dedupe, "a", "b", "2"),
            print(&dedupe, "ab", "b", "1"),
        ] {
            assert_eq!(dedupe.look(&other, 1000), KnownMessage::New);
        }
        assert_eq!(
            dedupe.look(&seen, 1000 + DEDUPE_MS - 1),
            KnownMessage::Repeat
        );
        assert_eq!(dedupe.look(&seen, 1000 + DEDUPE_MS), KnownMessage::New);
        assert!(dedupe.seen.is_empty() && dedupe.order.is_empty());
    }

    #[test]
    fn a_digest_is_of_the_members_but_the_timestamp() {
        let digest = |members: &str| BodyDigest::of(&Body::from_members(members.to_owned().into()));
        let body = digest(r#""text":"hi","x":[1,{"timestamp":2}]"#);
        for same in [
            r#""text":"hi" , "x":[1,{"timestamp":2}]"#,
            r#""x":[1,{"timestamp":2}],"text":"hi""#,
            r#""text":"hi","timestamp":"2026","x":[1,{"timestamp":2}]"#,
            r#""t\u0069mestamp":7,"text":"hi","x":[1,{"timestamp":2}]"#,
        ] {
            assert_eq!(digest(same), body, "{same}");
        }
        for other in [
            "",
            r#""text":"hi""#,
            r#""text":"hi","x":[1,{"timestamp":3}]"#,
            r#""text":"x","hi":[1,{"timestamp":2}]"#,
            r#""text":"hi","x":[1,{"timestamp":2}],"x":[1,{"timestamp":2}]"#,
        ] {
            assert_ne!(digest(other), body, "{other}");
        }
    }

    #[test]
    fn the_order_of_members_of_one_name_counts() {
        let digest = |members: &str| BodyDigest::of(&Body::from_members(members.to_owned().into()));
        let body = digest(r#""text":"hi","y":1,"y":2"#);
        for same in [r#""y":1,"text":"hi","y":2"#, r#""y":1,"y":2,"text":"hi""#] {
            assert_eq!(digest(same), body, "{same}");
        }
        for other in [
            r#""text":"hi","y":2,"y":1"#,
            r#""y":2,"text":"hi","\u0079":1"#,
            r#""text":"hi","y":2"#,
            r#""text":"hi","y":1,"y":1,"y":2"#,
        ] {
            assert_ne!(digest(other), body, "{other}");
        }
        assert_ne!(
            digest(r#""y":1,"y":2,"y":3"#),
            digest(r#""y":1,"y":3,"y":2"#)
        );
    }

    #[test]
    fn a_digest_costs_eight_bytes() {
        assert_eq!(size_of::<(MessageKey, BodyDigest)>(), 16 + 8);
        assert_eq!(size_of::<(Millis, MessageKey)>(), 16 + 8);
    }

    #[test]
    fn the_oldest_goes_first_when_there_are_too_many() {
        let mut dedupe = DedupeTable::new(HashKeys(1, 2));
        for i in 0..=DEDUPE_MAX {
            dedupe.insert(print(&dedupe, "a", "b", &i.to_string()), 5);
        }
        assert_eq!(dedupe.seen.len(), DEDUPE_MAX);
        let first = print(&dedupe, "a", "b", "0");
        let second = print(&dedupe, "a", "b", "1");
        assert_eq!(dedupe.look(&first, 5), KnownMessage::New);
        assert_eq!(dedupe.look(&second, 5), KnownMessage::Repeat);
    }
}
