//! The changes of phase, and the end of each second.

use anyhow::Result;

use super::control::RunPhase;
use super::schedule::SendSchedule;
use super::shared::RateShare;
use super::worker::LoadWorker;
use crate::measure::SecondTally;
use crate::process;

const SECOND: u64 = 1_000_000_000;

impl LoadWorker {
    pub(super) fn on_phase(&mut self, now: u64) -> Result<()> {
        let mut phase = self.shared.control.phase(now);
        if phase == RunPhase::Drain && self.is_drained() {
            phase = RunPhase::Close;
        }
        let before = std::mem::replace(&mut self.phase, phase);
        if before == phase {
            return Ok(());
        }
        if before == RunPhase::Setup && phase != RunPhase::Close {
            self.begin_traffic(now)?;
        }
        if before < RunPhase::Measure && phase >= RunPhase::Measure {
            self.cpu_at_measure = (now, process::cpu_of_this_thread()?);
            if phase == RunPhase::Measure {
                self.begin_measurement(now);
            }
        }
        if before <= RunPhase::Measure && phase > RunPhase::Measure {
            let (since, cpu) = self.cpu_at_measure;
            let spent = process::cpu_of_this_thread()? - cpu;
            self.tally.busy = spent as f64 / now.saturating_sub(since).max(1) as f64;
        }
        Ok(())
    }

    fn begin_traffic(&mut self, now: u64) -> Result<()> {
        self.cpu_at_second = process::cpu_of_this_thread()?;
        let start = self.shared.control.began();
        for paced in &mut self.paced {
            let RateShare { load, rate, offset } = paced.share;
            let slots = match load.schedules_visits() {
                true => 1,
                false => paced.flows.len(),
            };
            paced.schedule = Some(SendSchedule::new(rate, slots, start, offset));
        }
        for group in 0..self.groups.len() {
            if self.groups[group].is_up() {
                self.ask_all(group, now);
            }
        }
        Ok(())
    }

    fn begin_measurement(&mut self, now: u64) {
        for user in &mut self.users {
            user.reads_nothing = user.plan.stalls;
        }
        self.begin_storm(now);
    }

    pub(super) fn on_second(&mut self, now: u64) -> Result<()> {
        let began = self.shared.control.began();
        if now < began || (now - began) / SECOND == self.second.index {
            return Ok(());
        }
        let next = SecondTally::new((now - began) / SECOND);
        let mut over = std::mem::replace(&mut self.second, next);
        let cpu = process::cpu_of_this_thread()?;
        over.cpu_ns = cpu - std::mem::replace(&mut self.cpu_at_second, cpu);
        over.connected = self.ready;
        // Whoever reads them may have gone, and then there is nobody to tell.
        let _ = self.seconds.send(over);
        Ok(())
    }
}
