//! The way from a shard to the store: for each queue of the store a bounded channel and a worker.
//!
//! ```text
//!  shard ─▶ StoreSenders ─┬─ directory ─▶ worker ─▶ Backplane::execute ─▶ shard
//!                         └─ labels ────▶ worker ─▶ …
//! ```
//!
//! Which feature takes which queue is [`StoreFeature::queue`](router_core::store::StoreFeature)'s to
//! say. A queue has its own bound and its own requests under way: one that is slow or full delays and
//! refuses nothing of the others.

use router_core::effect::Ticket;
use router_core::store::{StoreQueue, StoreRequest};
use tokio::sync::mpsc;

/// Requests of one shard that wait in one queue; full = `store_unavailable`.
const WAITING_MAX: usize = 8192;

/// Takes the requests of one shard to its workers.
pub(super) struct StoreSenders(QueueSenders<(Ticket, StoreRequest), { StoreQueue::ALL.len() }>);

/// The requests of one queue of one shard, for their worker.
pub(crate) struct StoreWork {
    pub(super) shard: usize,
    pub(super) requests: mpsc::Receiver<(Ticket, StoreRequest)>,
}

/// The sending ends of several queues, each with its own bound.
pub(super) struct QueueSenders<T, const N: usize>([mpsc::Sender<T>; N]);

/// The queues of one shard: the end that its effects push into, and the ends of their workers.
pub(super) fn store_queues(shard: usize) -> (StoreSenders, Vec<StoreWork>) {
    let (senders, receivers) = channels(WAITING_MAX);
    let work = receivers.map(|requests| StoreWork { shard, requests });
    (StoreSenders(senders), Vec::from(work))
}

/// Several channels, each with its own bound.
pub(super) fn channels<T, const N: usize>(
    waiting_max: usize,
) -> (QueueSenders<T, N>, [mpsc::Receiver<T>; N]) {
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

    /// Requests that wait in one queue.
    pub(super) fn waiting(&self, queue: StoreQueue) -> usize {
        self.0.waiting(queue.index())
    }
}

impl<T, const N: usize> QueueSenders<T, N> {
    /// Errors: what was pushed, if the queue is full.
    pub(super) fn push(&self, queue: usize, item: T) -> Result<(), T> {
        let pushed = self.0[queue].try_send(item);
        pushed.map_err(mpsc::error::TrySendError::into_inner)
    }

    /// How much waits in one queue.
    pub(super) fn waiting(&self, queue: usize) -> usize {
        self.0[queue].max_capacity() - self.0[queue].capacity()
    }
}
