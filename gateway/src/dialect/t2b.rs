//! What the T2B dialect adds to [`protocol::t2b`]: times that do not go back.

use bytes::Bytes;
use protocol::Outbound;
use protocol::t2b::encode;

use super::frame_time::FrameTime;

/// The frame that tells a connection this.
///
/// Frames end with the time, and one text is shared by all who receive it. A connection that was told
/// a later time already gets a copy with that time.
pub(super) fn encode(outbound: Outbound, time: FrameTime) -> Bytes {
    let frame = encode::outbound(outbound, time.now_ms);
    if time.least_ms <= time.now_ms {
        return frame;
    }
    encode::restamped(&frame, time.least_ms).unwrap_or(frame)
}

#[cfg(test)]
mod tests {
    use protocol::connect::Pong;

    use super::*;

    #[test]
    fn a_later_time_that_was_told_stays() {
        let told = |least_ms| {
            let pong = Pong { timestamp: 1 };
            let time = FrameTime {
                now_ms: 1_763_695_000_000,
                least_ms,
            };
            encode(Outbound::Pong { id: None, pong }, time)
        };
        let now = br#"{"type":"pong","data":{"timestamp":1},"timestamp":1763695000000}"#;
        let later = br#"{"type":"pong","data":{"timestamp":1},"timestamp":1763702200001}"#;
        assert_eq!(told(0), &now[..]);
        assert_eq!(told(1_763_695_000_000), &now[..]);
        assert_eq!(told(1_763_702_200_001), &later[..]);
    }
}
