//! From dialling to ready, and what becomes of a connection that ends.

use std::time::Duration;

use protocol::t2b::frames::{ErrorData, ServerFrame, ServerMessage};

use super::party::{self, State};
use super::timer::Later;
use super::{Phase, Worker};
use crate::plan::Stay;
use crate::scenario::Acks;
use crate::wire;

/// How long a handshake may take, ns: as long as the gateway gives one.
const HANDSHAKE_WAIT: u64 = 10_000_000_000;
/// The first wait before dialling again is less than this, as with real clients.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// No wait is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The `id` of `register_bot`.
const REGISTER: &str = "register";
/// Answers to an upgrade that waiting does not change.
const FINAL_STATUS: &[u16] = &[400, 401, 403, 404, 405, 421, 426, 431];
/// Closes that a client has to obey.
const FINAL_CLOSE: &[u16] = &[4401, 4402, 4403];

impl Worker {
    /// Dials who waits for it, as long as not too many handshakes are under way.
    pub(super) fn dial_next(&mut self, now: u64) {
        while self.dialing < self.dialing_max
            && let Some(index) = self.to_dial.pop_front()
        {
            self.dial(index, now);
        }
    }

    fn dial(&mut self, index: usize, now: u64) {
        let shared = &self.shared;
        let party = &mut self.parties[index];
        if party.stream.is_some() || self.phase == Phase::Close {
            return;
        }
        party.dialed_at = now;
        let node = &shared.nodes[party.plan.node];
        let group = self.groups[party.group].index;
        let place = group * 31 + index;
        let source = shared.sources.get(place % shared.sources.len().max(1));
        self.dialing += 1;
        let dialed =
            party::dial(node.address, source.copied(), party.plan.stalls).and_then(|mut stream| {
                let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
                let registry = self.poll.registry();
                registry.register(&mut stream, mio::Token(index), interest)?;
                Ok(stream)
            });
        let party = &mut self.parties[index];
        party.state = State::Connecting;
        match dialed {
            Ok(stream) => party.stream = Some(stream),
            Err(error) => return self.lost(index, error.kind().to_string()),
        }
        self.agenda
            .add(now + HANDSHAKE_WAIT, Later::GiveUp(index, now));
    }

    /// A wait is over: for the handshake, or for the peer's close frame.
    pub(super) fn give_up(&mut self, index: usize, dialed_at: u64) {
        let party = &self.parties[index];
        if party.dialed_at != dialed_at || party.stream.is_none() {
            return;
        }
        match party.state {
            State::Away | State::Ready => {}
            State::Connecting | State::Upgrading | State::Greeting | State::Registering(_) => {
                self.lost(index, "timeout".to_owned());
            }
            State::Leaving => self.lost(index, "no close frame".to_owned()),
        }
    }

    /// Whether TCP has connected; then the upgrade is asked for.
    pub(super) fn begin_upgrade(&mut self, index: usize) -> bool {
        let party = &mut self.parties[index];
        let Some(connected) = party.stream.as_ref().and_then(party::connected) else {
            return false;
        };
        if let Err(error) = connected {
            self.lost(index, error.kind().to_string());
            return false;
        }
        party.state = State::Upgrading;
        let group = &self.groups[party.group];
        let shared = &self.shared;
        let node = &shared.nodes[party.plan.node];
        let key = match shared.credentials.key(&shared.tenant_prefix, group.tenant) {
            Ok(key) => key,
            Err(error) => {
                self.shared.control.fail(format!("{error:#}"));
                return false;
            }
        };
        // What a bot's socket is called beside its bot.
        let process = match party.plan.is_bot {
            true => "process-of-",
            false => "",
        };
        let acks = match shared.scenario.acks {
            Acks::All => "",
            Acks::Errors => "&acks=errors",
        };
        let path = format!("{}?clientId={process}{}{acks}", node.path, party.plan.name);
        let request = wire::upgrade_request(&node.host, &path, Some(key.reveal()));
        party.outbox.extend_from_slice(request.as_bytes());
        self.dirt(index);
        true
    }

    pub(super) fn upgraded(&mut self, index: usize, status: Option<u16>) {
        match status {
            Some(101) => self.parties[index].state = State::Greeting,
            Some(status) => {
                if !self.was_accepted && FINAL_STATUS.contains(&status) {
                    let node = &self.shared.nodes[self.parties[index].plan.node];
                    let why = format!("{} answered the upgrade with {status}", node.host);
                    self.shared.control.fail(why);
                }
                self.lost(index, format!("http {status}"));
            }
            None => self.lost(index, "no HTTP".to_owned()),
        }
    }

