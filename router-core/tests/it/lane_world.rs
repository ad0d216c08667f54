//! Two ends of a lane with Redis and a network between them that a seed drives.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::lane::{LaneAck, LaneBatch, LaneKeys, Packet, Verdict};
use protocol::limits::{
    LANE_BATCH_BYTES, LANE_UNACKED_MAX, LANE_VERDICTS_MAX, LANE_WINDOW_BYTES_MAX,
};
use protocol::{BootId, ErrorCode, Name, Secret, StreamId, TenantId};
use router_core::effect::Receipt;
use router_core::ids::HashKeys;
use router_core::lane::{LaneOutcome, Parcel, ParcelOutcomes, Receiver, Sender};

/// The largest frame of these lanes: what `lanes.rs` pushes at most.
const FRAME_BYTES: usize = 300_000;

/// How often something goes wrong, percent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    pub drop: u64,
    pub double: u64,
    pub delay: u64,
    pub fail: u64,
    pub refuse: u64,
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.next(100) < chance
    }
}

/// What is known of a message.
#[derive(Debug)]
pub struct Told {
    tenant: u8,
    handled: bool,
    said: Option<Verdict>,
    pub settled: Option<LaneOutcome>,
}

enum Event {
    Data(LaneBatch),
    Ack(LaneAck),
    Answer(Result<(), ()>),
    /// The PUBLISH of an ack ended.
    Told,
}

pub struct Lane {
    pub sender: Sender,
    pub receiver: Receiver,
    pub parcels: Vec<Told>,
    pub down: bool,
    now_ms: u64,
    dice: Dice,
    faults: Faults,
    events: BTreeMap<(u64, u64), Event>,
    /// Present in some lanes: everything travels as bytes.
    keys: Option<LaneKeys>,
    numbers: u64,
    paused: Option<Vec<LaneBatch>>,
    publishing: bool,
    /// The newest ack that is due.
    ack: Option<LaneAck>,
    /// An ack's PUBLISH is unanswered.
    telling: bool,
    /// How many of the next things published are lost.
    to_lose: usize,
    /// Bytes of all batches that were published.
    pub published_bytes: usize,
    /// Of each tenant: when the last thing that was handled had been pushed.
    last: BTreeMap<u8, u64>,
    out: ParcelOutcomes,
}

fn tenant(n: u8) -> TenantId {
    TenantId::parse(&format!("t{n}")).unwrap()
}

/// Payload: which tenant, when it was pushed (a number that grows), which parcel if it is one.
fn payload(tenant: u8, pushed: u64, parcel: u64, bytes: usize) -> Bytes {
    let mut text = vec![tenant];
    text.extend(pushed.to_be_bytes());
    text.extend(parcel.to_be_bytes());
    text.resize(bytes.max(text.len()), 0);
    Bytes::from(text)
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(*bytes.first_chunk().unwrap())
}

