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

use super::dial::{Frames, Io};
use super::end::End;
use super::inbound::{Inbound, Intake};
use super::replies::{Replies, Reply};
use super::url::Address;
use super::{CONNECT, RESPONSE};
use crate::keys;

/// Orders that wait for the connection.
const ORDERS: usize = 1024;
/// Silence after which it is asked whether it lives.
const IDLE: Duration = Duration::from_millis(500);
/// Silence after that, until it is taken for dead: together, when the node itself becomes degraded.
const DEAF: Duration = Duration::from_millis(1500);

/// What a subscription command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Subscribe,
    Unsubscribe,
    Ping,
}

struct Order {
    verb: Verb,
    names: Vec<String>,
    done: Option<oneshot::Sender<()>>,
}

/// An order that was written and is not yet confirmed for all its names.
struct Pending {
    verb: Verb,
    left: usize,
    done: Option<oneshot::Sender<()>>,
}

/// A connection with subscriptions. Dropped, it closes.
pub(super) struct Listener {
    orders: mpsc::Sender<Order>,
    _task: AbortOnDropHandle<()>,
}

impl Listener {
    /// Listens until `end`, which it also tells when the connection is gone. `index`: which
    /// connection of its session this is. `sharded`: it is a node of a Cluster.
    pub(super) fn start(
        frames: Frames,
        address: &Address,
        sharded: bool,
        index: usize,
        intake: Arc<Intake>,
        end: End,
    ) -> Self {
        let (orders, taken) = mpsc::channel(ORDERS);
        let ear = Ear {
            frames: frames.map_codec(Replies::new),
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
                Gone(reason) = ear.listen(taken) => {
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
    pub(super) async fn subscribe(&self, names: Vec<String>) -> Result<(), ()> {
        let (done, confirmed) = oneshot::channel();
        let order = Order {
            verb: Verb::Subscribe,
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
    pub(super) fn unsubscribe(&self, names: Vec<String>) {
        let order = Order {
            verb: Verb::Unsubscribe,
            names,
            done: None,
        };
        // Full, or closed and so unsubscribed.
        let _ = self.orders.try_send(order);
    }

    /// Waits until nothing comes from it any more, which its end brings about.
    pub(super) async fn closed(&self) {
        self.orders.closed().await;
    }
}

/// The connection is gone, or of no use; why, without credentials.
struct Gone(String);

impl Gone {
    fn new(reason: impl ToString) -> Self {
        Self(reason.to_string())
    }
}

struct Ear {
    frames: Framed<Pin<Box<dyn Io>>, Replies>,
    sharded: bool,
    index: usize,
    intake: Arc<Intake>,
    pending: VecDeque<Pending>,
    /// When it last heard anything, or had no time to listen.
    heard: Instant,
}

impl Ear {
    async fn listen(mut self, mut orders: mpsc::Receiver<Order>) -> Gone {
        loop {
            if let Err(gone) = self.next(&mut orders).await {
                return gone;
            }
        }
    }

    /// One order, one frame, or one silence.
    async fn next(&mut self, orders: &mut mpsc::Receiver<Order>) -> Result<(), Gone> {
        let pinged = self.pending.iter().any(|order| order.verb == Verb::Ping);
        let patience = if pinged { DEAF } else { IDLE };
        // In this order: after a pause of the whole process both the timer and the answer are ready.
        // Orders are few.
        tokio::select! {
            biased;
            order = orders.recv() => {
                let order = order.ok_or_else(|| Gone::new("nobody uses them"))?;
                self.write(order).await
            }
            frame = self.frames.next() => {
                let frame = frame.ok_or_else(|| Gone::new("Redis closed the connection"))?;
                self.take(frame.map_err(Gone::new)?).await?;
                self.heard = Instant::now();
                Ok(())
            }
            () = sleep_until(self.heard + patience) => match pinged {
                true => Err(Gone::new("Redis was silent")),
                false => self.ping().await,
            }
        }
    }

    async fn ping(&mut self) -> Result<(), Gone> {
        self.heard = Instant::now();
        self.write(Order {
            verb: Verb::Ping,
            names: Vec::new(),
            done: None,
        })
        .await
    }

    async fn write(&mut self, order: Order) -> Result<(), Gone> {
        let Order { verb, names, done } = order;
        let command = match (verb, self.sharded) {
            (Verb::Subscribe, false) => "SUBSCRIBE",
            (Verb::Subscribe, true) => "SSUBSCRIBE",
            (Verb::Unsubscribe, false) => "UNSUBSCRIBE",
            (Verb::Unsubscribe, true) => "SUNSUBSCRIBE",
            (Verb::Ping, _) => "PING",
        };
        let left = names.len().max(1);
        self.pending.push_back(Pending { verb, left, done });
        let mut bytes = Vec::new();
        for names in self.in_commands(names) {
            bytes.extend(redis::cmd(command).arg(names).get_packed_command());
        }
        let written = timeout(CONNECT, self.frames.send(bytes)).await;
        written.map_err(Gone::new)?.map_err(Gone::new)
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

    async fn take(&mut self, frame: Reply) -> Result<(), Gone> {
        let value = match frame {
            Reply::Message { channel, payload } => return self.message(&channel, payload).await,
            Reply::Number(_) => return Ok(()),
            Reply::Other(value) => value,
        };
        let kind = match value.extract_error() {
            Ok(Value::Push { kind, .. }) => kind,
            // The only other answer to a command here is that to PING.
            Ok(_) => return self.confirmed(Verb::Ping),
            // An order was refused: the slot is elsewhere, or the user may not.
            Err(error) => return Err(Gone::new(error)),
        };
        if matches!(kind, PushKind::Subscribe | PushKind::SSubscribe) {
            self.confirmed(Verb::Subscribe)
        } else if matches!(kind, PushKind::Unsubscribe | PushKind::SUnsubscribe) {
            // Not asked for, this says that the slot is elsewhere now.
            self.confirmed(Verb::Unsubscribe)
        } else {
            Ok(())
        }
    }

    fn confirmed(&mut self, verb: Verb) -> Result<(), Gone> {
        let first = self.pending.front_mut().filter(|order| order.verb == verb);
        let first = first.ok_or_else(|| Gone::new(format!("{verb:?} was not asked for")))?;
        first.left -= 1;
        if first.left == 0 {
            let done = self.pending.pop_front().and_then(|order| order.done);
            // Whoever asked may have given up.
            let _ = done.map(|done| done.send(()));
        }
        Ok(())
    }

    async fn message(&mut self, channel: &[u8], payload: Bytes) -> Result<(), Gone> {
        match self.intake.read(self.index, channel, payload) {
            Some(inbound) => self.hand_over(inbound).await,
            None => Ok(()),
        }
    }

    async fn hand_over(&mut self, inbound: Inbound) -> Result<(), Gone> {
        let full = match self.intake.sender.try_send(inbound) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                return Err(Gone::new("the node does not listen"));
            }
            Err(mpsc::error::TrySendError::Full(inbound)) => inbound,
        };
        self.intake.counters.full_waits.fetch_add(1, Relaxed);
        self.intake
            .sender
            .send(full)
            .await
            .map_err(|_| Gone::new("the node does not listen"))
    }
}
