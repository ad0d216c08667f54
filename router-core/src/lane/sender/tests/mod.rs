//! Each rule of the sending end.

mod acks;
mod batches;
mod best_effort;

use protocol::ErrorCode;
use protocol::lane::Verdict;
use protocol::limits::{LANE_ITEM_OVERHEAD_BYTES, LANE_TURN_BYTES, LANE_WINDOW_BYTES_MIN};
use protocol::{Name, StreamId};

use super::*;
use crate::ids::Receipt;

const NOW: Millis = 1_000_000;
/// The bytes of an envelope that fills a batch.
const WHOLE: usize = LANE_BATCH_BYTES - LANE_ITEM_OVERHEAD_BYTES;

fn sender() -> Sender {
    Sender::new(BootId::from_bits(1), BootId::from_bits(2), HashKeys(1, 2))
}

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

fn parcel(owner: &str, number: u64, bytes: usize) -> Parcel {
    let mut text = format!("{owner}{number}").into_bytes();
    text.resize(bytes.max(text.len()), b' ');
    Parcel {
        receipt: Receipt::new(tenant(owner), number),
        bytes: Bytes::from(text),
    }
}

impl Sender {
    fn pushed(&mut self, numbers: std::ops::RangeInclusive<u64>) {
        numbers.for_each(|n| self.push(NOW, parcel("a", n, 8)).unwrap());
    }

    fn typing(&mut self, stream: Option<&str>, text: &str) -> bool {
        let name = |name| Name::parse(name).unwrap();
        let stream = stream.map(|id| StreamId::parse(id).unwrap());
        let key = (name("bot"), name("phone"), stream);
        self.push_best_effort(&tenant("a"), key, Bytes::from(text.to_owned()))
    }

    /// The first number and the envelopes of what is published, which Redis accepts.
    fn published_now(&mut self, now_ms: Millis) -> Option<(u64, Vec<String>)> {
        let batch = self.take(now_ms)?;
        self.published(now_ms, Ok(()));
        Some((batch.first_seq, words(&batch)))
    }

    fn woken(&mut self, now_ms: Millis) -> Vec<(u64, LaneOutcome)> {
        let mut out = Vec::new();
        self.wake(now_ms, &mut out);
        told(out)
    }

    fn heard(&mut self, ack: &LaneAck) -> Vec<(u64, LaneOutcome)> {
        let mut out = Vec::new();
        self.acked(NOW, ack, &mut out);
        told(out)
    }
}

fn words(batch: &LaneBatch) -> Vec<String> {
    let items = batch.items.iter();
    items
        .map(|item| String::from_utf8_lossy(&item.envelope).trim().to_owned())
        .collect()
}

fn told(out: ParcelOutcomes) -> Vec<(u64, LaneOutcome)> {
    let each = out.into_iter();
    each.map(|(parcel, settled)| (parcel.receipt.number, settled))
        .collect()
}

fn ack(upto: u64) -> LaneAck {
    LaneAck {
        generation: 1,
        upto,
        gap: false,
        evicted: false,
        verdicts: Vec::new(),
    }
}

fn gap(upto: u64) -> LaneAck {
    LaneAck {
        gap: true,
        ..ack(upto)
    }
}

fn sent(first_seq: u64, items: &[&str]) -> Option<(u64, Vec<String>)> {
    let items = items.iter().map(|item| (*item).to_owned());
    Some((first_seq, items.collect()))
}
