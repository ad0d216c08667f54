//! Frames that are written through their types: all but the most frequent.

use bytes::Bytes;
use serde::Serialize;

use crate::ids::FrameId;
use crate::t2b::frames::{ClientFrame, ServerMessage};

/// Any frame of the gateway.
pub fn server(message: &ServerMessage, id: Option<&FrameId>, now_ms: u64) -> Bytes {
    #[derive(Serialize)]
    struct Out<'a> {
        #[serde(flatten)]
        message: &'a ServerMessage,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a FrameId>,
        timestamp: u64,
    }
    let timestamp = now_ms;
    let out = Out {
        message,
        id,
        timestamp,
    };
    let text = serde_json::to_vec(&out).expect("frames have string keys only");
    Bytes::from(text.into_boxed_slice())
}

/// Any frame of a client program.
pub fn client(frame: &ClientFrame) -> String {
    serde_json::to_string(frame).expect("frames have string keys only")
}
