//! Books what is left when the node ends.

use std::time::Duration;

use router_core::shard::ShardInput;
use tokio::time::{Instant, sleep};

use crate::node::core::Node;
use crate::node::lock::lock;
use crate::node::work::DeferredWork;
use crate::usage::JournalWriter;

/// Longest wait for the store; what it does not answer stays in the journal.
const WAIT: Duration = Duration::from_secs(2);
/// Between two looks at what is left.
const POLL: Duration = Duration::from_millis(10);

impl Node {
    /// Has all usage booked, once no connection is left. At most 2 s.
    pub(crate) async fn book_rest(&self) {
        let snapshot = self.snapshot();
        for index in 0..self.shards.cells().len() {
            let mut work = DeferredWork::default();
            self.in_shard(
                &self.env(&snapshot),
                index,
                ShardInput::FlushUsage,
                &mut work,
            );
            self.finish(&mut work);
        }
        let deadline = Instant::now() + WAIT;
        while self.has_unbooked() {
            if Instant::now() >= deadline {
                tracing::warn!(
                    "the store did not take all usage: the rest is booked from the journal when a node starts with this state directory"
                );
                self.gather_usage();
                self.write_journal().await;
                return;
            }
            sleep(POLL).await;
        }
        // While somebody writes it, it is not here: then it stays, and has nothing that is not booked.
        let journal = lock(&self.usage.journal).take();
        if let Some(Err(error)) = journal.map(JournalWriter::remove) {
            tracing::warn!(%error, "the journal of usage, which is booked, cannot be removed");
        }
    }

    fn has_unbooked(&self) -> bool {
        let mut cells = self.shards.cells().iter();
        cells.any(|cell| cell.lock().shard.has_unbooked())
    }
}
