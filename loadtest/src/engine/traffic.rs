//! Sending, checking and answering.

use super::connect::error_of;
use super::control::RunPhase;
use super::timer::DelayedTask;
use super::virtual_user::SocketState;
use super::worker::LoadWorker;
use crate::check::WrongDelivery;
use crate::message::{
    self, IncomingMessage, MessageKind, MessageToken, OutgoingMessage, TOKEN_BYTES,
};
use crate::plan::FlowPace;
use crate::wire;

/// Bytes that may wait for one socket to take them; then what is due is not sent.
const OUTBOX_MAX: usize = 256 * 1024;
/// Least wait before asking again after a refusal, ns.
const ASK_AGAIN: u64 = 20_000_000;
/// Types that say nothing of a message.
const NOTICES: &[&[u8]] = &[
    b"status",
    b"bot_status",
    b"bot_unregistered",
    b"pong",
    b"migrate",
    b"auth_error",
];

impl LoadWorker {
    /// Asks as much as a window lets through.
    pub(super) fn ask(&mut self, flow: usize, now: u64) {
        let group = self.flows[flow].group;
        let may_ask = match self.phase {
            RunPhase::WarmUp | RunPhase::Measure => true,
            // Who came for a few questions may finish them.
            RunPhase::Drain => self.flows[flow].quota.is_some(),
            RunPhase::Setup | RunPhase::Close => false,
        };
        if !may_ask || !self.groups[group].is_up() {
            return;
        }
        for _ in 0..self.flows[flow].free() {
            let it = &mut self.flows[flow];
            it.in_flight += 1;
            it.quota = it.quota.map(|quota| quota - 1);
            self.send(flow, now);
        }
    }

    /// Sends what is due in an open loop, if the socket can take it.
    pub(super) fn send_scheduled(&mut self, flow: usize, at: u64) {
        let it = &self.flows[flow];
        let sender = &self.users[it.from];
        let problem = match sender.state {
            SocketState::Ready if sender.outbox.len() <= OUTBOX_MAX => None,
            SocketState::Ready => Some("socket full"),
            SocketState::Away
            | SocketState::Connecting
            | SocketState::Upgrading
            | SocketState::Greeting
            | SocketState::Registering(_)
            | SocketState::Leaving => Some("not connected"),
        };
        if let Some(problem) = problem {
            if self.counts(at) && !it.is_exempt {
                self.tally.unsent.add(problem);
            }
            return;
        }
        let ends_stream = it
            .stream
            .filter(|stream| (it.next + 1).is_multiple_of(*stream));
        match (ends_stream, it.other) {
            (Some(_), Some(whole)) => {
                self.flows[flow].next += 1;
                self.send(whole, at);
            }
            (Some(_) | None, _) => self.send(flow, at),
        }
    }

    /// Sends the next message of a flow, that was due at `time`.
    fn send(&mut self, flow: usize, time: u64) {
        let counted = self.counts(time);
        let it = &mut self.flows[flow];
        let token = MessageToken {
            flow: self.first_flow + flow as u32,
            number: it.next,
            time,
        };
        let stream = match (it.stream, it.other) {
            (Some(stream), _) => Some(it.next / stream),
            (None, _) => None,
        };
        it.next += 1;
        for (receiver, sequence) in it.to.clone().zip(&mut it.sequences) {
            if self.users[receiver].state != SocketState::Ready {
                sequence.cut(it.next);
            }
        }
        let sender = &self.users[it.from].plan;
        OutgoingMessage {
            kind: it.kind,
            to: &self.users[it.to.start].plan.name,
            from: sender.is_bot.then_some(&sender.name),
            stream,
            token,
            padding: self.shared.padding.of(token, it.padding),
        }
        .write(&mut self.frame);
        let (kind, from) = (it.kind, it.from);
        wire::push(&mut self.users[from].outbox, wire::TEXT, &self.frame);
        self.dirt(from);
        if counted && !self.flows[flow].is_exempt {
            self.traffic(kind).sent += 1;
        }
    }

