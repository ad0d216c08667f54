//! What surrounds the processes: time, randomness, the network, Redis and the checks.

use bytes::Bytes;
use protocol::lane::LaneKeys;
use protocol::{BootId, TenantId};
use router_core::auth::Keyring;
use router_core::effect::Ticket;
use router_core::store::nodes::{NodeQuery, NodeReply};
use router_core::store::{
    self, DirectoryQuery, StoreFailure, StoreQuery, StoreRequest, UsageRecord,
};
use router_core::{ConnKey, Millis};

use crate::agenda::{
    AgendaEvent, EventAgenda, LanePublish, MachineProcess, ProcessArrival, StoreQuestion,
};
use crate::checks::RunObserver;
use crate::dice::SeededDice;
use crate::faults::{ActiveFaults, StoreAnswer};
use crate::redis::Redis;

/// All that is outside of the processes.
pub struct OutsideWorld {
    /// True time, Unix milliseconds. Processes have clocks of their own.
    pub now_ms: Millis,
    pub dice: SeededDice,
    pub agenda: EventAgenda,
    pub faults: ActiveFaults,
    pub redis: Redis,
    /// What each machine's stalled subscription has in its buffer.
    pub stalled: Vec<Vec<AgendaEvent>>,
    pub observer: RunObserver,
    pub keyring: Keyring,
    pub lane_keys: LaneKeys,
    pub conns: u64,
}

impl OutsideWorld {
    pub fn later(&mut self, ms: Millis, event: AgendaEvent) {
        self.agenda.add(self.now_ms + ms, event);
    }

    /// A key for a new socket, unlike any other of any machine.
    pub(crate) fn new_conn(&mut self) -> ConnKey {
        self.conns += 1;
        ConnKey(self.conns)
    }

    /// A process asks the store for a tenant.
    pub fn ask(&mut self, from: MachineProcess, ticket: Ticket, request: StoreRequest) {
        let now_ms = self.now_ms;
        let (machine, tenant) = (from.machine, &ticket.tenant);
        let name = request.query.name();
        let journey = self.faults.journey(&mut self.dice, machine, now_ms);
        self.observer.trace(now_ms, || {
            format!("node {machine} asks {name} of {tenant}, {journey:?}")
        });
        let (at_ms, answer) = journey.answer;
        let reply = match answer {
            StoreAnswer::True => None,
            StoreAnswer::Refused => Some(Err(StoreFailure::Refused(
                protocol::ErrorCode::StoreUnavailable,
            ))),
            StoreAnswer::Lost => Some(Err(StoreFailure::Lost)),
        };
        if let Some(executed_ms) = journey.executed_ms {
            let back_ms = reply.is_none().then_some(at_ms);
            let question = StoreQuestion::Tenant(ticket.clone(), request);
            self.agenda
                .add(executed_ms, AgendaEvent::Execute(from, question, back_ms));
        }
        if let Some(reply) = reply {
            let arrival = ProcessArrival::Replied(ticket, reply);
            self.agenda.add(at_ms, AgendaEvent::Arrive(from, arrival));
        }
    }

    /// A process books a record that one before has left.
    pub(crate) fn book(&mut self, from: MachineProcess, tenant: TenantId, record: UsageRecord) {
        let now_ms = self.now_ms;
        let journey = self.faults.journey(&mut self.dice, from.machine, now_ms);
        let (at_ms, answer) = journey.answer;
        let is_true = answer == StoreAnswer::True;
        if let Some(executed_ms) = journey.executed_ms {
            let question = StoreQuestion::Book(tenant, record);
            let back_ms = is_true.then_some(at_ms);
            self.agenda
                .add(executed_ms, AgendaEvent::Execute(from, question, back_ms));
        }
        if !is_true {
            let arrival = ProcessArrival::Booked(false);
            self.agenda.add(at_ms, AgendaEvent::Arrive(from, arrival));
        }
    }

    /// The node machine of a process asks the store.
    pub(crate) fn ask_node(&mut self, from: MachineProcess, ask: NodeQuery) {
        let now_ms = self.now_ms;
        let journey = self.faults.journey(&mut self.dice, from.machine, now_ms);
        let (at_ms, answer) = journey.answer;
        let is_true = answer == StoreAnswer::True;
        if let Some(executed_ms) = journey.executed_ms {
            let question = StoreQuestion::Node(ask.clone());
            let back_ms = is_true.then_some(at_ms);
            self.agenda
                .add(executed_ms, AgendaEvent::Execute(from, question, back_ms));
        }
        if !is_true {
            let arrival = ProcessArrival::NodeReplied(Box::new((ask, NodeReply::Unavailable)));
            self.agenda.add(at_ms, AgendaEvent::Arrive(from, arrival));
        }
    }

