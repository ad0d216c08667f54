//! What asks the store: one worker for each queue of each shard.

use std::sync::Arc;
use std::time::Instant;

use futures_util::{StreamExt, stream};
use router_core::shard::ShardInput;
use router_core::store::StoreRequest;
use tokio::sync::mpsc;

use super::core::Node;
use super::store_queue::StoreWork;
use super::work::DeferredWork;

/// Requests of one queue of a shard that the store has at once.
const UNDER_WAY_MAX: usize = 64;

impl Node {
    /// Executes the requests of one queue of a shard, and hands the answers to the shard.
    pub(crate) async fn answer(self: Arc<Self>, work: StoreWork) {
        let execute = |request: StoreRequest| {
            let node = Arc::clone(&self);
            async move {
                let (ask, since) = (request.query.name(), Instant::now());
                let reply = node.backplane.execute(request).await;
                node.metrics.latency.store(ask, since.elapsed());
                reply
            }
        };
        in_order(work.requests, execute, |ticket, reply| {
            let input = ShardInput::Reply { ticket, reply };
            let mut done = DeferredWork::default();
            self.in_shard(&self.env(&self.snapshot()), work.shard, input, &mut done);
            self.finish(&mut done);
        })
        .await;
    }
}

/// Executes many requests at once, begun in their order, and hands over the answers in that order.
async fn in_order<K, R, F: Future>(
    requests: mpsc::Receiver<(K, R)>,
    execute: impl Fn(R) -> F,
    mut answered: impl FnMut(K, F::Output),
) {
    let requests = stream::unfold(requests, |mut requests| async {
        let request = requests.recv().await?;
        Some((request, requests))
    });
    let replies = requests.map(|(key, request)| {
        let reply = execute(request);
        async move { (key, reply.await) }
    });
    let mut replies = std::pin::pin!(replies.buffered(UNDER_WAY_MAX));
    while let Some((key, reply)) = replies.next().await {
        answered(key, reply);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::node::store_queue::channels;

    #[tokio::test]
    async fn a_queue_that_stands_still_and_is_full_leaves_the_others_alone() {
        let (senders, [slow, quick]) = channels::<_, 2>(3);
        let stuck = in_order(slow, |()| pending::<()>(), |_, ()| {});
        let stuck = tokio::spawn(stuck);
        let mut refused = 0;
        for number in 0..2 * UNDER_WAY_MAX {
            refused += usize::from(senders.push(0, (number, ())).is_err());
            tokio::task::yield_now().await;
        }
        assert!(refused > 0, "the first queue is full");
        for number in 0..3 {
            assert_eq!(senders.push(1, (number, ())), Ok(()));
        }
        assert_eq!([senders.waiting(0), senders.waiting(1)], [3, 3]);
        stuck.abort();
        drop(senders);
        let mut answered = Vec::new();
        in_order(quick, ready, |number, ()| answered.push(number)).await;
        assert_eq!(answered, [0, 1, 2]);
    }

    #[tokio::test]
    async fn answers_keep_the_order_of_the_requests() {
        let (senders, [requests]) = channels::<_, 1>(3);
        // The first waits longest.
        for (number, rounds) in [(0, 2), (1, 1), (2, 0)] {
            assert_eq!(senders.push(0, (number, rounds)), Ok(()));
        }
        drop(senders);
        let execute = |rounds| async move {
            for _ in 0..rounds {
                tokio::task::yield_now().await;
            }
        };
        let mut answered = Vec::new();
        in_order(requests, execute, |number, ()| answered.push(number)).await;
        assert_eq!(answered, [0, 1, 2]);
    }
}