    fn traffic(&mut self, kind: MessageKind) -> &mut crate::measure::FrameCounts {
        match kind {
            MessageKind::Message => &mut self.tally.messages,
            MessageKind::Partial => &mut self.tally.partials,
            MessageKind::Typing => &mut self.tally.typing,
        }
    }

    pub(super) fn on_text(&mut self, index: usize, payload: &[u8]) {
        // A gateway writes the type first; whoever does not is understood too.
        let slow;
        let kind = match message::first_type(payload) {
            Some(kind) => Some(kind),
            None => {
                slow = message::type_slowly(payload);
                slow.as_deref().map(str::as_bytes)
            }
        };
        match kind {
            Some(b"message") => self.on_delivery(index, MessageKind::Message, payload),
            Some(b"message_partial") => self.on_delivery(index, MessageKind::Partial, payload),
            Some(b"typing") => self.on_delivery(index, MessageKind::Typing, payload),
            Some(b"message_ack") => self.on_ack(index, payload),
            Some(b"error") => self.on_error(index, payload),
            Some(b"auth_ok") => self.authenticated(index),
            Some(b"bot_registered") => self.registered(index),
            Some(other) if NOTICES.contains(&other) => {}
            Some(_) | None => self.wrong(WrongDelivery::Frame, || lossy(payload)),
        }
    }

    fn on_delivery(&mut self, index: usize, kind: MessageKind, payload: &[u8]) {
        let checked = match message::read(payload) {
            Some(incoming) => self.check(index, kind, &incoming),
            None => Err(WrongDelivery::Frame),
        };
        // Only when something seems wrong is it worth reading it in full.
        let checked = checked.or_else(|wrong| match message::read_slowly(payload) {
            Some((from, to, text)) => self.check(
                index,
                kind,
                &IncomingMessage {
                    from: from.as_bytes(),
                    to: to.as_bytes(),
                    text: text.as_bytes(),
                },
            ),
            None => Err(wrong),
        });
        let token = match checked {
            Ok(token) => token,
            Err(wrong) => {
                let name = self.users[index].plan.name.clone();
                return self.wrong(wrong, || format!("{name} got {}", lossy(payload)));
            }
        };
        self.take(index, kind, token, payload);
    }

    /// Whether this socket should get this, with these names and this text.
    fn check(
        &self,
        index: usize,
        kind: MessageKind,
        incoming: &IncomingMessage,
    ) -> Result<MessageToken, WrongDelivery> {
        let token = MessageToken::read(incoming.text).ok_or(WrongDelivery::Body)?;
        let place = token.flow.checked_sub(self.first_flow);
        let flow = place.and_then(|place| self.flows.get(place as usize));
        let flow = flow.ok_or(WrongDelivery::Recipient)?;
        if !flow.to.contains(&index) {
            return Err(WrongDelivery::Recipient);
        }
        let sender = &self.users[flow.from].plan.name;
        let recipient = &self.users[index].plan.name;
        if incoming.from != sender.as_bytes() || incoming.to != recipient.as_bytes() {
            return Err(WrongDelivery::Names);
        }
        let padding = self.shared.padding.of(token, flow.padding);
        if flow.kind != kind || incoming.text[TOKEN_BYTES..] != *padding {
            return Err(WrongDelivery::Body);
        }
        Ok(token)
    }

    fn take(&mut self, index: usize, kind: MessageKind, token: MessageToken, payload: &[u8]) {
        let now = self.now();
        let place = (token.flow - self.first_flow) as usize;
        let flow = &mut self.flows[place];
        let sequence = &mut flow.sequences[index - flow.to.start];
        let taken = match kind {
            MessageKind::Message if token.number >= flow.next => Err(WrongDelivery::Body),
            MessageKind::Message => sequence.take(token.number),
            MessageKind::Partial | MessageKind::Typing => sequence.take_best_effort(token.number),
        };
        if let Err(wrong) = taken {
            self.wrong(wrong, || lossy(payload));
        }
        if self.counts(now) {
            self.traffic(kind).delivered += 1;
        }
        self.second.delivered += 1;
        let flow = &self.flows[place];
        let (pace, other) = (flow.pace, flow.other);
        let latency = now.saturating_sub(token.time);
        match (pace, other) {
            (FlowPace::Answer, Some(question)) => {
                self.second.latency.saturating_record(latency);
                if self.counts(token.time) {
                    self.tally.round_trip.saturating_record(latency);
                }
                self.answered(question, now);
            }
            (FlowPace::Answer | FlowPace::Window { .. } | FlowPace::Scheduled(_), _) => {
                if self.counts(token.time) {
                    self.tally.one_way.saturating_record(latency);
                }
                let answer = other.filter(|_| kind == MessageKind::Message);
                match answer {
                    Some(answer) => self.send(answer, token.time),
                    None => self.second.latency.saturating_record(latency),
                }
            }
        }
    }

