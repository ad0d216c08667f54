//! The node machine, one a process: it beats, watches the others' beats, and evicts the dead.
//!
//! Death is observed, not read off a clock: a beat that stands still for 6 s of *this* node's
//! healthy time is a dead node's. Who was stopped or cut off has no healthy time, so it evicts
//! nobody. Eviction is an atomic step in the store, fenced by the beat, and final: who finds itself
//! evicted goes on under a new boot id.
//!
//! ```text
//!              beat moves                     Evict answered true,
//!             ┌──────────┐                    or its entry is gone
//!  first ──▶ Live ─3 s─▶ Suspect ─6 s─▶ Ask Evict ──────────▶ dead, for good ──10 min──▶ forgotten
//!  sight      ▲                           │ answered false: its beat will be seen to move
//!             └───────────────────────────┘
//! ```
//!
//! | file | holds |
//! | --- | --- |
//! | `view.rs` | [`NodeView`], what everybody else is told |
//! | `times.rs` | how often and how long |
//! | `beats.rs` | what follows from the others' beats |
//! | `health.rs` | DEGRADED |
//! | `hello.rs` | what this node and the others say of themselves |
//! | `isolation.rs` | whether this node alone is cut off |
//! | `balance.rs` | how many connections a node gives to others |
//! | `dead.rs` | the evicted nodes |
//! | `departure.rs` | how this node leaves |
//! | `unknown.rs` | who is named and was never seen |
//!
//! It is not what follows from a death: directories and lanes hear of that by
//! [`NodeEffect::Evicted`] and the view. Source: cluster.md §§3, 8.

pub mod balance;
mod beats;
mod dead;
mod departure;
mod health;
mod hello;
mod isolation;
#[cfg(test)]
mod tests;
mod times;
mod unknown;
mod view;

use std::sync::Arc;

use protocol::{BootId, UsageHour};
use ulid::Ulid;

use crate::env::Millis;
use crate::store::nodes::{NodeHello, NodeQuery, NodeReply};
use dead::DeadNodes;
use departure::Departure;
use health::LinkHealth;
use times::{BEAT_MS, HELLO_MS, LOOK_AGAIN_MS, PROBE_MS};
use unknown::UnknownNodes;

pub use health::DegradedCause;
pub use isolation::{IsolationState, IsolationWatch};
pub use times::{DEAD_MS, DEGRADED_MS};
pub use view::{NodeView, PeerNode, PeerState, SecretGap};

/// What happens to the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeInput {
    /// The time of [`MembershipMachine::next_wakeup`] has come.
    Wake,
    /// The store's answer. Each [`NodeEffect::Ask`] has exactly one, `Unavailable` if need be.
    Answered {
        /// The question as it was asked.
        ask: NodeQuery,
        /// The answer.
        reply: NodeReply,
    },
    /// An own probe came back through the subscription.
    Probe {
        /// As it was sent.
        number: u64,
    },
    /// The subscription's connection dropped.
    LinkDown,
    /// It is back, and everything is subscribed again. At the start it counts as up.
    LinkUp,
    /// Something of a node that is not in the view: an entry in a directory, or a packet.
    Discovered(BootId),
    /// Another node says that what it says of itself has changed.
    SaidAnew(BootId),
    /// Another node says that this one is evicted. The store knows: it is asked soon.
    Evicted,
    /// This node is now as said here.
    Hello(NodeHello),
    /// All usage of this node of the hours before this one is booked.
    Flushed(UsageHour),
    /// This node ends: it removes its own entry, so that nobody has to watch it die. [`NodeEffect::Left`] follows.
    Leave,
}

/// What the machine wants done. In order; a [`ViewChanged`](NodeEffect::ViewChanged) comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeEffect {
    /// The view has other nodes, or others' states or descriptions, or is degraded or not: publish
    /// it. Counters in it move without this.
    ViewChanged,
    /// Ask the store.
    Ask(NodeQuery),
    /// Publish a probe to the own inbox.
    SendProbe {
        /// Comes back as [`NodeInput::Probe`].
        number: u64,
    },
    /// The subscription is deaf: make it anew. [`NodeInput::LinkDown`] and `LinkUp` follow.
    RenewLink,
    /// A node was seen for the first time.
    Joined(BootId),
    /// It is known what a peer that certainly runs says of itself; anew each minute if that does not fit this
    /// node.
    Described(BootId),
    /// What this node says of itself has changed, and the store has it: tell the peers to read it.
    SayAnew,
    /// A node was evicted, by whomever, or was dead before this one began: drop what it held, fail its
    /// lane.
    Evicted(BootId),
    /// This node was evicted: subscribe the new inbox, assert every claim anew. Sockets stay.
    Rejoined {
        /// Its former boot id, which is dead.
        old: BootId,
        /// Its boot id from now on.
        new: BootId,
    },
    /// Whether this node is cut off. It is at its start.
    Degraded(bool),
    /// The store lost its data. A hint: what a tenant lost is judged by its own counter.
    GenerationChanged,
    /// This node beats no more. `true`: its entry is removed; `false`: the others will see it stand still.
    Left(bool),
}

