//! The codec against the golden vectors that TypeScript shares, and against its own promises.

#![expect(
    clippy::disallowed_methods,
    reason = "these tests read the checked-in vectors and generated files"
)]

mod generated;
mod properties;
mod vectors;
mod wire;

use protocol::message::{Send, SendKind};
use protocol::{ConnectionId, Envelope, MessageId, Name, TenantId};

/// The clock of all tests, Unix milliseconds: 2025-11-21T03:16:40Z.
const NOW_MS: u64 = 1_763_695_000_000;
/// The message id that the gateway gives in the vectors.
const GATEWAY_ID: &str = "01JD3ZK6M8QW4V5N7R9T2Y0XYZ";
/// The client id of the sender in the vectors.
const SENDER: &str = "phone";
/// Its connection.
const CONNECTION: &str = "conn_01JD3ZK6M8QW4V5N7R9T2Y0ABC";

/// What the gateway makes of a frame that it accepts.
fn envelope(send: Send) -> Envelope {
    let mut message = send.message;
    let is_message = message.kind == SendKind::Message;
    let idempotent = message.message_id.is_some();
    let id = || MessageId::parse(GATEWAY_ID).expect("is one");
    message.message_id = is_message.then(|| message.message_id.unwrap_or_else(id));
    Envelope {
        tenant: TenantId::parse("alice").expect("is one"),
        from: send
            .from
            .unwrap_or_else(|| Name::parse(SENDER).expect("is one")),
        connection: ConnectionId::parse(CONNECTION).expect("is one"),
        idempotent,
        stamped_ms: (!send.timestamp_given).then_some(NOW_MS),
        trace: None,
        message,
    }
}
