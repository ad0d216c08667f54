//! DUP-1: one `data.messageId` from one sender to one recipient is delivered at most once, while the
//! home stands; and no message ever comes twice of itself.

use router_core::ConnKey;

use super::{HeardFrame, RunObserver};

impl RunObserver {
    pub(super) fn dup_1(&mut self, key: ConnKey, heard: &HeardFrame) {
        let Some(tag) = heard.tag() else { return };
        if !self.keys.tags.insert((key, tag)) {
            self.fail("DUP-1", &format!("{tag} reached {key:?} twice"));
        }
        let id = heard.message_id.clone();
        let id = (key, heard.to.clone(), heard.from.clone(), id);
        if self.sent[tag].message_id.is_some() && !self.keys.ids.insert(id) {
            let id = &heard.message_id;
            self.fail("DUP-1", &format!("{id}, now {tag}, reached {key:?} twice"));
        }
    }
}