/// The node machine.
#[derive(Debug)]
pub struct MembershipMachine {
    view: NodeView,
    view_changed: bool,
    hello: NodeHello,
    hello_due_ms: Millis,
    hello_out: bool,
    /// How often the peers are still to be told of it, once the store has it.
    hello_news: u8,
    health: LinkHealth,
    dead: DeadNodes,
    unknown: UnknownNodes,
    /// The generation of the store that has the own entry; `None` if none has yet.
    known_generation: Option<u64>,
    beat_due_ms: Millis,
    /// When the beat began whose answer is not here yet.
    beat_out_ms: Option<Millis>,
    /// When the last successful beat began, if the time since then may count as healthy.
    healthy_from_ms: Option<Millis>,
    probe_due_ms: Millis,
    departure: Departure,
    /// How often peers are described again, milliseconds.
    describe_again_ms: Millis,
}

impl MembershipMachine {
    /// A node that starts now, degraded until it heard of store and subscription. Wake it at once.
    pub fn new(boot: BootId, now_ms: Millis, hello: NodeHello) -> Self {
        let mut view = NodeView::starting(boot);
        view.keys = Arc::clone(&hello.keys);
        Self {
            view,
            view_changed: false,
            hello,
            hello_due_ms: now_ms,
            hello_out: false,
            hello_news: 0,
            health: LinkHealth::new(now_ms),
            dead: DeadNodes::default(),
            unknown: UnknownNodes::default(),
            known_generation: None,
            beat_due_ms: now_ms,
            beat_out_ms: None,
            healthy_from_ms: None,
            probe_due_ms: now_ms,
            departure: Departure::Staying,
            describe_again_ms: Millis::MAX,
        }
    }

    /// Has all peers described again as often as they say anew how many connections they have.
    pub fn follow_connections(&mut self) {
        self.describe_again_ms = HELLO_MS;
    }

    /// The nodes as this one sees them now.
    pub fn view(&self) -> &NodeView {
        &self.view
    }

    /// When it wants [`NodeInput::Wake`], Unix milliseconds.
    pub fn next_wakeup(&self) -> Millis {
        let stays = self.departure.stays();
        let beat = (stays && self.beat_out_ms.is_none()).then_some(self.beat_due_ms);
        let hello = (stays && !self.hello_out).then_some(self.hello_due_ms);
        let others = [beat, hello, self.health.next_wakeup()];
        let others = others.into_iter().flatten();
        others.fold(self.probe_due_ms, Millis::min)
    }

    /// Takes one input; what is due by now is done too. `entropy`: 128 fresh bits.
    pub fn handle(
        &mut self,
        now_ms: Millis,
        entropy: u128,
        input: NodeInput,
        fx: &mut Vec<NodeEffect>,
    ) {
        let first = fx.len();
        // Before the input: an answer that lay in a buffer must not count as of now.
        self.judge(now_ms, fx);
        match input {
            NodeInput::Wake => {}
            NodeInput::Answered { ask, reply } => self.on_answer(now_ms, entropy, ask, reply, fx),
            NodeInput::Probe { number } => self.health.probe_returned(number.min(now_ms)),
            NodeInput::LinkDown => self.health.link_down(now_ms),
            NodeInput::LinkUp => {
                self.health.link_up();
                self.probe_due_ms = now_ms;
                // Before tenants say anything again: who has entries has beaten.
                self.beat_due_ms = now_ms;
            }
            NodeInput::Discovered(boot) => self.on_discovered(now_ms, boot),
            NodeInput::SaidAnew(boot) => self.on_said_anew(boot, fx),
            NodeInput::Evicted => self.look_again(now_ms, LOOK_AGAIN_MS),
            NodeInput::Hello(hello) => self.on_hello(now_ms, hello),
            NodeInput::Flushed(hour) => self.view.own_flushed = hour,
            NodeInput::Leave => self.departure.begin(),
        }
        self.judge(now_ms, fx);
        self.do_what_is_due(now_ms, entropy, fx);
        if std::mem::take(&mut self.view_changed) {
            self.view.count_running();
            fx.insert(first, NodeEffect::ViewChanged);
        }
    }

    fn judge(&mut self, now_ms: Millis, fx: &mut Vec<NodeEffect>) {
        self.view.degraded_cause = self.health.judge(now_ms);
        let degraded = self.view.degraded_cause.is_some();
        if degraded == self.view.degraded {
            return;
        }
        self.view.degraded = degraded;
        self.view_changed = true;
        fx.push(NodeEffect::Degraded(degraded));
        if degraded {
            self.count_anew();
        }
    }

