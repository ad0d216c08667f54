//! Groups from their plan to their end; visits and the storm.

use super::control::RunPhase;
use super::group::{MessageFlow, SocketGroup};
use super::timer::DelayedTask;
use super::virtual_user::{SocketState, VirtualUser};
use super::worker::LoadWorker;
use crate::check::{DeliverySequence, WrongDelivery};
use crate::message::{MessageKind, MessageToken, OutgoingMessage};
use crate::plan::{FlowPlan, GroupPlan, GroupStay};
use crate::wire;

/// How long a leaving socket waits for the peer's close frame, ns.
const LEAVE_WAIT: u64 = 2_000_000_000;
/// Close code of one who is done.
const DONE: [u8; 2] = 1000_u16.to_be_bytes();

impl LoadWorker {
    pub(super) fn add(&mut self, plan: GroupPlan) {
        let (group, first_user) = (self.groups.len(), self.users.len());
        let first_flow = self.flows.len();
        for user in plan.users {
            match plan.stay {
                GroupStay::Always | GroupStay::Storm => self.to_dial.push_back(self.users.len()),
                GroupStay::Visit => {}
            }
            self.users.push(VirtualUser::new(user, group));
        }
        for flow in plan.flows {
            let flow = self.flow_of(flow, group, first_user, first_flow);
            self.flows.push(flow);
        }
        if plan.stay == GroupStay::Visit {
            self.free.push_back(group);
        }
        self.groups.push(SocketGroup {
            index: plan.index,
            tenant: plan.tenant,
            users: first_user..self.users.len(),
            flows: first_flow..self.flows.len(),
            stay: plan.stay,
            ready: 0,
            visit_since: None,
            dropped_at: None,
        });
    }

    fn flow_of(
        &self,
        plan: FlowPlan,
        group: usize,
        first_user: usize,
        first_flow: usize,
    ) -> MessageFlow {
        let sender = &self.users[first_user + plan.from].plan;
        let empty = OutgoingMessage {
            kind: plan.kind,
            to: &self.users[first_user + plan.to.start].plan.name,
            from: sender.is_bot.then_some(&sender.name),
            stream: plan.stream,
            token: MessageToken {
                flow: 0,
                number: 0,
                time: 0,
            },
            padding: &[],
        };
        let mut frame = Vec::new();
        empty.write(&mut frame);
        let padding = match plan.kind {
            MessageKind::Message | MessageKind::Partial => plan.bytes.saturating_sub(frame.len()),
            MessageKind::Typing => 0,
        };
        MessageFlow {
            group,
            from: first_user + plan.from,
            to: first_user + plan.to.start..first_user + plan.to.end,
            kind: plan.kind,
            pace: plan.pace,
            other: plan.other.map(|other| first_flow + other),
            stream: plan.stream,
            is_exempt: plan.is_exempt,
            padding,
            next: 0,
            in_flight: 0,
            quota: None,
            sequences: vec![DeliverySequence::default(); plan.to.len()],
        }
    }

    /// All sockets of a group are ready.
    pub(super) fn group_is_up(&mut self, group: usize) {
        let now = self.now();
        self.ask_all(group, now);
    }

    /// Begins, or begins anew, to ask.
    pub(super) fn ask_all(&mut self, group: usize, now: u64) {
        for flow in self.groups[group].flows.clone() {
            self.flows[flow].begin();
            self.ask(flow, now);
        }
    }

    /// All questions of a group are answered.
    pub(super) fn group_is_done(&mut self, group: usize) {
        let now = self.now();
        let it = &mut self.groups[group];
        match it.stay {
            GroupStay::Always => {}
            GroupStay::Storm => {
                if let Some(dropped_at) = it.dropped_at.take() {
                    self.tally.back.saturating_record(now - dropped_at);
                }
            }
            GroupStay::Visit => {
                if let Some(since) = it.visit_since.filter(|since| self.counts(*since)) {
                    self.tally
                        .visit
                        .saturating_record(now.saturating_sub(since));
                }
                for user in self.groups[group].users.clone() {
                    self.leave(user);
                }
            }
        }
    }

    /// Says goodbye on a socket.
    pub(super) fn leave(&mut self, index: usize) {
        if self.users[index].state != SocketState::Ready {
            return;
        }
        self.not_ready(index);
        self.users[index].state = SocketState::Leaving;
        self.push(index, wire::CLOSE, &DONE);
        let dialed_at = self.users[index].dialed_at;
        let at = self.now() + LEAVE_WAIT;
        self.agenda.add(at, DelayedTask::GiveUp(index, dialed_at));
    }

    /// A socket that said goodbye is closed.
    pub(super) fn has_left(&mut self, group: usize) {
        let it = &mut self.groups[group];
        let mut users = self.users[it.users.clone()].iter();
        if it.stay == GroupStay::Visit && users.all(|it| it.state == SocketState::Away) {
            it.visit_since = None;
            self.free.push_back(group);
        }
    }

    /// A visit is due: some group that is free begins one.
    pub(super) fn begin_visit(&mut self, at: u64) {
        let Some(group) = self.free.pop_front() else {
            if self.counts(at) {
                self.tally.unsent.add("too many visits at once");
            }
            return;
        };
        self.groups[group].visit_since = Some(at);
        self.to_dial.extend(self.groups[group].users.clone());
    }

    /// Drops everybody of a storm at once.
    pub(super) fn begin_storm(&mut self, now: u64) {
        for group in 0..self.groups.len() {
            if self.groups[group].stay != GroupStay::Storm {
                continue;
            }
            self.groups[group].dropped_at = Some(now);
            for index in self.groups[group].users.clone() {
                if self.users[index].state == SocketState::Ready {
                    self.not_ready(index);
                    self.users[index].drop_connection();
                    self.dial_later(index);
                }
            }
        }
    }

    /// Whether nothing is under way that somebody waits for.
    pub(super) fn is_drained(&self) -> bool {
        let waits = |it: &SocketGroup| it.visit_since.is_some() || it.dropped_at.is_some();
        self.next_due().is_none()
            && !self.groups.iter().any(waits)
            && self.flows.iter().all(MessageFlow::is_settled)
    }

    /// Counts what never came, and who never came back.
    pub(super) fn count_absent(&mut self) {
        debug_assert_eq!(self.phase, RunPhase::Close);
        let missing = self.groups.iter().filter(|it| it.dropped_at.is_some());
        self.tally.not_back = missing.count() as u64;
        let (users, tally) = (&self.users, &mut self.tally);
        for flow in self.flows.iter().filter(|flow| flow.is_reliable()) {
            for (receiver, sequence) in flow.to.clone().zip(&flow.sequences) {
                let absent = sequence.absent(flow.next);
                tally.absent.lost += absent.lost;
                tally.absent.cut += absent.cut;
                if absent.lost > 0 {
                    tally.wrongs.add_many(WrongDelivery::Lost, absent.lost, || {
                        let name = &users[receiver].plan.name;
                        format!("{} of {} messages to {name}", absent.lost, flow.next)
                    });
                }
            }
        }
    }
}
