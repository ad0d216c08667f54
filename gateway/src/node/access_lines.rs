//! What the access log and the history say of a socket of this node.

use std::sync::Arc;
use std::time::Duration;

use protocol::BotId;
use router_core::Session;

use super::core::Node;
use super::entry::ConnectionEntry;
use super::lock::lock;
use crate::access_log::LogSubject;
use crate::ws::ConnectionEnd;

impl Node {
    /// It got its `auth_ok`: logged, and its time counted. Calls over HTTP have no line: there may be
    /// thousands a second.
    pub(super) fn note_connected(&self, entry: &Arc<ConnectionEntry>) {
        let session = lock(&entry.session);
        // It may have gone while its tenant let it in.
        if session.capabilities().lasts && session.member().is_some() {
            self.metrics.latency.connect(entry.open.age());
            self.access_log.connected(subject(entry, &session));
            self.remember_connected(entry, &session);
        }
    }

    /// It holds a bot.
    pub(super) fn log_registered(&self, entry: &Arc<ConnectionEntry>, bot: &BotId) {
        let session = lock(&entry.session);
        self.access_log.registered(subject(entry, &session), bot);
    }

    /// It is gone.
    pub(super) fn log_disconnected(
        &self,
        entry: &Arc<ConnectionEntry>,
        why: ConnectionEnd,
        lasted: Duration,
    ) {
        let session = lock(&entry.session);
        self.access_log
            .disconnected(subject(entry, &session), why, lasted);
        let lasted_ms = lasted.as_millis() as u64;
        self.remember_disconnected(entry, &session, (why, lasted_ms));
    }
}

fn subject<'a>(entry: &'a ConnectionEntry, session: &'a Session) -> LogSubject<'a> {
    LogSubject {
        source: entry.source,
        connection: session.id(),
        member: session.member(),
    }
}
