//! The checks: record what peers sent and received, and test the guarantees on it.
//!
//! One file a guarantee, named after it. They know frames and the machines' replicas, nothing else:
//! a checker that asked the code under test what is right would agree with its bugs.

mod ack_1;
mod dup_1;
mod fair_1;
mod gho_1;
mod healed;
mod home_1;
mod iso_1;
mod ord_1;
mod quota;
mod records;
mod seen_usage;
mod terms;
mod use_1;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;

use protocol::{BootId, ConnectionId};
use router_core::{ConnKey, Millis};

use crate::agenda::MachineProcess;
use crate::said::SaidRecord;
use records::{AcceptedMessages, ArrivalOrder, EpochHomes, IdempotencyKeys, SeenTerms};
use seen_usage::SeenUsage;

/// Events of the trace that a failure prints.
const TRACE_KEPT: usize = 100_000;

/// A frame that a peer was sent.
#[derive(Debug, Clone, Default)]
pub struct HeardFrame {
    pub kind: String,
    /// The frame id of the request that it answers.
    pub id: String,
    pub text: String,
    pub from: String,
    pub to: String,
    pub message_id: String,
    pub connection: String,
    pub status: String,
    pub reason: String,
    pub stream: String,
    pub bot: String,
    pub epoch: u64,
}

impl HeardFrame {
    /// Reads a frame.
    pub fn parse(text: &[u8]) -> Self {
        let frame: serde_json::Value = serde_json::from_slice(text).unwrap_or_default();
        let data = &frame["data"];
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let kind = text(&frame["type"]);
        let bot = if kind == "bot_registered" {
            "id"
        } else {
            "botId"
        };
        Self {
            id: text(&frame["id"]),
            // A repeat has the text of the first, and its own number as its time.
            text: match text(&data["timestamp"]) {
                own if own.contains('/') => own,
                _ => text(&data["text"]),
            },
            from: text(&data["from"]),
            to: text(&data["to"]),
            message_id: text(&data["messageId"]),
            connection: text(&data["connectionId"]),
            status: text(&data["status"]),
            reason: text(&data["reason"]),
            stream: text(&data["streamId"]),
            bot: text(&data[bot]),
            epoch: data["epoch"].as_u64().unwrap_or_default(),
            kind,
        }
    }

    /// The number of the message, if it is one of ours.
    pub fn tag(&self) -> Option<usize> {
        self.text.split('/').nth(1)?.parse().ok()
    }
}

/// A message that a peer sent, and all that became of it.
#[derive(Debug, Clone)]
pub struct SentMessage {
    pub conn: ConnKey,
    pub tenant: usize,
    pub from: String,
    pub to: String,
    /// The message whose body it has: itself, unless it is a repeat.
    pub body: usize,
    /// Its own, if it gave one.
    pub message_id: Option<String>,
    /// When a session took it: before that nothing is promised.
    pub said_ms: Option<Millis>,
    /// `delivered`, `duplicate`, or the reason of an error.
    pub answers: Vec<String>,
    /// Whose queues it is in.
    pub queued: Vec<ConnKey>,
    /// The allowance, if its process had accepted as many messages of its tenant when it took this one.
    pub over_allowance: Option<u64>,
}

/// A socket.
#[derive(Debug, Clone)]
pub struct SeenSocket {
    pub tenant: usize,
    pub process: MachineProcess,
    pub id: ConnectionId,
    pub closed: bool,
    pub greeted: bool,
    /// The bots that it was told it holds, with their epochs.
    pub bots: BTreeMap<String, u64>,
}

/// A broken guarantee.
#[derive(Debug, Clone)]
pub struct BrokenGuarantee {
    pub check: &'static str,
    pub at_ms: Millis,
    pub what: String,
}

/// What is known of the run so far.
#[derive(Debug, Default)]
pub struct RunObserver {
    pub failure: Option<BrokenGuarantee>,
    pub now_ms: Millis,
    pub sent: Vec<SentMessage>,
    pub conns: BTreeMap<ConnKey, SeenSocket>,
    /// When a connection was closed last.
    pub last_close_ms: Millis,
    /// Which tenant each peer is of.
    pub tenant_of: Vec<usize>,
    /// Every boot id: whose, and when it ended.
    pub boots: BTreeMap<BootId, (MachineProcess, Option<Millis>)>,
    /// Requests that are not messages: how often each was answered.
    requests: BTreeMap<(ConnKey, String), u64>,
    order: ArrivalOrder,
    keys: IdempotencyKeys,
    homes: EpochHomes,
    usage: SeenUsage,
    hash: u64,
    pub tracing: bool,
    pub traced: VecDeque<String>,
    pub start_ms: Millis,
    /// Frames that were pushed.
    pub frames: u64,
    /// Whether the [noisy tenant](crate::profile::NOISY_TENANT) is one.
    pub is_noisy: bool,
    /// How often it was refused for that.
    pub refused_to_noisy: u64,
    /// Whether the [frugal tenant](crate::profile::FRUGAL_TENANT) is one.
    pub is_frugal: bool,
    /// How often it was refused for that.
    pub refused_to_frugal: u64,
    /// What processes accepted of what they may.
    quota: AcceptedMessages,
    /// What operators assigned.
    terms: SeenTerms,
    /// How often they assigned something.
    pub assignments: u64,
    /// How often a tenant was refused for an allowance that was assigned.
    pub refused_to_assigned: u64,
}

impl RunObserver {
    pub fn new(start_ms: Millis, tracing: bool) -> Self {
        Self {
            start_ms,
            tracing,
            hash: 0xcbf2_9ce4_8422_2325,
            ..Self::default()
        }
    }

