//! The faults of a moment: how long each lasts, and what it does to a store request or a push.

use router_core::Millis;

use crate::dice::SeededDice;

/// After this a process takes a question for unanswered, milliseconds.
pub const TIMEOUT_MS: Millis = 1000;

/// What may go wrong.
#[derive(Debug, Clone, Copy)]
pub enum TroubleKind {
    Loss,
    Double,
    Reorder,
    Flaky,
    CutOut,
    CutIn,
    Muted,
    /// Only in profiles.
    Stall,
    Link,
    Clog,
    StoreDown,
    StoreSlow,
    Failover,
    Empty,
    Crash,
    /// One machine dies; who saw that dies when it is evicted. Only in profiles.
    WitnessCrash,
    Pause,
    Revoke,
    Suspend,
}

/// Something that goes wrong. The number is whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Pushes get lost: so many in a thousand.
    Loss(u64),
    /// Pushes come twice: so many in a thousand.
    Double(u64),
    /// Pushes come late, so that others overtake them: so many in a thousand.
    Reorder(u64),
    /// Questions get lost, or their answers: so many in a thousand.
    Flaky(u64),
    /// A machine's questions do not reach the store.
    CutOut(usize),
    /// Answers do not reach a machine.
    CutIn(usize),
    /// Pushes do not reach a machine, and nothing says so.
    Muted(usize),
    /// Pushes to a machine lie in a buffer, and come all at once in the end.
    Stall(usize),
    /// A machine's subscription drops.
    Link(usize),
    /// Everything of a machine takes this much longer, milliseconds.
    Clog(usize, Millis),
    /// The store does not answer.
    StoreDown,
    /// The store takes this much longer, milliseconds.
    StoreSlow(Millis),
    /// The store is replaced by its replica.
    Failover,
    /// The store starts empty; the subscriptions drop or stay.
    Empty(bool),
    /// A process dies; mended = it starts anew.
    Crash(usize),
    /// A process stands still.
    Pause(usize),
    /// An operator revokes the keys of a tenant.
    Revoke(usize),
    /// An operator suspends a tenant; mended = it is resumed.
    Suspend(usize),
}

/// The faults of this moment.
#[derive(Debug, Clone)]
pub struct ActiveFaults {
    pub loss: u64,
    pub double: u64,
    pub reorder: u64,
    pub flaky: u64,
    pub store_slow_ms: Millis,
    /// Whether what a closed way takes always comes late, and is never lost.
    pub buffers: bool,
    /// How much later answers come than pushes, at most. No fault: it outlasts all of them.
    pub answers_late_ms: Millis,
    pub store_down_until_ms: Millis,
    pub machines: Vec<MachineLinks>,
}

/// The faults of one machine's links. Times: until when.
#[derive(Debug, Clone, Copy, Default)]
pub struct MachineLinks {
    pub cut_out_ms: Millis,
    pub cut_in_ms: Millis,
    pub muted_ms: Millis,
    pub clog_ms: Millis,
    pub stalled: bool,
    /// When the last question is executed, and the last answer is there: both in order.
    pub executed_ms: Millis,
    pub answered_ms: Millis,
}

/// What becomes of a question.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QuestionFate {
    /// When it is executed, if it is.
    pub executed_ms: Option<Millis>,
    /// When the answer is there, and what it is.
    pub answer: (Millis, StoreAnswer),
}

/// What a process hears of its question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreAnswer {
    /// The answer.
    True,
    /// It was not executed.
    Refused,
    /// Nothing.
    Lost,
}

impl ActiveFaults {
    /// None, for so many machines.
    pub fn none(machines: usize) -> Self {
        Self {
            loss: 0,
            double: 0,
            reorder: 0,
            flaky: 0,
            store_slow_ms: 0,
            buffers: false,
            answers_late_ms: 0,
            store_down_until_ms: 0,
            machines: vec![MachineLinks::default(); machines],
        }
    }

    /// Ends all.
    pub fn heal(&mut self) {
        let machines = self.machines.iter().map(|links| MachineLinks {
            executed_ms: links.executed_ms,
            answered_ms: links.answered_ms,
            ..MachineLinks::default()
        });
        *self = Self {
            buffers: self.buffers,
            answers_late_ms: self.answers_late_ms,
            machines: machines.collect(),
            ..Self::none(0)
        };
    }

    /// Whether something keeps a machine from store or pushes now.
    pub fn troubles(&self, machine: usize, now_ms: Millis) -> bool {
        let links = &self.machines[machine];
        let until = [
            self.store_down_until_ms,
            links.cut_out_ms,
            links.cut_in_ms,
            links.muted_ms,
        ];
        let slow_ms = self.store_slow_ms + self.answers_late_ms + links.clog_ms;
        let rates = self.loss + self.flaky + self.reorder + slow_ms;
        until.iter().any(|at_ms| *at_ms > now_ms) || rates > 0 || links.stalled
    }

    /// What becomes of a machine's question that is asked now.
    pub(crate) fn journey(
        &mut self,
        dice: &mut SeededDice,
        machine: usize,
        now_ms: Millis,
    ) -> QuestionFate {
        let slow_ms = self.store_slow_ms;
        let flaky = dice.permille(self.flaky);
        let links = &mut self.machines[machine];
        let way = |dice: &mut SeededDice| dice.between(1, 8) + links.clog_ms;
        let timeout_ms = now_ms + TIMEOUT_MS;
        let closed_ms = links.cut_out_ms.max(self.store_down_until_ms);
        if closed_ms > now_ms || (flaky && dice.permille(400)) {
            // It may lie in a buffer until the way is free: long after nobody waits any more.
            let late_ms = closed_ms.max(now_ms + 1) + way(dice) + dice.below(1500);
            let fate = if self.buffers { 4 } else { dice.below(5) };
            return match fate {
                0 | 1 => QuestionFate {
                    executed_ms: None,
                    answer: (now_ms + dice.between(1, 50), StoreAnswer::Refused),
                },
                2 | 3 => QuestionFate {
                    executed_ms: None,
                    answer: (timeout_ms, StoreAnswer::Lost),
                },
                _ => QuestionFate {
                    executed_ms: Some(late_ms),
                    answer: (timeout_ms, StoreAnswer::Lost),
                },
            };
        }
        let executed_ms = links.executed_ms.max(now_ms + way(dice) + slow_ms);
        links.executed_ms = executed_ms;
        let late_ms = match self.answers_late_ms {
            0 => 0,
            most_ms => dice.below(most_ms),
        };
        let answered_ms = links.answered_ms.max(executed_ms + way(dice) + late_ms);
        let lost = flaky || links.cut_in_ms > answered_ms || answered_ms > timeout_ms;
        let answer = match lost {
            true => (timeout_ms, StoreAnswer::Lost),
            false => {
                links.answered_ms = answered_ms;
                (answered_ms, StoreAnswer::True)
            }
        };
        QuestionFate {
            executed_ms: Some(executed_ms),
            answer,
        }
    }

    /// When copies of something that is pushed now reach a machine.
    pub fn push(&mut self, dice: &mut SeededDice, machine: usize, now_ms: Millis) -> Vec<Millis> {
        let links = &self.machines[machine];
        let copies = 1 + u64::from(dice.permille(self.double));
        let mut arrivals = Vec::new();
        for _ in 0..copies {
            let late_ms = match dice.permille(self.reorder) {
                true => dice.between(5, 400),
                false => 0,
            };
            let at_ms = now_ms + 2 + links.clog_ms + late_ms;
            if at_ms >= links.muted_ms && !dice.permille(self.loss) {
                arrivals.push(at_ms);
            }
        }
        arrivals
    }
}