    /// A process publishes a packet; a lane is told how that ended.
    pub fn publish(
        &mut self,
        from: MachineProcess,
        to: BootId,
        packet: Bytes,
        what: Option<LanePublish>,
    ) {
        let journey = self
            .faults
            .journey(&mut self.dice, from.machine, self.now_ms);
        if let Some(executed_ms) = journey.executed_ms {
            self.agenda
                .add(executed_ms, AgendaEvent::Publish(to, packet));
        }
        if let Some(what) = what {
            let (at_ms, answer) = journey.answer;
            let result = if answer == StoreAnswer::True {
                Ok(())
            } else {
                Err(())
            };
            let arrival = ProcessArrival::Published(what, result);
            self.agenda.add(at_ms, AgendaEvent::Arrive(from, arrival));
        }
    }

    /// A process publishes a probe to itself.
    pub fn probe(&mut self, from: MachineProcess, number: u64) {
        let journey = self
            .faults
            .journey(&mut self.dice, from.machine, self.now_ms);
        if let Some(executed_ms) = journey.executed_ms
            && self.redis.links[from.machine]
        {
            self.push(from, executed_ms, || ProcessArrival::Probe(number));
        }
    }

    /// Redis pushes a packet to whoever listens.
    pub(crate) fn push_packet(&mut self, to: BootId, packet: &Bytes) {
        let Some(process) = self.redis.inbox(to) else {
            return;
        };
        self.push(process, self.now_ms, || {
            ProcessArrival::Packet(packet.clone())
        });
    }

    /// Redis pushes a directory's step to all who listen.
    pub(crate) fn push_event(&mut self, tenant: &TenantId, event: &store::DirectoryEvent) {
        for process in self.redis.listeners(tenant) {
            self.push(process, self.now_ms, || {
                ProcessArrival::Told(tenant.clone(), event.clone())
            });
        }
    }

    /// Something is pushed to a process, perhaps twice or never.
    fn push(&mut self, to: MachineProcess, now_ms: Millis, arrival: impl Fn() -> ProcessArrival) {
        for at_ms in self.faults.push(&mut self.dice, to.machine, now_ms) {
            let event = AgendaEvent::Arrive(to, arrival());
            match self.faults.machines[to.machine].stalled {
                true => self.stalled[to.machine].push(event),
                false => self.agenda.add(at_ms, event),
            }
        }
    }

    /// What lay in the buffer of a machine comes, in its order.
    pub fn flush(&mut self, machine: usize) {
        self.faults.machines[machine].stalled = false;
        for event in std::mem::take(&mut self.stalled[machine]) {
            self.later(1, event);
        }
    }

    /// Redis executes a question.
    pub fn execute(
        &mut self,
        from: MachineProcess,
        question: StoreQuestion,
        back_ms: Option<Millis>,
    ) {
        if self.faults.store_down_until_ms > self.now_ms {
            // It died with the store that had it in its buffers.
            if let Some(at_ms) = back_ms {
                let arrival = match question {
                    StoreQuestion::Tenant(ticket, _) => {
                        ProcessArrival::Replied(ticket, Err(StoreFailure::Lost))
                    }
                    StoreQuestion::Node(ask) => {
                        ProcessArrival::NodeReplied(Box::new((ask, NodeReply::Unavailable)))
                    }
                    StoreQuestion::Book(..) => ProcessArrival::Booked(false),
                };
                self.agenda.add(at_ms, AgendaEvent::Arrive(from, arrival));
            }
            return;
        }
        let arrival = match question {
            StoreQuestion::Tenant(ticket, request) => {
                let tenant = ticket.tenant.clone();
                let release = if let StoreQuery::Directory(asked) = &request.query
                    && let DirectoryQuery::Release(release) = &asked.query
                {
                    Some(release.clone())
                } else {
                    None
                };
                let (reply, event) = self.redis.execute(from, request, self.now_ms);
                self.observer.trace(self.now_ms, || {
                    let machine = from.machine;
                    format!("store, for node {machine}: {reply:?}; {event:?}")
                });
                if let Some(event) = event {
                    if let Some(release) = release {
                        self.observer.home_1_released(&release, &event);
                    }
                    self.push_event(&tenant, &event);
                }
                ProcessArrival::Replied(ticket, reply)
            }
            StoreQuestion::Node(ask) => {
                let reply = self.redis.nodes.execute(self.now_ms, &ask);
                ProcessArrival::NodeReplied(Box::new((ask, reply)))
            }
            StoreQuestion::Book(tenant, record) => {
                let is_booked = self.redis.book(&tenant, record, self.now_ms);
                ProcessArrival::Booked(is_booked)
            }
        };
        if let Some(at_ms) = back_ms {
            self.agenda
                .add(at_ms.max(self.now_ms), AgendaEvent::Arrive(from, arrival));
        }
    }
}