    /// The same for the same seed and code.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Mixes something that happened into the hash.
    pub fn note(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    pub fn trace(&mut self, now_ms: Millis, line: impl FnOnce() -> String) {
        if !self.tracing {
            return;
        }
        if self.traced.len() == TRACE_KEPT {
            self.traced.pop_front();
        }
        let seconds = (now_ms - self.start_ms) as f64 / 1000.0;
        self.traced.push_back(format!("{seconds:9.3}  {}", line()));
    }

    /// Something that must not be. The first one counts.
    pub fn fail(&mut self, check: &'static str, what: &str) {
        let (at_ms, what) = (self.now_ms, what.to_owned());
        self.trace(at_ms, || format!("{check} is broken: {what}"));
        self.failure
            .get_or_insert(BrokenGuarantee { check, at_ms, what });
    }

    pub fn opened(
        &mut self,
        key: ConnKey,
        peer: usize,
        process: MachineProcess,
        id: &ConnectionId,
        now_ms: Millis,
    ) {
        let tenant = self.tenant_of[peer];
        let conn = SeenSocket {
            tenant,
            process,
            id: *id,
            closed: false,
            greeted: false,
            bots: BTreeMap::new(),
        };
        self.trace(now_ms, || {
            format!(
                "{key:?} opens: peer {peer}, tenant {tenant}, node {}, {id}",
                process.machine
            )
        });
        self.conns.insert(key, conn);
    }

    pub fn closed(&mut self, key: ConnKey, now_ms: Millis, why: &str) {
        self.trace(now_ms, || format!("{key:?} is closed: {why}"));
        self.last_close_ms = now_ms;
        if let Some(conn) = self.conns.get_mut(&key) {
            conn.closed = true;
        }
    }

    pub(crate) fn process_ends(&mut self, process: MachineProcess, now_ms: Millis) {
        self.trace(now_ms, || format!("node {} dies", process.machine));
        self.use_1_ends(process);
        for conn in self.conns.values_mut() {
            conn.closed |= conn.process == process;
        }
        for (of, ended_ms) in self.boots.values_mut() {
            if *of == process {
                ended_ms.get_or_insert(now_ms);
            }
        }
    }

    pub fn rejoined(&mut self, process: MachineProcess, old: BootId, new: BootId, now_ms: Millis) {
        if let Some((_, ended_ms)) = self.boots.get_mut(&old) {
            ended_ms.get_or_insert(now_ms);
        }
        self.boots.insert(new, (process, None));
    }

    /// A session takes what a peer said.
    pub fn said(&mut self, key: ConnKey, said: &SaidRecord, now_ms: Millis) {
        match said {
            SaidRecord::Message { tag } => {
                self.trace(now_ms, || format!("{key:?} says message {tag}"));
                self.sent[*tag].said_ms = Some(now_ms);
                self.quota_said(key, *tag);
            }
            SaidRecord::Request(id) => {
                self.trace(now_ms, || format!("{key:?} asks {id}"));
                self.requests.insert((key, id.clone()), 0);
            }
            SaidRecord::Partial | SaidRecord::Other => {}
        }
    }

    /// A frame is in a queue.
    pub fn pushed(&mut self, key: ConnKey, heard: &HeardFrame, now_ms: Millis) {
        self.frames += 1;
        self.now_ms = now_ms;
        self.note(&now_ms.to_le_bytes());
        self.note(&key.0.to_le_bytes());
        self.note(heard.kind.as_bytes());
        self.note(heard.text.as_bytes());
        self.note(heard.id.as_bytes());
        self.trace(now_ms, || format!("{key:?} gets {}", heard.line()));
        self.fair_1(key, heard);
        match heard.kind.as_str() {
            "message" => {
                self.iso_1(key, heard);
                self.ord_1(key, heard);
                self.dup_1(key, heard);
                self.home_1_delivered(key, heard);
                self.ack_1_delivered(key, heard);
            }
            "message_partial" => {
                self.iso_1(key, heard);
                self.ord_1_partial(key, heard);
            }
            "message_ack" | "error" | "status" => {
                self.quota_answered(key, heard);
                self.ack_1_answered(key, heard);
            }
            "bot_registered" | "bot_unregistered" => {
                self.home_1(key, heard);
                self.ack_1_answered(key, heard);
            }
            "auth_ok" => {
                if let Some(conn) = self.conns.get_mut(&key) {
                    conn.greeted = true;
                }
            }
            _ => self.iso_1(key, heard),
        }
    }

    /// The open sockets of a process that hold a bot, as they were told.
    pub(crate) fn homes_of(&self, tenant: usize) -> BTreeMap<&str, BTreeSet<ConnKey>> {
        let mut homes: BTreeMap<&str, BTreeSet<ConnKey>> = BTreeMap::new();
        let open = self.conns.iter();
        for (key, conn) in open.filter(|(_, conn)| !conn.closed && conn.tenant == tenant) {
            for bot in conn.bots.keys() {
                homes.entry(bot).or_default().insert(*key);
            }
        }
        homes
    }
}

impl HeardFrame {
    fn line(&self) -> String {
        let mut line = self.kind.clone();
        let epoch = if self.epoch == 0 {
            String::new()
        } else {
            self.epoch.to_string()
        };
        for (name, value) in [
            ("id", &self.id),
            ("text", &self.text),
            ("from", &self.from),
            ("to", &self.to),
            ("mid", &self.message_id),
            ("status", &self.status),
            ("reason", &self.reason),
            ("stream", &self.stream),
            ("bot", &self.bot),
            ("epoch", &epoch),
        ] {
            if !value.is_empty() {
                // Writing to a text cannot fail.
                let _ = write!(line, " {name}={value}");
            }
        }
        line
    }
}
