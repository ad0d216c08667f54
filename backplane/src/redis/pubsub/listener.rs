//! What comes from Redis by itself: one connection with all of a server's subscriptions.
//!
//! One task reads, writes and hands over, so that a full inbox stops the reading: Redis then holds
//! messages back, and cuts the connection if that goes on. Messages keep their order.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use redis::{PushKind, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::codec::Framed;
use tokio_util::task::AbortOnDropHandle;

use super::inbound::InboundMessage;
use super::intake::MessageIntake;
use super::replies::{ReplyCodec, SocketReply};
use crate::keys;
use crate::redis::config::{CONNECT, RESPONSE};
use crate::redis::pool::dialer::{SocketFrames, SocketIo};
use crate::redis::session::end::SessionEnd;
use crate::redis::topology::address::ServerAddress;

/// Orders that wait for the connection.
const ORDERS: usize = 1024;
/// Silence after which it is asked whether it lives.
const IDLE: Duration = Duration::from_millis(500);
/// Silence after that, until it is taken for dead: together, when the node itself becomes degraded.
const DEAF: Duration = Duration::from_millis(1500);

/// What a subscription command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SubscriptionVerb {
    Subscribe,
    Unsubscribe,
    Ping,
}

struct SubscriptionOrder {
    verb: SubscriptionVerb,
    names: Vec<String>,
    done: Option<oneshot::Sender<()>>,
}

/// An order that was written and is not yet confirmed for all its names.
struct PendingOrder {
    verb: SubscriptionVerb,
    left: usize,
    done: Option<oneshot::Sender<()>>,
}

/// A connection with subscriptions. Dropped, it closes.
pub(in crate::redis) struct SubscriptionListener {
    orders: mpsc::Sender<SubscriptionOrder>,
    _task: AbortOnDropHandle<()>,
}

impl SubscriptionListener {
    /// Listens until `end`, which it also tells when the connection is gone. `index`: which
    /// connection of its session this is. `sharded`: it is a node of a Cluster.
    pub(in crate::redis) fn start(
        frames: SocketFrames,
        address: &ServerAddress,
        sharded: bool,
        index: usize,
        intake: Arc<MessageIntake>,
        end: SessionEnd,
    ) -> Self {
        let (orders, taken) = mpsc::channel(ORDERS);
        let subscriber = SubscriberSocket {
            frames: frames.map_codec(ReplyCodec::new),
            sharded,
            index,
            intake,
            pending: VecDeque::new(),
            heard: Instant::now(),
        };
        let address = address.clone();
        let listening = async move {
            tokio::select! {
                () = end.come() => {}
                ListenerEnd(reason) = subscriber.listen(taken) => {
                    end.because(format!("the subscriptions at {address} ended: {reason}"));
                }
            }
        };
        let task = AbortOnDropHandle::new(tokio::spawn(listening));
        Self {
            orders,
            _task: task,
        }
    }

    /// Subscribes; `Err`: that is not confirmed.
    pub(in crate::redis) async fn subscribe(&self, names: Vec<String>) -> Result<(), ()> {
        let (done, confirmed) = oneshot::channel();
        let order = SubscriptionOrder {
            verb: SubscriptionVerb::Subscribe,
            names,
            done: Some(done),
        };
        let ordered = async {
            self.orders.send(order).await.map_err(drop)?;
            confirmed.await.map_err(drop)
        };
        timeout(RESPONSE, ordered).await.map_err(drop)?
    }

    /// Unsubscribes some time. With too much to do it leaves that: what still comes harms nobody.
    pub(in crate::redis) fn unsubscribe(&self, names: Vec<String>) {
        let order = SubscriptionOrder {
            verb: SubscriptionVerb::Unsubscribe,
            names,
            done: None,
        };
        // Full, or closed and so unsubscribed.
        let _ = self.orders.try_send(order);
    }

    /// Waits until nothing comes from it any more, which its end brings about.
    pub(in crate::redis) async fn closed(&self) {
        self.orders.closed().await;
    }
}

/// The connection is gone, or of no use; why, without credentials.
struct ListenerEnd(String);

impl ListenerEnd {
    fn new(reason: impl ToString) -> Self {
        Self(reason.to_string())
    }
}

struct SubscriberSocket {
    frames: Framed<Pin<Box<dyn SocketIo>>, ReplyCodec>,
    sharded: bool,
    index: usize,
    intake: Arc<MessageIntake>,
    pending: VecDeque<PendingOrder>,
    /// When it last heard anything, or had no time to listen.
    heard: Instant,
}

impl SubscriberSocket {
    async fn listen(mut self, mut orders: mpsc::Receiver<SubscriptionOrder>) -> ListenerEnd {
        loop {
            if let Err(gone) = self.next(&mut orders).await {
                return gone;
            }
        }
    }

