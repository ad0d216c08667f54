//! The way from a shard to the store: for each queue of the store a bounded channel and a worker.
//!
//! ```text
//!  shard ─▶ StoreSenders ─┬─ directory ─▶ worker ─▶ Backplane::execute ─▶ shard
//!                         └─ (a later queue) ─▶ worker ─▶ …
//! ```
//!
//! Which feature takes which queue is [`StoreFeature::queue`](router_core::store::StoreFeature)'s to
//! say. A queue has its own bound and its own requests under way: one that is slow or full delays and
//! refuses nothing of the others.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use router_core::effect::Ticket;
use router_core::shard::ShardInput;
use router_core::store::{StoreQueue, StoreRequest};
use tokio::sync::mpsc;

use super::{Node, Work};

/// Requests of one shard that wait in one queue; full = `store_unavailable`.
const WAITING_MAX: usize = 8192;
/// Requests of one queue of a shard that the store has at once.
const UNDER_WAY_MAX: usize = 64;

/// Takes the requests of one shard to its workers.
pub(super) struct StoreSenders(QueueSenders<(Ticket, StoreRequest), { StoreQueue::ALL.len() }>);

/// The requests of one queue of one shard, for their worker.
pub(crate) struct StoreWork {
    shard: usize,
    requests: mpsc::Receiver<(Ticket, StoreRequest)>,
}

/// The sending ends of several queues, each with its own bound.
struct QueueSenders<T, const N: usize>([mpsc::Sender<T>; N]);

/// The queues of one shard: the end that its effects push into, and the ends of their workers.
pub(super) fn queues(shard: usize) -> (StoreSenders, Vec<StoreWork>) {
    let (senders, receivers) = channels(WAITING_MAX);
    let work = receivers.map(|requests| StoreWork { shard, requests });
    (StoreSenders(senders), Vec::from(work))
}

fn channels<T, const N: usize>(waiting_max: usize) -> (QueueSenders<T, N>, [mpsc::Receiver<T>; N]) {
    let mut receivers = Vec::with_capacity(N);
    let senders = std::array::from_fn(|_| {
        let (sender, receiver) = mpsc::channel(waiting_max);
        receivers.push(receiver);
        sender
    });
    let receivers = receivers.try_into();
    let receivers = receivers.unwrap_or_else(|_| unreachable!("each sender has a receiver"));
    (QueueSenders(senders), receivers)
}

impl StoreSenders {
    /// Puts a request into its queue. Errors: the ticket, if the queue is full.
    pub(super) fn push(&self, ticket: Ticket, request: StoreRequest) -> Result<(), Ticket> {
        let queue = request.query.feature().queue();
        let pushed = self.0.push(queue.index(), (ticket, request));
        pushed.map_err(|(ticket, _)| ticket)
    }
}

impl<T, const N: usize> QueueSenders<T, N> {
    /// Errors: what was pushed, if the queue is full.
    fn push(&self, queue: usize, item: T) -> Result<(), T> {
        let pushed = self.0[queue].try_send(item);
        pushed.map_err(mpsc::error::TrySendError::into_inner)
    }
}

impl Node {
    /// Executes the requests of one queue of a shard, and hands the answers to the shard.
    pub(crate) async fn answer(self: Arc<Self>, work: StoreWork) {
        let execute = |request| {
            let node = Arc::clone(&self);
            async move { node.backplane.execute(request).await }
        };
        in_order(work.requests, execute, |ticket, reply| {
            let input = ShardInput::Reply { ticket, reply };
            let mut done = Work::default();
            self.in_shard(&self.env(&self.view()), work.shard, input, &mut done);
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
