//! What a connection is told: encoded by its dialect, and pushed into its queue.

use std::sync::Arc;

use protocol::message::SendKind;
use protocol::{CloseCode, Name, Outbound, OutboundKind, StreamId};
use router_core::Env;
use router_core::effect::Outcome;

use super::close::close_socket;
use crate::dialect::FrameTime;
use crate::node::core::Node;
use crate::node::entry::ConnectionEntry;
use crate::node::work::DeferredWork;
use crate::ws::{PushOutcome, QueueClass, StreamKey};

impl Node {
    pub(super) fn push(
        &self,
        env: &Env<'_>,
        entry: &Arc<ConnectionEntry>,
        outbound: Outbound,
        work: &mut DeferredWork,
    ) -> Outcome {
        let kind = outbound.kind();
        let is_unpaid = matches!(kind, OutboundKind::Refusal | OutboundKind::Pong);
        let is_answer = is_unpaid || kind == OutboundKind::Answer;
        let class = class_of(&outbound);
        let time = FrameTime {
            now_ms: env.unix_ms,
            least_ms: self.clock_steps.least_ms(entry.key, env.unix_ms),
        };
        let (pushed, bytes) = match entry.dialect.encode(outbound, class, time) {
            Some(outgoing) => {
                let bytes = outgoing.bytes();
                let pushed = entry.socket.push(outgoing, env.now_ms);
                work.touch(entry);
                (pushed, bytes)
            }
            None => {
                debug_assert_ne!(
                    kind,
                    OutboundKind::Message,
                    "a dialect has words for messages"
                );
                (PushOutcome::Queued, 0)
            }
        };
        if is_unpaid && entry.has_too_many_unpaid(env.now_ms) {
            let close = match entry.owner.get() {
                Some(_) => CloseCode::TooManyRefusals,
                None => CloseCode::PolicyViolation,
            };
            close_socket(entry, close, work);
        }
        // Every request is owed its answer: a socket that has no room for one cannot go on.
        if is_answer && pushed == PushOutcome::Full {
            let is_own_fault = entry.socket.full_since_ms().is_some();
            let close = if is_own_fault {
                CloseCode::SlowConsumer
            } else {
                CloseCode::TryLater
            };
            close_socket(entry, close, work);
        }
        match pushed {
            PushOutcome::Queued => Outcome::Queued { bytes },
            PushOutcome::Full => Outcome::Full,
            PushOutcome::Gone => Outcome::Gone,
        }
    }
}

/// Its place in a queue.
fn class_of(outbound: &Outbound) -> QueueClass {
    match outbound {
        Outbound::Answer { .. }
        | Outbound::Ack { .. }
        | Outbound::Pong { .. }
        | Outbound::Refusal { .. } => QueueClass::Answer,
        Outbound::Presence(_) => QueueClass::Presence,
        Outbound::Delivery(envelope) => {
            let stream = envelope.message.stream_id.as_ref();
            match envelope.message.kind {
                SendKind::Message => {
                    let ends = stream.map(|stream| stream_key(&envelope.from, Some(stream)));
                    QueueClass::Message(ends)
                }
                SendKind::MessagePartial | SendKind::Typing => {
                    QueueClass::Partial(stream_key(&envelope.from, stream))
                }
            }
        }
    }
}

/// The key of a sender's stream; `typing` has none. No name has a space in it.
fn stream_key(from: &Name, stream: Option<&StreamId>) -> StreamKey {
    let stream = stream.map_or("", StreamId::as_str);
    [from.as_str(), " ", stream].concat().into()
}
