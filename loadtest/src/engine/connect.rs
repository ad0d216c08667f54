//! Connections from dialling to ready, and their ends.

use std::time::Duration;

use protocol::t2b::frames::{ErrorData, ServerFrame, ServerMessage};

use super::control::RunPhase;
use super::timer::DelayedTask;
use super::virtual_user::{self, SocketState};
use super::worker::LoadWorker;
use crate::plan::GroupStay;
use crate::scenario::AckChoice;
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

impl LoadWorker {
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
        let user = &mut self.users[index];
        if user.stream.is_some() || self.phase == RunPhase::Close {
            return;
        }
        user.dialed_at = now;
        let node = &shared.nodes[user.plan.node];
        let group = self.groups[user.group].index;
        let place = group * 31 + index;
        let source = shared.sources.get(place % shared.sources.len().max(1));
        self.dialing += 1;
        let dialed = virtual_user::dial(node.address, source.copied(), user.plan.stalls).and_then(
            |mut stream| {
                let interest = mio::Interest::READABLE | mio::Interest::WRITABLE;
                let registry = self.poll.registry();
                registry.register(&mut stream, mio::Token(index), interest)?;
                Ok(stream)
            },
        );
        let user = &mut self.users[index];
        user.state = SocketState::Connecting;
        match dialed {
            Ok(stream) => user.stream = Some(stream),
            Err(error) => return self.lost(index, error.kind().to_string()),
        }
        self.agenda
            .add(now + HANDSHAKE_WAIT, DelayedTask::GiveUp(index, now));
    }

    /// A wait is over: for the handshake, or for the peer's close frame.
    pub(super) fn give_up(&mut self, index: usize, dialed_at: u64) {
        let user = &self.users[index];
        if user.dialed_at != dialed_at || user.stream.is_none() {
            return;
        }
        match user.state {
            SocketState::Away | SocketState::Ready => {}
            SocketState::Connecting
            | SocketState::Upgrading
            | SocketState::Greeting
            | SocketState::Registering(_) => {
                self.lost(index, "timeout".to_owned());
            }
            SocketState::Leaving => self.lost(index, "no close frame".to_owned()),
        }
    }

    /// Whether TCP has connected; then the upgrade is asked for.
    pub(super) fn begin_upgrade(&mut self, index: usize) -> bool {
        let user = &mut self.users[index];
        let Some(connected) = user.stream.as_ref().and_then(virtual_user::connected) else {
            return false;
        };
        if let Err(error) = connected {
            self.lost(index, error.kind().to_string());
            return false;
        }
        user.state = SocketState::Upgrading;
        let group = &self.groups[user.group];
        let shared = &self.shared;
        let node = &shared.nodes[user.plan.node];
        let key = match shared.credentials.key(&shared.tenant_prefix, group.tenant) {
            Ok(key) => key,
            Err(error) => {
                self.shared.control.fail(format!("{error:#}"));
                return false;
            }
        };
        // What a bot's socket is called beside its bot.
        let process = match user.plan.is_bot {
            true => "process-of-",
            false => "",
        };
        let acks = match shared.scenario.acks {
            AckChoice::All => "",
            AckChoice::Errors => "&acks=errors",
        };
        let path = format!("{}?clientId={process}{}{acks}", node.path, user.plan.name);
        let request = wire::upgrade_request(&node.host, &path, Some(key.reveal()));
        user.outbox.extend_from_slice(request.as_bytes());
        self.dirt(index);
        true
    }

    pub(super) fn upgraded(&mut self, index: usize, status: Option<u16>) {
        match status {
            Some(101) => self.users[index].state = SocketState::Greeting,
            Some(status) => {
                if !self.was_accepted && FINAL_STATUS.contains(&status) {
                    let node = &self.shared.nodes[self.users[index].plan.node];
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
        let user = &mut self.users[index];
        if user.state != SocketState::Greeting {
            return;
        }
        self.was_accepted = true;
        let took = now - user.dialed_at;
        match self.phase {
            RunPhase::Measure => self.tally.connect.saturating_record(took),
            RunPhase::Setup | RunPhase::WarmUp | RunPhase::Drain | RunPhase::Close => {
                self.tally.connect_setup.saturating_record(took);
            }
        }
        if !user.plan.is_bot {
            return self.is_ready(index);
        }
        user.state = SocketState::Registering(now);
        let name = &user.plan.name;
        let frame =
            format!(r#"{{"type":"register_bot","id":"{REGISTER}","data":{{"botId":"{name}"}}}}"#);
        self.push(index, wire::TEXT, frame.as_bytes());
    }

    pub(super) fn registered(&mut self, index: usize) {
        if let SocketState::Registering(since) = self.users[index].state {
            let took = self.now() - since;
            self.tally.register.saturating_record(took);
            self.is_ready(index);
        }
    }

    fn is_ready(&mut self, index: usize) {
        let user = &mut self.users[index];
        user.state = SocketState::Ready;
        user.failures = 0;
        user.reads_nothing = user.plan.stalls && self.phase >= RunPhase::Measure;
        let group = user.group;
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
        let user = &mut self.users[index];
        if user.state != SocketState::Leaving {
            // The answer that ends the connection; nobody waits for it to be written.
            wire::push(
                &mut user.outbox,
                wire::CLOSE,
                payload.get(..2).unwrap_or(&[]),
            );
            let _ = user.flush();
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
        let user = &mut self.users[index];
        let state = user.state;
        let group = user.group;
        user.drop_connection();
        match state {
            SocketState::Away => return,
            SocketState::Leaving => return self.has_left(group),
            SocketState::Ready => {
                self.not_ready(index);
                if self.phase != RunPhase::Close {
                    self.count_close(index, &why);
                }
            }
            SocketState::Connecting
            | SocketState::Upgrading
            | SocketState::Greeting
            | SocketState::Registering(_) => {
                self.dialing -= 1;
                if self.phase != RunPhase::Close {
                    self.tally.connect_failures.add(&why);
                    if self.phase == RunPhase::Setup {
                        self.shared.control.note_trouble(&why);
                    }
                }
            }
        }
        if self.phase != RunPhase::Close {
            self.dial_later(index);
        }
    }

    /// Takes note that a socket is no longer ready; what was under way may be gone.
    pub(super) fn not_ready(&mut self, index: usize) {
        let group = self.users[index].group;
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
        let group = &self.groups[self.users[index].group];
        let flows = &self.flows[group.flows.clone()];
        match flows.iter().any(|flow| flow.is_exempt) {
            true => self.tally.expected.add(why),
            false => self.tally.closes.add(why),
        }
    }

    /// Full jitter: a random part of a span that doubles.
    pub(super) fn dial_later(&mut self, index: usize) {
        let user = &mut self.users[index];
        let storm = self.shared.scenario.storm.as_ref();
        let first = match (self.groups[user.group].stay, storm) {
            (GroupStay::Storm, Some(storm)) => storm.jitter.get(),
            (GroupStay::Storm | GroupStay::Always | GroupStay::Visit, _) => FIRST_WAIT,
        };
        let span = first.saturating_mul(1 << user.failures.min(10));
        user.failures += 1;
        let wait = span.min(LONGEST_WAIT.max(first)).mul_f64(fastrand::f64());
        let at = self.now() + wait.as_nanos() as u64;
        self.agenda.add(at, DelayedTask::Dial(index));
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