    pub(super) fn authenticated(&mut self, index: usize) {
        let now = self.now();
        let party = &mut self.parties[index];
        if party.state != State::Greeting {
            return;
        }
        self.was_accepted = true;
        let took = now - party.dialed_at;
        match self.phase {
            Phase::Measure => self.tally.connect.saturating_record(took),
            Phase::Setup | Phase::WarmUp | Phase::Drain | Phase::Close => {
                self.tally.connect_setup.saturating_record(took);
            }
        }
        if !party.plan.is_bot {
            return self.is_ready(index);
        }
        party.state = State::Registering(now);
        let name = &party.plan.name;
        let frame =
            format!(r#"{{"type":"register_bot","id":"{REGISTER}","data":{{"botId":"{name}"}}}}"#);
        self.push(index, wire::TEXT, frame.as_bytes());
    }

    pub(super) fn registered(&mut self, index: usize) {
        if let State::Registering(since) = self.parties[index].state {
            let took = self.now() - since;
            self.tally.register.saturating_record(took);
            self.is_ready(index);
        }
    }

    fn is_ready(&mut self, index: usize) {
        let party = &mut self.parties[index];
        party.state = State::Ready;
        party.failures = 0;
        party.is_deaf = party.plan.stalls && self.phase >= Phase::Measure;
        let group = party.group;
        self.dialing -= 1;
        self.ready += 1;
        self.shared.control.add_ready();
        self.groups[group].ready += 1;
        if self.groups[group].is_up() {
            self.group_is_up(group);
        }
    }

    /// An `error` on the way to ready. What it says of the connection follows as a close.
    pub(super) fn refused_on_the_way(&mut self, index: usize, data: &ErrorData) {
        let reason = data.reason.reason();
        if !self.was_accepted && [401, 403].contains(&data.code) {
            let why = format!("the gateway refuses the credentials: {}", data.message);
            self.shared.control.fail(why);
        }
        self.lost(index, reason.to_owned());
    }

    pub(super) fn on_close(&mut self, index: usize, payload: &[u8]) {
        let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
        let party = &mut self.parties[index];
        if party.state != State::Leaving {
            // The answer that ends the connection; nobody waits for it to be written.
            wire::push(
                &mut party.outbox,
                wire::CLOSE,
                payload.get(..2).unwrap_or(&[]),
            );
            let _ = party.flush();
        }
        let name = code.map_or("close".to_owned(), |code| format!("close {code}"));
        if code.is_some_and(|code| FINAL_CLOSE.contains(&code)) && !self.was_accepted {
            self.shared
                .control
                .fail("the gateway refuses the credentials".to_owned());
        }
        self.lost(index, name);
    }

    /// A connection has ended, or could not be opened. Real clients come back; so does this.
    pub(super) fn lost(&mut self, index: usize, why: String) {
        let party = &mut self.parties[index];
        let state = party.state;
        let group = party.group;
        party.drop_connection();
        match state {
            State::Away => return,
            State::Leaving => return self.has_left(group),
            State::Ready => {
                self.not_ready(index);
                if self.phase != Phase::Close {
                    self.count_close(index, &why);
                }
            }
            State::Connecting | State::Upgrading | State::Greeting | State::Registering(_) => {
                self.dialing -= 1;
                if self.phase != Phase::Close {
                    self.tally.connect_failures.add(&why);
                    if self.phase == Phase::Setup {
                        self.shared.control.note_trouble(&why);
                    }
                }
            }
        }
        if self.phase != Phase::Close {
            self.dial_later(index);
        }
    }

    /// Takes note that a socket is no longer ready; what was under way may be gone.
    pub(super) fn not_ready(&mut self, index: usize) {
        let group = self.parties[index].group;
        self.ready -= 1;
        self.shared.control.remove_ready();
        self.groups[group].ready -= 1;
        for flow in &mut self.flows[self.groups[group].flows.clone()] {
            for (receiver, sequence) in flow.to.clone().zip(&mut flow.sequences) {
                if flow.from == index || receiver == index {
                    sequence.cut(flow.next);
                }
            }
        }
    }

    fn count_close(&mut self, index: usize, why: &str) {
        let group = &self.groups[self.parties[index].group];
        let flows = &self.flows[group.flows.clone()];
        match flows.iter().any(|flow| flow.is_exempt) {
            true => self.tally.expected.add(why),
            false => self.tally.closes.add(why),
        }
    }

    /// Full jitter: a random part of a span that doubles.
    pub(super) fn dial_later(&mut self, index: usize) {
        let party = &mut self.parties[index];
        let storm = self.shared.scenario.storm.as_ref();
        let first = match (self.groups[party.group].stay, storm) {
            (Stay::Storm, Some(storm)) => storm.jitter.get(),
            (Stay::Storm | Stay::Always | Stay::Visit, _) => FIRST_WAIT,
        };
        let span = first.saturating_mul(1 << party.failures.min(10));
        party.failures += 1;
        let wait = span.min(LONGEST_WAIT.max(first)).mul_f64(fastrand::f64());
        let at = self.now() + wait.as_nanos() as u64;
        self.agenda.add(at, Later::Dial(index));
    }
}

/// What an `error` frame says.
pub(super) fn error_of(payload: &[u8]) -> Option<ErrorData> {
    let frame: ServerFrame = serde_json::from_slice(payload).ok()?;
    let ServerMessage::Error(data) = frame.message else {
        return None;
    };
    Some(data)
}