impl Lane {
    pub fn new(seed: u64, faults: Faults) -> Self {
        let (src, dst) = (BootId::from_bits(1), BootId::from_bits(2));
        Self {
            sender: Sender::new(src, dst, HashKeys(1, 2)),
            receiver: Receiver::default(),
            parcels: Vec::new(),
            down: false,
            now_ms: 1_000_000,
            dice: Dice(seed),
            faults,
            events: BTreeMap::new(),
            keys: seed
                .is_multiple_of(8)
                .then(|| LaneKeys::new(&[Secret::new("s".to_owned())])),
            numbers: 0,
            paused: None,
            publishing: false,
            ack: None,
            telling: false,
            to_lose: 0,
            published_bytes: 0,
            last: BTreeMap::new(),
            out: Vec::new(),
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn at(&mut self, delay_ms: u64, event: Event) {
        let key = (self.now_ms + delay_ms, self.number());
        self.events.insert(key, event);
    }

    pub fn push(&mut self, from: u8, bytes: usize) {
        let (pushed, parcel) = (self.number(), self.parcels.len() as u64);
        self.parcels.push(Told {
            tenant: from,
            handled: false,
            said: None,
            settled: None,
        });
        let pushed = self.sender.push(
            self.now_ms,
            Parcel {
                receipt: Receipt::new(tenant(from), parcel),
                bytes: payload(from, pushed, parcel, bytes),
            },
        );
        if let Err(parcel) = pushed {
            self.out.push((parcel, LaneOutcome::Unsent));
        }
        self.turn();
    }

    pub fn best_effort(&mut self, from: u8, stream: u8, bytes: usize) {
        let name = |name: &str| Name::parse(name).unwrap();
        let id = StreamId::parse(&format!("s{stream}")).unwrap();
        let pushed = self.number();
        let bytes = payload(from, pushed, u64::MAX, bytes);
        let stream = (name("bot"), name("phone"), Some(id));
        self.sender.push_best_effort(&tenant(from), stream, bytes);
        self.turn();
    }

    pub fn fail(&mut self) {
        self.sender.fail(&mut self.out);
        self.turn();
    }

    pub fn pause(&mut self, paused: bool) {
        match (paused, self.paused.take()) {
            (true, held) => self.paused = Some(held.unwrap_or_default()),
            (false, held) => held
                .into_iter()
                .flatten()
                .for_each(|batch| self.arrived(batch)),
        }
        self.turn();
    }

    pub fn lose(&mut self, count: usize) {
        self.to_lose = count;
    }

    /// From now on nothing goes wrong; what is under way still arrives late.
    pub fn heal(&mut self) {
        self.faults = Faults::default();
        self.down = false;
        self.pause(false);
    }

    pub fn pass(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        loop {
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let wake = self.sender.next_wakeup();
            let next = [event, wake].into_iter().flatten().min();
            let Some(next) = next.filter(|at| *at <= until) else {
                break;
            };
            self.now_ms = self.now_ms.max(next);
            if event == Some(next) {
                let (_, event) = self.events.pop_first().unwrap();
                self.happen(event);
            } else {
                self.sender.wake(self.now_ms, &mut self.out);
            }
            self.turn();
        }
        self.now_ms = until;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Data(batch) => match &mut self.paused {
                Some(held) => held.push(batch),
                None => self.arrived(batch),
            },
            Event::Ack(ack) => {
                self.sender.acked(self.now_ms, &ack, &mut self.out);
            }
            Event::Answer(result) => {
                self.publishing = false;
                self.sender.published(self.now_ms, result);
            }
            Event::Told => {
                self.telling = false;
                self.tell();
            }
        }
    }

    /// What the shell does after every call: takes outcomes, publishes.
    fn turn(&mut self) {
        for (parcel, settled) in std::mem::take(&mut self.out) {
            self.settled(&parcel.receipt, settled);
        }
        let Some(batch) = self.sender.take(self.now_ms) else {
            return;
        };
        assert!(!self.publishing, "one PUBLISH at a time");
        let fits = batch.bytes() <= LANE_BATCH_BYTES || batch.items.len() == 1;
        assert!(fits && !batch.items.is_empty(), "{} bytes", batch.bytes());
        self.publishing = true;
        self.published_bytes += batch.bytes();
        let failed = self.down || self.dice.percent(self.faults.fail);
        let executed = !failed || (!self.down && self.dice.percent(50));
        if executed {
            let batch = self.travelled(self.sender.packet(Some(batch), None)).data;
            let batch = batch.unwrap();
            self.fly(|| Event::Data(batch.clone()));
        }
        let after_ms = self.dice.next(3);
        self.at(
            after_ms,
            Event::Answer(if failed { Err(()) } else { Ok(()) }),
        );
    }

    /// What is left of a packet after its travel.
    fn travelled(&self, packet: Packet) -> Packet {
        let Some(keys) = &self.keys else {
            return packet;
        };
        let bytes = packet.to_bytes(keys);
        let read = Packet::from_bytes(&bytes, keys, FRAME_BYTES).unwrap();
        assert_eq!(read, packet);
        read
    }

    /// Sends something through the network: it arrives once, later, twice or never.
    fn fly(&mut self, event: impl Fn() -> Event) {
        if self.to_lose > 0 {
            self.to_lose -= 1;
            return;
        }
        let copies = match () {
            () if self.dice.percent(self.faults.drop) => 0,
            () if self.dice.percent(self.faults.double) => 2,
            () => 1,
        };
        for _ in 0..copies {
            let late = self.dice.percent(self.faults.delay);
            let delay_ms = if late { 1 + self.dice.next(9000) } else { 1 };
            self.at(delay_ms, event());
        }
    }

    fn arrived(&mut self, batch: LaneBatch) {
        for (seq, envelope) in self.receiver.arrived(batch) {
            let verdict = self.handle(&envelope, seq.is_some());
            if let Some(seq) = seq {
                self.receiver.decided(seq, verdict);
            }
        }
        self.ack = self.receiver.ack().or(self.ack.take());
        self.tell();
    }

    /// Publishes the ack that is due, one at a time; a newer one takes the place of one that waits.
    fn tell(&mut self) {
        if self.telling {
            return;
        }
        let Some(ack) = self.ack.take() else {
            return;
        };
        self.telling = true;
        let after_ms = self.dice.next(3);
        self.at(after_ms, Event::Told);
        assert!(ack.verdicts.len() <= LANE_VERDICTS_MAX);
        let ack = self
            .travelled(self.sender.packet(None, Some(ack)))
            .ack
            .unwrap();
        if !self.dice.percent(self.faults.fail) {
            self.fly(|| Event::Ack(ack.clone()));
        }
    }

    fn handle(&mut self, envelope: &[u8], sequenced: bool) -> Option<Verdict> {
        let (tenant, pushed) = (envelope[0], number(&envelope[1..]));
        let last = self.last.entry(tenant).or_default();
        // Best effort may come twice if the network doubles it, and in the place of an older one.
        if sequenced {
            assert!(*last < pushed, "order of a tenant");
            *last = pushed;
        } else {
            assert!(*last < pushed, "best effort after a later message");
            return None;
        }
        let told = &mut self.parcels[number(&envelope[9..]) as usize];
        assert!(!told.handled, "handled twice");
        assert_eq!(told.tenant, tenant);
        told.handled = true;
        if self.dice.percent(self.faults.refuse) {
            told.said = Some(match self.dice.next(4) {
                0 => Verdict::Duplicate,
                1 => Verdict::Moved(BootId::from_bits(3)),
                2 => Verdict::Offline,
                _ => Verdict::Refused(ErrorCode::RecipientBusy),
            });
        }
        told.said
    }

    fn settled(&mut self, receipt: &Receipt, settled: LaneOutcome) {
        let n = (0..self.parcels.len())
            .rev()
            .find(|n| Receipt::new(tenant(self.parcels[*n].tenant), *n as u64) == *receipt)
            .unwrap();
        let told = &mut self.parcels[n];
        assert_eq!(told.settled, None, "settled twice");
        told.settled = Some(settled);
        let truth = (told.handled, told.said);
        match settled {
            LaneOutcome::Delivered => assert_eq!(truth, (true, None)),
            LaneOutcome::Verdict(verdict) => assert_eq!(truth, (true, Some(verdict))),
            LaneOutcome::Unsent => assert!(!told.handled),
            LaneOutcome::Unknown => {}
        }
    }

    /// What holds at any time.
    pub fn check(&self) {
        let status = self.sender.status(self.now_ms);
        let bytes = status.unacked_bytes + status.waiting_bytes;
        assert!(bytes <= LANE_WINDOW_BYTES_MAX, "{status:?}");
        assert!(status.unacked as u64 <= LANE_UNACKED_MAX);
        assert!(status.oldest_ms <= Some(7500), "{status:?}");
        let unsettled = self.parcels.iter().filter(|it| it.settled.is_none());
        assert_eq!(unsettled.count() == 0, status.oldest_ms.is_none());
        for told in &self.parcels {
            let never = told.settled == Some(LaneOutcome::Unsent);
            assert!(!(never && told.handled), "unsent and handled: {told:?}");
        }
    }

    pub fn everything_is_settled(&self) {
        self.check();
        assert!(self.parcels.iter().all(|told| told.settled.is_some()));
        let status = self.sender.status(self.now_ms);
        assert_eq!((status.unacked_bytes, status.waiting_bytes), (0, 0));
    }

    pub fn was_delivered(&self, from: usize) {
        for told in &self.parcels[from..] {
            assert_eq!(told.settled, Some(LaneOutcome::Delivered));
        }
    }
}
