//! The way from a shard to the store: one bounded queue and one worker for each shard.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use router_core::effect::Ticket;
use router_core::shard::ShardInput;
use router_core::store::StoreRequest;
use tokio::sync::mpsc;

use super::{Node, Work};

/// Requests of one shard that wait for the store; full = `store_unavailable`.
const STORE_QUEUE: usize = 8192;
/// Requests of one shard that the store has at once.
const ASKED_AT_ONCE: usize = 64;

/// Takes the requests of one shard to its worker.
pub(super) type StoreSender = mpsc::Sender<(Ticket, StoreRequest)>;

/// The requests to the store of one shard, for its worker.
pub(crate) struct StoreQueue {
    shard: usize,
    requests: mpsc::Receiver<(Ticket, StoreRequest)>,
}

/// The queue of one shard: the end that its effects push into, and the end of its worker.
pub(super) fn queue(shard: usize) -> (StoreSender, StoreQueue) {
    let (sender, requests) = mpsc::channel(STORE_QUEUE);
    (sender, StoreQueue { shard, requests })
}

impl Node {
    /// Asks the store what a shard's tenants want to know: many questions at once, in their order,
    /// and the answers in that order too.
    pub(crate) async fn answer(self: Arc<Self>, queue: StoreQueue) {
        let requests = stream::unfold(queue.requests, |mut requests| async {
            let asked = requests.recv().await?;
            Some((asked, requests))
        });
        let replies = requests.map(|(ticket, request)| {
            let node = Arc::clone(&self);
            async move { (ticket, node.backplane.execute(request).await) }
        });
        let mut replies = std::pin::pin!(replies.buffered(ASKED_AT_ONCE));
        while let Some((ticket, reply)) = replies.next().await {
            let mut work = Work::default();
            let input = ShardInput::Reply { ticket, reply };
            self.in_shard(&self.env(&self.view()), queue.shard, input, &mut work);
            self.finish(&mut work);
        }
    }
}
