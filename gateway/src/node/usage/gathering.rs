//! Takes the reports of the shards, for the journal and the metrics.

use std::sync::Arc;

use tokio::time::{MissedTickBehavior, interval};

use super::NodeUsage;
use crate::node::core::Node;
use crate::node::lock::lock;
use crate::usage::{JournalBuffer, JournalWriter};

impl Node {
    /// Gathers reports and writes the journal, for as long as the node lives.
    pub(crate) async fn keep_usage(self: Arc<Self>) {
        *lock(&self.usage.journal) = self.open_journal();
        // Beside each other: what is counted now is in danger too.
        tokio::join!(self.recover_usage(), self.keep_journal());
    }

    async fn keep_journal(&self) {
        let mut ticks = interval(self.usage.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.gather_usage();
            self.watch_hours();
            self.write_journal().await;
        }
    }

    fn open_journal(&self) -> Option<JournalWriter> {
        let folder = self.usage.folder.as_ref()?;
        let opened = JournalWriter::open(folder, self.view().own, &self.usage.cluster_name);
        opened
            .inspect_err(|error| {
                tracing::warn!(
                    folder = %folder.display(), %error,
                    "usage has no journal: a killed node loses what it has not booked; name a directory that can be written by state_dir"
                );
            })
            .ok()
    }

    /// For how long the oldest amount waits that is not booked, seconds.
    pub(crate) fn unflushed_seconds(&self) -> f64 {
        let cells = self.shards.cells().iter();
        let since = cells.filter_map(|cell| cell.lock().shard.unbooked_since());
        let waits_ms = since.min().map_or(0, |ms| self.now_ms().saturating_sub(ms));
        waits_ms as f64 / 1000.0
    }

    /// The page of `/metrics/tenants`; `None`: it is off.
    pub(crate) fn render_tenants(&self) -> Option<String> {
        if lock(&self.usage.series).is_off() {
            return None;
        }
        self.gather_usage();
        Some(lock(&self.usage.series).render())
    }

    /// Gathers what the tenants counted since the last time.
    pub(crate) fn gather_usage(&self) {
        let NodeUsage { buffer, series, .. } = &self.usage;
        let view = self.view();
        for cell in self.shards.cells() {
            let env = self.env(&view);
            let mut state = cell.lock();
            // In this order everywhere: the shard, then these two.
            let (mut buffer, mut series) = (lock(buffer), lock(series));
            state.shard.report_usage(&env, |report| {
                series.add(&report);
                buffer.add(report);
            });
        }
    }

    /// Writes what was gathered. When the file has grown, it begins anew with what all tenants have.
    pub(super) async fn write_journal(&self) {
        let Some(mut writer) = lock(&self.usage.journal).take() else {
            return;
        };
        let (own, unix_ms) = (self.view().own, self.unix_ms());
        let begins_anew = writer.is_long();
        let mut buffer = std::mem::take(&mut *lock(&self.usage.buffer));
        if begins_anew {
            buffer = self.all_usage();
        } else if buffer.is_empty() && self.connections.count() == 0 {
            *lock(&self.usage.journal) = Some(writer);
            return;
        }
        let written = tokio::task::spawn_blocking(move || {
            let written = match begins_anew {
                true => writer.begin_anew(own, unix_ms, &buffer),
                false => writer.append(own, unix_ms, &buffer),
            };
            (writer, written)
        });
        let Ok((writer, written)) = written.await else {
            return;
        };
        *lock(&self.usage.journal) = Some(writer);
        let Err(error) = written else { return };
        self.metrics.usage.journal_failed.increment(1);
        if self.usage_line.is_due(self.now_ms()) {
            tracing::warn!(%error, "the journal of usage cannot be written");
        }
    }

    /// What every tenant has that is not booked.
    fn all_usage(&self) -> JournalBuffer {
        let mut all = JournalBuffer::default();
        let view = self.view();
        for cell in self.shards.cells() {
            let env = self.env(&view);
            let mut state = cell.lock();
            let mut series = lock(&self.usage.series);
            state.shard.report_all_usage(&env, |report| {
                series.add(&report);
                all.add(report);
            });
        }
        all
    }
}