    fn answered(&mut self, question: usize, now: u64) {
        let flow = &mut self.flows[question];
        flow.in_flight = flow.in_flight.saturating_sub(1);
        let (is_done, group) = (flow.is_done(), flow.group);
        match is_done {
            true => self.group_is_done(group),
            false => self.ask(question, now),
        }
    }

    fn on_ack(&mut self, index: usize, payload: &[u8]) {
        let Some(token) = message::token_of_answer(payload).filter(|it| self.is_mine(index, *it))
        else {
            return self.wrong(WrongDelivery::Frame, || lossy(payload));
        };
        if self.counts(token.time) {
            let took = self.now().saturating_sub(token.time);
            self.tally.ack.saturating_record(took);
        }
    }

    /// Whether this socket has sent this message.
    fn is_mine(&self, index: usize, token: MessageToken) -> bool {
        let place = token.flow.checked_sub(self.first_flow);
        let flow = place.and_then(|place| self.flows.get(place as usize));
        flow.is_some_and(|flow| flow.from == index && token.number < flow.next)
    }

    fn on_error(&mut self, index: usize, payload: &[u8]) {
        let Some(data) = error_of(payload) else {
            return self.wrong(WrongDelivery::Frame, || lossy(payload));
        };
        match self.users[index].state {
            SocketState::Ready => {}
            SocketState::Leaving => return,
            SocketState::Away
            | SocketState::Connecting
            | SocketState::Upgrading
            | SocketState::Greeting
            | SocketState::Registering(_) => return self.refused_on_the_way(index, &data),
        }
        let reason = data.reason.reason();
        let Some(token) = message::token_of_answer(payload) else {
            return self.tally.errors.add(reason);
        };
        if !self.is_mine(index, token) {
            return self.wrong(WrongDelivery::Frame, || lossy(payload));
        }
        let for_good = data.reason != protocol::ErrorCode::DeliveryUnknown;
        let wait = data.retry_after_ms.map_or(0, |ms| ms * 1_000_000);
        self.refused(token, reason, for_good, wait.max(ASK_AGAIN));
    }

    fn refused(&mut self, token: MessageToken, reason: &str, for_good: bool, wait: u64) {
        let place = (token.flow - self.first_flow) as usize;
        let flow = &mut self.flows[place];
        let is_exempt = flow.is_exempt;
        let refusals = flow.sequences.iter_mut();
        let wrong = refusals
            .filter_map(|it| it.refuse(token.number, for_good).err())
            .next();
        // An answer that was refused is one that its question never gets.
        let question = match flow.pace {
            FlowPace::Window { .. } => Some(place),
            FlowPace::Answer => flow.other,
            FlowPace::Scheduled(_) => None,
        };
        match is_exempt {
            true => self.tally.expected.add(reason),
            false => {
                if self.counts(token.time) {
                    self.tally.errors.add(reason);
                }
                self.second.errors += 1;
            }
        }
        if let Some(wrong) = wrong.filter(|_| !is_exempt) {
            self.wrong(wrong, || format!("{reason}, message {}", token.number));
        }
        if let Some(question) = question {
            let asking = &mut self.flows[question];
            asking.in_flight = asking.in_flight.saturating_sub(1);
            asking.quota = asking.quota.map(|quota| quota + 1);
            self.agenda
                .add(self.shared.control.now() + wait, DelayedTask::Ask(question));
        }
    }
}

fn lossy(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload).into_owned()
}
