//! The loop of a thread: run what is due, write, wait, read.

use std::io::ErrorKind;

use anyhow::Result;
use mio::{Events, Token};

use super::control::RunPhase;
use super::schedule::SendSchedule;
use super::timer::DelayedTask;
use super::virtual_user::SocketState;
use super::worker::{ALARM, LoadWorker};
use crate::measure::ThreadTally;

/// Events of one turn.
const EVENTS: usize = 1024;
/// Longest wait: a change of phase that another thread makes is seen after this, ns.
const WAIT_MAX: u64 = 5_000_000;
/// Longest wait for the peers' close frames, ns.
const CLOSE_WAIT: u64 = 2_000_000_000;

impl LoadWorker {
    /// Runs to the end and returns what was counted.
    pub fn run(mut self) -> Result<ThreadTally> {
        let mut events = Events::with_capacity(EVENTS);
        while self.phase != RunPhase::Close {
            let now = self.now();
            self.on_phase(now)?;
            self.on_second(now)?;
            self.do_what_is_due(now);
            self.dial_next(now);
            self.flush();
            self.wait(&mut events)?;
            self.serve(&events);
        }
        self.close(&mut events)?;
        Ok(self.tally)
    }

    fn do_what_is_due(&mut self, now: u64) {
        while let Some(later) = self.agenda.take(now) {
            match later {
                DelayedTask::Dial(user) => self.to_dial.push_back(user),
                DelayedTask::GiveUp(user, dialed_at) => self.give_up(user, dialed_at),
                DelayedTask::Ask(flow) => self.ask(flow, now),
            }
        }
        if matches!(self.phase, RunPhase::Setup | RunPhase::Close) {
            return;
        }
        // In the drain, what was due before it and that a late turn has not sent yet.
        let until = self.shared.control.window().1;
        for index in 0..self.paced.len() {
            let now = self.now();
            // Not more than so many in one turn: sockets have to be served too.
            for _ in 0..EVENTS {
                let paced = &mut self.paced[index];
                let Some(schedule) = &mut paced.schedule else {
                    break;
                };
                let Some((at, slot)) = schedule.take(now.min(until - 1)) else {
                    break;
                };
                if paced.share.load.schedules_visits() {
                    self.begin_visit(at);
                } else {
                    let flow = paced.flows[slot];
                    self.send_scheduled(flow, at);
                }
            }
        }
    }

    /// When the next scheduled message is due; none if that is after the measurement.
    pub(super) fn next_due(&self) -> Option<u64> {
        let until = self.shared.control.window().1;
        let schedules = self.paced.iter().filter_map(|it| it.schedule.as_ref());
        schedules
            .map(SendSchedule::next_at)
            .filter(|at| *at < until)
            .min()
    }

    fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for index in dirty.drain(..) {
            self.users[index].is_dirty = false;
            if let Err(error) = self.users[index].flush() {
                self.lost(index, error.kind().to_string());
            }
        }
        // What a loss made dirty meanwhile is kept; mostly there is none, and the buffer is.
        dirty.append(&mut self.dirty);
        self.dirty = dirty;
    }

    fn wait(&mut self, events: &mut Events) -> Result<()> {
        let now = self.now();
        let due = self.next_due();
        let change = self.shared.control.next_change(now);
        let times = [due, self.agenda.next_at(), Some(change)];
        let at = times.into_iter().flatten().min().unwrap_or(u64::MAX);
        let at = at.min(now + WAIT_MAX);
        let timeout = if at > now && self.dirty.is_empty() {
            self.alarm.set(at, now)?;
            None
        } else {
            Some(std::time::Duration::ZERO)
        };
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            polled => Ok(polled?),
        }
    }

    fn serve(&mut self, events: &Events) {
        for event in events {
            let Token(index) = event.token();
            if event.token() == ALARM {
                continue;
            }
            if self.users[index].state == SocketState::Connecting && !self.begin_upgrade(index) {
                continue;
            }
            if event.is_writable()
                && !self.users[index].outbox.is_empty()
                && let Err(error) = self.users[index].flush()
            {
                self.lost(index, error.kind().to_string());
            }
            if event.is_readable() || event.is_read_closed() {
                self.read(index, event.is_read_closed());
            }
        }
    }

    /// Counts what never came, says goodbye, and waits a little for the others to.
    fn close(&mut self, events: &mut Events) -> Result<()> {
        self.count_absent();
        for index in 0..self.users.len() {
            match self.users[index].state {
                SocketState::Ready if !self.users[index].reads_nothing => self.leave(index),
                SocketState::Leaving => {}
                SocketState::Away
                | SocketState::Connecting
                | SocketState::Upgrading
                | SocketState::Greeting
                | SocketState::Registering(_)
                | SocketState::Ready => self.users[index].drop_connection(),
            }
        }
        let deadline = self.now() + CLOSE_WAIT;
        while self.users.iter().any(|it| it.stream.is_some()) && self.now() < deadline {
            self.flush();
            self.wait(events)?;
            self.serve(events);
        }
        Ok(())
    }
}
