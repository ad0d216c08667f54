//! The ranges of the values of a scenario.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use super::load_scenario::LoadScenario;

/// Largest frame that a gateway takes by default, bytes.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Flows are numbered with seven digits, and no machine has more sockets.
const SOCKETS_MAX: usize = 2_000_000;
/// Rows of the timeline are kept for each second.
const DURATION_MAX_S: f64 = 24.0 * 3600.0;

impl LoadScenario {
    /// Errors: a value is out of range.
    pub(super) fn check(&self) -> Result<()> {
        let sockets = self.sockets();
        ensure!(
            sockets > 0,
            "a scenario needs a load: a table like [pingpong] that opens a socket"
        );
        ensure!(sockets <= SOCKETS_MAX, "at most {SOCKETS_MAX} sockets");
        ensure!((1..=256).contains(&self.threads), "threads: 1 to 256");
        ensure!(self.connect_at_once >= 1, "connect_at_once: at least 1");
        ensure!(
            self.message_bytes <= MESSAGE_BYTES_MAX,
            "message_bytes: at most {MESSAGE_BYTES_MAX}"
        );
        let seconds = self.duration.as_secs_f64();
        ensure!(
            seconds > 0.0 && seconds <= DURATION_MAX_S,
            "duration: more than 0, at most 24h"
        );
        let unique: BTreeSet<_> = self.source_addresses.iter().collect();
        ensure!(
            unique.len() == self.source_addresses.len(),
            "source_addresses: one is given twice"
        );
        self.check_rates()?;
        self.check_kinds()
    }

    fn check_rates(&self) -> Result<()> {
        let rates = [
            ("open", self.open.as_ref().map(|it| it.rate)),
            ("fanout", self.fanout.as_ref().map(|it| it.rate)),
            ("churn", self.churn.as_ref().map(|it| it.rate)),
            ("slow", self.slow.as_ref().map(|it| it.rate)),
            ("slow", self.slow.as_ref().map(|it| it.stalled_rate)),
            ("partials", self.partials.as_ref().map(|it| it.rate)),
            ("typing", self.typing.as_ref().map(|it| it.rate)),
        ];
        for (table, rate) in rates {
            ensure!(
                rate.is_none_or(|rate| rate > 0.0 && rate <= 1e8),
                "{table}: a rate is more than 0 and at most 1e8"
            );
        }
        Ok(())
    }

    fn check_kinds(&self) -> Result<()> {
        if let Some(it) = &self.pingpong {
            ensure!(
                (1..=10_000).contains(&it.window),
                "pingpong.window: 1 to 10000"
            );
        }
        if let Some(it) = &self.fanout {
            ensure!(
                it.bots >= 1 && it.clients >= 1 && it.devices >= 1,
                "fanout: at least one bot, client and device"
            );
        }
        if let Some(it) = &self.churn {
            ensure!(it.messages >= 1, "churn.messages: at least 1");
        }
        if let Some(it) = &self.slow {
            ensure!(
                it.pairs >= 2 && it.stalled > 0.0 && it.stalled < 1.0,
                "slow: at least two pairs, and stalled between 0 and 1"
            );
            ensure!(
                it.stalled_bytes <= MESSAGE_BYTES_MAX,
                "slow.stalled_bytes: at most {MESSAGE_BYTES_MAX}"
            );
        }
        if let Some(it) = &self.partials {
            ensure!(it.stream >= 2, "partials.stream: at least 2");
        }
        Ok(())
    }
}
