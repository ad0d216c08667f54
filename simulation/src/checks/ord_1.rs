//! ORD-1: messages from one connection to another arrive in the order sent.
//!
//! Per sender's connection, recipient's connection and the name that it is addressed by: two names
//! on one connection may be on different routes while one of them changes. Of a stream no partial
//! comes after its final message; one may come twice or late before that.

use router_core::ConnKey;

use super::{HeardFrame, RunObserver};

impl RunObserver {
    pub(super) fn ord_1(&mut self, key: ConnKey, heard: &HeardFrame) {
        let Some(tag) = heard.tag() else { return };
        let from = self.sent[tag].conn;
        let flow = (from, key, heard.to.clone());
        let last = self.order.last.insert(flow, tag);
        if let Some(last) = last.filter(|last| *last > tag) {
            let what = format!("{tag} from {from:?} reached {key:?} after {last}");
            self.fail("ORD-1", &what);
        }
        if !heard.stream.is_empty() {
            self.order.ended.insert((key, heard.stream.clone()));
        }
    }

    pub(super) fn ord_1_partial(&mut self, key: ConnKey, heard: &HeardFrame) {
        let stream = (key, heard.stream.clone());
        if self.order.ended.contains(&stream) {
            let what = format!("a partial of {} came after its final", heard.stream);
            self.fail("ORD-1", &what);
        }
    }
}