    fn on_answer(
        &mut self,
        now_ms: Millis,
        entropy: u128,
        ask: NodeQuery,
        reply: NodeReply,
        fx: &mut Vec<NodeEffect>,
    ) {
        match ask {
            NodeQuery::Beat { .. } => self.on_beat_answer(now_ms, entropy, reply, fx),
            NodeQuery::Evict { boot, .. } if boot == self.view.own => {
                fx.push(NodeEffect::Left(reply == NodeReply::Evict(true)));
            }
            NodeQuery::Evict { boot, .. } => {
                if reply == NodeReply::Evict(true) {
                    self.on_evicted(now_ms, boot, fx);
                } else if self.view.peers.contains_key(&boot) || self.dead.contains(boot) {
                    // It beat after all, or another node was quicker: the beats tell which. One that
                    // is dead must go all the same, and not in step with its own beats.
                    self.look_again(now_ms, LOOK_AGAIN_MS);
                }
            }
            NodeQuery::Describe(boot) => {
                // Who is still unknown is asked for again with the next beat.
                if let NodeReply::Hello(Some(hello)) = reply {
                    self.on_described(now_ms, boot, hello, fx);
                }
            }
            NodeQuery::Hello { .. } => self.on_hello_answer(now_ms, &reply, fx),
        }
    }

    fn on_beat_answer(
        &mut self,
        now_ms: Millis,
        entropy: u128,
        reply: NodeReply,
        fx: &mut Vec<NodeEffect>,
    ) {
        let Some(began_ms) = self.beat_out_ms.take() else {
            return;
        };
        match reply {
            NodeReply::Beats {
                generation,
                beats,
                flushed,
            } => {
                self.on_beats(now_ms, began_ms, generation, beats, fx);
                self.view.note_flushed(&flushed);
            }
            NodeReply::AskerEvicted if self.departure.stays() => self.rejoin(now_ms, entropy, fx),
            NodeReply::AskerEvicted => {
                fx.extend(self.departure.ends().then_some(NodeEffect::Left(true)));
            }
            NodeReply::Evict(_)
            | NodeReply::Done
            | NodeReply::Hello(_)
            | NodeReply::Unavailable => {}
        }
    }

    /// Makes the next beat due so long after the last one.
    fn look_again(&mut self, now_ms: Millis, after_ms: Millis) {
        let soon_ms = (self.beat_due_ms + after_ms).saturating_sub(BEAT_MS);
        self.beat_due_ms = self.beat_due_ms.min(soon_ms.max(now_ms));
    }

    fn rejoin(&mut self, now_ms: Millis, entropy: u128, fx: &mut Vec<NodeEffect>) {
        let old = self.view.own;
        let new = BootId::from_bits(Ulid::from_parts(now_ms, entropy).into());
        self.view.own = new;
        self.known_generation = None;
        self.health.beat_refused();
        self.remember_dead(now_ms, old);
        self.beat_due_ms = now_ms;
        self.hello_due_ms = now_ms;
        fx.push(NodeEffect::Rejoined { old, new });
    }

    fn do_what_is_due(&mut self, now_ms: Millis, entropy: u128, fx: &mut Vec<NodeEffect>) {
        let stays = self.departure.stays();
        if stays && !self.hello_out && now_ms >= self.hello_due_ms {
            self.hello_out = true;
            self.hello_due_ms = now_ms + HELLO_MS;
            fx.push(NodeEffect::Ask(NodeQuery::Hello {
                boot: self.view.own,
                hello: self.hello.clone(),
            }));
        }
        if stays && self.beat_out_ms.is_none() && now_ms >= self.beat_due_ms {
            self.view.beat += 1;
            self.beat_out_ms = Some(now_ms);
            self.beat_due_ms = now_ms + BEAT_MS;
            self.health.beat_began(now_ms);
            fx.push(NodeEffect::Ask(NodeQuery::Beat {
                boot: self.view.own,
                beat: self.view.beat,
                known_generation: self.known_generation,
                fresh_generation: (entropy >> 64) as u64,
                flushed: self.view.own_flushed,
            }));
        }
        if self.departure.asks(self.beat_out_ms.is_some()) {
            let (boot, beat) = (self.view.own, self.view.beat);
            fx.push(NodeEffect::Ask(NodeQuery::Evict { boot, beat }));
        }
        if now_ms >= self.probe_due_ms {
            self.probe_due_ms = now_ms + PROBE_MS;
            if self.health.take_deaf() {
                fx.push(NodeEffect::RenewLink);
            }
            self.health.probe_sent();
            // When it was sent is all that its return must tell.
            fx.push(NodeEffect::SendProbe { number: now_ms });
        }
    }
}
