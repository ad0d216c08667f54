//! The sockets of a process, with the frames that wait in both directions.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use protocol::limits::SLOW_CONSUMER_MS;
use protocol::t2b::{decode, encode};
use protocol::{CloseCode, Outbound, OutboundKind};
use router_core::ConnKey;
use router_core::effect::Outcome;
use router_core::session::{OpenedConnection, ReceivedMessage, Session, SessionInput};
use router_core::shard::ShardInput;

use super::SimMachine;
use super::machine_socket::MachineSocket;
use crate::agenda::{AgendaEvent, PeerManner};
use crate::checks::HeardFrame;
use crate::outside::OutsideWorld;
use crate::said::SaidRecord;

impl SimMachine {
    pub(super) fn open(
        &mut self,
        outside: &mut OutsideWorld,
        key: ConnKey,
        peer: usize,
        opened: OpenedConnection,
        manner: PeerManner,
    ) {
        let (settings, nodes) = (Arc::clone(&self.settings), Arc::clone(&self.nodes));
        let env = self.env(outside, &settings, &nodes);
        let session = Session::new(key, &env);
        let id = *session.id();
        outside
            .observer
            .opened(key, peer, self.process, &id, outside.now_ms);
        let socket = MachineSocket {
            session,
            peer,
            manner,
            inbox: VecDeque::new(),
            queue: VecDeque::new(),
            reading: false,
            full_since_ms: None,
            wants_room: false,
            closed: None,
        };
        self.sockets.insert(key, socket);
        self.session(outside, key, SessionInput::Opened(opened));
    }

    pub(super) fn text(
        &mut self,
        outside: &mut OutsideWorld,
        key: ConnKey,
        text: Bytes,
        said: SaidRecord,
    ) {
        if let Some(socket) = self.sockets.get_mut(&key) {
            socket.inbox.push_back((text, said));
            self.next_frame(outside, key);
        }
    }

    /// Hands the session its next frame, unless its credential is being checked.
    pub(super) fn next_frame(&mut self, outside: &mut OutsideWorld, key: ConnKey) {
        let Some(socket) = self.sockets.get_mut(&key) else {
            return;
        };
        if socket.closed.is_some() || socket.session.is_waiting() {
            return;
        }
        if let Some((text, said)) = socket.inbox.pop_front() {
            outside.observer.said(key, &said, outside.now_ms);
            let received = ReceivedMessage {
                bytes: text.len(),
                frame: decode(&text),
            };
            self.session(outside, key, SessionInput::Received(received));
        }
    }

    pub(super) fn gone(&mut self, outside: &mut OutsideWorld, key: ConnKey) {
        outside.observer.closed(key, outside.now_ms, "by its peer");
        self.session(outside, key, SessionInput::Gone);
        self.sockets.remove(&key);
    }

    pub(super) fn close(&mut self, outside: &mut OutsideWorld, key: ConnKey, close: CloseCode) {
        let Some(socket) = self.sockets.get_mut(&key) else {
            return;
        };
        if socket.closed.is_none() {
            socket.closed = Some(close);
            outside.observer.closed(key, outside.now_ms, close.reason());
            self.read_soon(outside, key);
            self.words.push_back((key, Box::new(SessionInput::Gone)));
        }
    }

    pub(super) fn wake_sessions(&mut self, outside: &mut OutsideWorld) {
        let now_ms = self.clock(outside);
        let heartbeat_ms = self.settings.heartbeat_ms;
        let sockets = self.sockets.iter();
        let due = sockets.filter(|(_, socket)| {
            let wakeup = socket.next_wakeup(heartbeat_ms);
            wakeup.is_some_and(|due| due <= now_ms)
        });
        for key in due.map(|(key, _)| *key).collect::<Vec<_>>() {
            let full_ms = self.sockets[&key].full_since_ms;
            if full_ms.is_some_and(|at_ms| at_ms + SLOW_CONSUMER_MS <= now_ms) {
                self.close(outside, key, CloseCode::SlowConsumer);
            } else {
                self.session(outside, key, SessionInput::Wake);
            }
        }
    }

    /// Puts a frame into a queue. Answers are always taken, as the shell keeps room for them.
    pub(super) fn push(
        &mut self,
        outside: &mut OutsideWorld,
        key: ConnKey,
        outbound: Outbound,
    ) -> Outcome {
        let now_ms = self.clock(outside);
        let Some(socket) = self.sockets.get_mut(&key) else {
            return Outcome::Gone;
        };
        if socket.closed.is_some() {
            return Outcome::Gone;
        }
        let kind = outbound.kind();
        let is_answer = matches!(
            kind,
            OutboundKind::Answer | OutboundKind::Refusal | OutboundKind::Pong
        );
        if !is_answer && socket.queue.len() >= socket.manner.capacity {
            if matches!(kind, OutboundKind::Message | OutboundKind::Presence) {
                socket.full_since_ms.get_or_insert(now_ms);
                socket.wants_room = true;
            }
            return Outcome::Full;
        }
        let text = encode::outbound(outbound, now_ms);
        let heard = HeardFrame::parse(&text);
        outside.observer.pushed(key, &heard, outside.now_ms);
        socket.queue.push_back(heard);
        let tenant = outside.observer.tenant_of[socket.peer];
        let machine = self.process.machine;
        outside.observer.use_1_pushed(machine, tenant, kind);
        self.read_soon(outside, key);
        Outcome::Queued { bytes: text.len() }
    }

    /// Tells the tenant that its socket has room, after a read.
    pub fn tell_room(&mut self, outside: &mut OutsideWorld, key: ConnKey) {
        let socket = self.sockets.get_mut(&key);
        let Some(socket) = socket.filter(|socket| socket.wants_room) else {
            return;
        };
        if let Some((tenant, _)) = socket.session.member() {
            let tenant = tenant.clone();
            socket.wants_room = false;
            let at = self.shard_of(&tenant);
            self.shard(outside, at, ShardInput::Room { tenant, conn: key });
        }
    }

    fn read_soon(&mut self, outside: &mut OutsideWorld, key: ConnKey) {
        let Some(socket) = self.sockets.get_mut(&key) else {
            return;
        };
        if !std::mem::replace(&mut socket.reading, true) {
            let after_ms = socket.manner.reads_after_ms;
            outside.later(after_ms, AgendaEvent::Read(self.process, key));
        }
    }

    /// The peer reads all there is; and whether the socket is closed behind it.
    pub fn read(&mut self, key: ConnKey) -> Option<(usize, Vec<HeardFrame>, bool)> {
        let socket = self.sockets.get_mut(&key)?;
        socket.reading = false;
        socket.full_since_ms = None;
        let frames = socket.queue.drain(..).collect();
        let (peer, closed) = (socket.peer, socket.closed.is_some());
        if closed {
            self.sockets.remove(&key);
        }
        Some((peer, frames, closed))
    }
}