    /// One order, one frame, or one silence.
    async fn next(
        &mut self,
        orders: &mut mpsc::Receiver<SubscriptionOrder>,
    ) -> Result<(), ListenerEnd> {
        let pinged = self
            .pending
            .iter()
            .any(|order| order.verb == SubscriptionVerb::Ping);
        let patience = if pinged { DEAF } else { IDLE };
        // In this order: after a pause of the whole process both the timer and the answer are ready.
        // Orders are few.
        tokio::select! {
            biased;
            order = orders.recv() => {
                let order = order.ok_or_else(|| ListenerEnd::new("nobody uses them"))?;
                self.write(order).await
            }
            frame = self.frames.next() => {
                let frame = frame.ok_or_else(|| ListenerEnd::new("Redis closed the connection"))?;
                self.take(frame.map_err(ListenerEnd::new)?).await?;
                self.heard = Instant::now();
                Ok(())
            }
            () = sleep_until(self.heard + patience) => match pinged {
                true => Err(ListenerEnd::new("Redis was silent")),
                false => self.ping().await,
            }
        }
    }

    async fn ping(&mut self) -> Result<(), ListenerEnd> {
        self.heard = Instant::now();
        self.write(SubscriptionOrder {
            verb: SubscriptionVerb::Ping,
            names: Vec::new(),
            done: None,
        })
        .await
    }

    async fn write(&mut self, order: SubscriptionOrder) -> Result<(), ListenerEnd> {
        let SubscriptionOrder { verb, names, done } = order;
        let command = match (verb, self.sharded) {
            (SubscriptionVerb::Subscribe, false) => "SUBSCRIBE",
            (SubscriptionVerb::Subscribe, true) => "SSUBSCRIBE",
            (SubscriptionVerb::Unsubscribe, false) => "UNSUBSCRIBE",
            (SubscriptionVerb::Unsubscribe, true) => "SUNSUBSCRIBE",
            (SubscriptionVerb::Ping, _) => "PING",
        };
        let left = names.len().max(1);
        self.pending.push_back(PendingOrder { verb, left, done });
        let mut bytes = Vec::new();
        for names in self.in_commands(names) {
            bytes.extend(redis::cmd(command).arg(names).get_packed_command());
        }
        let written = timeout(CONNECT, self.frames.send(bytes)).await;
        written.map_err(ListenerEnd::new)?.map_err(ListenerEnd::new)
    }

    /// The names of each command: on a node of a Cluster, those of one slot.
    fn in_commands(&self, names: Vec<String>) -> Vec<Vec<String>> {
        if !self.sharded || names.is_empty() {
            return vec![names];
        }
        let mut slots: BTreeMap<u16, Vec<String>> = BTreeMap::new();
        for name in names {
            slots.entry(keys::slot(&name)).or_default().push(name);
        }
        slots.into_values().collect()
    }

    async fn take(&mut self, frame: SocketReply) -> Result<(), ListenerEnd> {
        let value = match frame {
            SocketReply::Message { channel, payload } => {
                return self.message(&channel, payload).await;
            }
            SocketReply::Number(_) => return Ok(()),
            SocketReply::Other(value) => value,
        };
        let kind = match value.extract_error() {
            Ok(Value::Push { kind, .. }) => kind,
            // The only other answer to a command here is that to PING.
            Ok(_) => return self.confirmed(SubscriptionVerb::Ping),
            // An order was refused: the slot is elsewhere, or the user may not.
            Err(error) => return Err(ListenerEnd::new(error)),
        };
        if matches!(kind, PushKind::Subscribe | PushKind::SSubscribe) {
            self.confirmed(SubscriptionVerb::Subscribe)
        } else if matches!(kind, PushKind::Unsubscribe | PushKind::SUnsubscribe) {
            // Not asked for, this says that the slot is elsewhere now.
            self.confirmed(SubscriptionVerb::Unsubscribe)
        } else {
            Ok(())
        }
    }

    fn confirmed(&mut self, verb: SubscriptionVerb) -> Result<(), ListenerEnd> {
        let first = self.pending.front_mut().filter(|order| order.verb == verb);
        let first = first.ok_or_else(|| ListenerEnd::new(format!("{verb:?} was not asked for")))?;
        first.left -= 1;
        if first.left == 0 {
            let done = self.pending.pop_front().and_then(|order| order.done);
            // The asker may have given up.
            let _ = done.map(|done| done.send(()));
        }
        Ok(())
    }

    async fn message(&mut self, channel: &[u8], payload: Bytes) -> Result<(), ListenerEnd> {
        match self.intake.read(self.index, channel, payload) {
            Some(inbound) => self.hand_over(inbound).await,
            None => Ok(()),
        }
    }

    async fn hand_over(&mut self, inbound: InboundMessage) -> Result<(), ListenerEnd> {
        let full = match self.intake.sender.try_send(inbound) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                return Err(ListenerEnd::new("the node does not listen"));
            }
            Err(mpsc::error::TrySendError::Full(inbound)) => inbound,
        };
        self.intake.counters.full_waits.fetch_add(1, Relaxed);
        self.intake
            .sender
            .send(full)
            .await
            .map_err(|_| ListenerEnd::new("the node does not listen"))
    }
}
