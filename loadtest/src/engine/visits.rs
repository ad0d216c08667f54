//! Groups: made from their plans, up, done, gone; visits and the storm.

use super::group::{Flow, Group};
use super::party::{Party, State};
use super::timer::Later;
use super::{Phase, Worker};
use crate::check::{Sequence, Wrong};
use crate::message::{Kind, Outgoing, Token};
use crate::plan::{FlowPlan, GroupPlan, Stay};
use crate::wire;

/// How long a leaving socket waits for the peer's close frame, ns.
const LEAVE_WAIT: u64 = 2_000_000_000;
/// Close code of one who is done.
const DONE: [u8; 2] = 1000_u16.to_be_bytes();

impl Worker {
    pub(super) fn add(&mut self, plan: GroupPlan) {
        let (group, first_party) = (self.groups.len(), self.parties.len());
        let first_flow = self.flows.len();
        for party in plan.parties {
            match plan.stay {
                Stay::Always | Stay::Storm => self.to_dial.push_back(self.parties.len()),
                Stay::Visit => {}
            }
            self.parties.push(Party::new(party, group));
        }
        for flow in plan.flows {
            let flow = self.flow_of(flow, group, first_party, first_flow);
            self.flows.push(flow);
        }
        if plan.stay == Stay::Visit {
            self.free.push_back(group);
        }
        self.groups.push(Group {
            index: plan.index,
            tenant: plan.tenant,
            parties: first_party..self.parties.len(),
            flows: first_flow..self.flows.len(),
            stay: plan.stay,
            ready: 0,
            visit_since: None,
            dropped_at: None,
        });
    }

    fn flow_of(&self, plan: FlowPlan, group: usize, first_party: usize, first_flow: usize) -> Flow {
        let sender = &self.parties[first_party + plan.from].plan;
        let empty = Outgoing {
            kind: plan.kind,
            to: &self.parties[first_party + plan.to.start].plan.name,
            from: sender.is_bot.then_some(&sender.name),
            stream: plan.stream,
            token: Token {
                flow: 0,
                number: 0,
                time: 0,
            },
            padding: &[],
        };
        let mut frame = Vec::new();
        empty.write(&mut frame);
        let padding = match plan.kind {
            Kind::Message | Kind::Partial => plan.bytes.saturating_sub(frame.len()),
            Kind::Typing => 0,
        };
        Flow {
            group,
            from: first_party + plan.from,
            to: first_party + plan.to.start..first_party + plan.to.end,
            kind: plan.kind,
            pace: plan.pace,
            other: plan.other.map(|other| first_flow + other),
            stream: plan.stream,
            is_exempt: plan.is_exempt,
            padding,
            next: 0,
            in_flight: 0,
            quota: None,
            sequences: vec![Sequence::default(); plan.to.len()],
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
            Stay::Always => {}
            Stay::Storm => {
                if let Some(dropped_at) = it.dropped_at.take() {
                    self.tally.back.saturating_record(now - dropped_at);
                }
            }
            Stay::Visit => {
                if let Some(since) = it.visit_since.filter(|since| self.counts(*since)) {
                    self.tally
                        .visit
                        .saturating_record(now.saturating_sub(since));
                }
                for party in self.groups[group].parties.clone() {
                    self.leave(party);
                }
            }
        }
    }

    /// Says goodbye on a socket.
    pub(super) fn leave(&mut self, index: usize) {
        if self.parties[index].state != State::Ready {
            return;
        }
        self.not_ready(index);
        self.parties[index].state = State::Leaving;
        self.push(index, wire::CLOSE, &DONE);
        let dialed_at = self.parties[index].dialed_at;
        let at = self.now() + LEAVE_WAIT;
        self.agenda.add(at, Later::GiveUp(index, dialed_at));
    }

    /// A socket that said goodbye is closed.
    pub(super) fn has_left(&mut self, group: usize) {
        let it = &mut self.groups[group];
        let mut parties = self.parties[it.parties.clone()].iter();
        if it.stay == Stay::Visit && parties.all(|it| it.state == State::Away) {
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
        self.to_dial.extend(self.groups[group].parties.clone());
    }

    /// Drops everybody of a storm at once.
    pub(super) fn begin_storm(&mut self, now: u64) {
        for group in 0..self.groups.len() {
            if self.groups[group].stay != Stay::Storm {
                continue;
            }
            self.groups[group].dropped_at = Some(now);
            for index in self.groups[group].parties.clone() {
                if self.parties[index].state == State::Ready {
                    self.not_ready(index);
                    self.parties[index].drop_connection();
                    self.dial_later(index);
                }
            }
        }
    }

    /// Whether nothing is under way that somebody waits for.
    pub(super) fn is_drained(&self) -> bool {
        let waits = |it: &Group| it.visit_since.is_some() || it.dropped_at.is_some();
        self.next_due().is_none()
            && !self.groups.iter().any(waits)
            && self.flows.iter().all(Flow::is_settled)
    }

    /// Counts what never came, and who never came back.
    pub(super) fn count_absent(&mut self) {
        debug_assert_eq!(self.phase, Phase::Close);
        let missing = self.groups.iter().filter(|it| it.dropped_at.is_some());
        self.tally.not_back = missing.count() as u64;
        let (parties, tally) = (&self.parties, &mut self.tally);
        for flow in self.flows.iter().filter(|flow| flow.is_reliable()) {
            for (receiver, sequence) in flow.to.clone().zip(&flow.sequences) {
                let absent = sequence.absent(flow.next);
                tally.absent.lost += absent.lost;
                tally.absent.cut += absent.cut;
                if absent.lost > 0 {
                    tally.wrongs.add_many(Wrong::Lost, absent.lost, || {
                        let name = &parties[receiver].plan.name;
                        format!("{} of {} messages to {name}", absent.lost, flow.next)
                    });
                }
            }
        }
    }
}
