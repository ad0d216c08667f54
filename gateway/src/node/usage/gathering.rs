//! Takes the reports of the shards, for the journal and the metrics.

use std::io;
use std::path::Path;
use std::sync::Arc;

use router_core::Millis;
use tokio::time::{MissedTickBehavior, interval};

use super::NodeUsage;
use crate::node::core::Node;
use crate::node::lock::lock;
use crate::usage::{JournalBuffer, JournalWriter};

/// Between two tries, after the journal could not be begun or written. After a failed write, the next one has
/// what all tenants have, which takes time on a node of many.
const RETRY_MS: Millis = 1000;

impl Node {
    /// Gathers reports and writes the journal, for as long as the node lives.
    pub(crate) async fn keep_usage(self: Arc<Self>) {
        let is_begun = self.begin_journal();
        // Beside each other: what is counted now is in danger too.
        tokio::join!(self.recover_usage(), self.keep_journal(is_begun));
    }

    async fn keep_journal(&self, mut is_begun: bool) {
        let mut ticks = interval(self.usage.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next_ms = self.now_ms() + if is_begun { 0 } else { RETRY_MS };
        loop {
            ticks.tick().await;
            self.gather_usage();
            self.watch_hours();
            if self.now_ms() < next_ms {
                continue;
            }
            is_begun = is_begun || self.begin_journal();
            if !is_begun || !self.write_journal().await {
                next_ms = self.now_ms() + RETRY_MS;
            }
        }
    }

    /// Says whether the journal is begun, or there shall be none.
    fn begin_journal(&self) -> bool {
        let Some(folder) = &self.usage.folder else {
            return true;
        };
        match JournalWriter::open(folder, self.view().own, &self.usage.cluster_name) {
            Ok(journal) => *lock(&self.usage.journal) = Some(journal),
            Err(error) => {
                self.note_journal_failure(folder, &error);
                return false;
            }
        }
        true
    }

    fn note_journal_failure(&self, folder: &Path, error: &io::Error) {
        self.metrics.usage.journal_failed.increment(1);
        if self.usage_line.is_due(self.now_ms()) {
            tracing::warn!(
                folder = %folder.display(), %error,
                "the journal of usage cannot be written: a killed node loses what it has not booked; name a directory that can be written by state_dir"
            );
        }
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
        let NodeUsage {
            folder,
            buffer,
            series,
            ..
        } = &self.usage;
        let snapshot = self.snapshot();
        for cell in self.shards.cells() {
            let env = self.env(&snapshot);
            let mut state = cell.lock();
            // In this order everywhere: the shard, then these two.
            let (mut buffer, mut series) = (lock(buffer), lock(series));
            state.shard.report_usage(&env, |report| {
                series.add(&report);
                // Without a journal, nobody would ever empty it.
                if folder.is_some() {
                    buffer.add(report);
                }
            });
        }
    }

    /// Writes what was gathered. When the file has grown, is damaged or is gone, it begins anew with what all
    /// tenants have. Says whether nothing failed.
    pub(super) async fn write_journal(&self) -> bool {
        let folder = self.usage.folder.as_deref();
        let writer = lock(&self.usage.journal).take();
        let (Some(folder), Some(mut writer)) = (folder, writer) else {
            return true;
        };
        let (own, unix_ms) = (self.view().own, self.unix_ms());
        let begins_anew = writer.must_begin_anew();
        let mut buffer = std::mem::take(&mut *lock(&self.usage.buffer));
        if begins_anew {
            buffer = self.all_usage();
        }
        let is_idle = buffer.is_empty() && self.connections.count() == 0;
        let written = tokio::task::spawn_blocking(move || {
            let written = match (begins_anew, is_idle) {
                (true, _) => writer.begin_anew(own, unix_ms, &buffer),
                (false, false) => writer.append(own, unix_ms, &buffer),
                // It may have records that are not booked, and somebody may delete it now too.
                (false, true) => writer.check_place(),
            };
            (writer, written)
        });
        let Ok((writer, written)) = written.await else {
            return true;
        };
        *lock(&self.usage.journal) = Some(writer);
        let Err(error) = written else {
            return true;
        };
        self.note_journal_failure(folder, &error);
        false
    }

    /// What every tenant has that is not booked.
    fn all_usage(&self) -> JournalBuffer {
        let mut all = JournalBuffer::default();
        let snapshot = self.snapshot();
        for cell in self.shards.cells() {
            let env = self.env(&snapshot);
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
