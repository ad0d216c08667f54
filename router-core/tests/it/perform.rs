//! Where effects are performed, as the shell does it.
//!
//! A shard's effects in order, each receipt settled before the next; words to sessions after them.
//! Every effect of a shard is checked for ISO-1: it must belong to the tenant of its input.

use std::sync::Arc;

use protocol::{CloseCode, TenantId};
use router_core::auth::{Attempt, AuthError, Credential, Tally};
use router_core::effect::{Class, Outbound, Outcome, Receipt};
use router_core::lane::Settled;
use router_core::permit::Grant;
use router_core::session::Input as SessionInput;
use router_core::shard::Input as ShardInput;
use router_core::{ConnKey, Effect, Effects, Env, Shard};

use crate::world::{Event, KEYRING, Work, World, entropy};

impl World {
    /// Handles all that is due, until nothing is.
    pub fn run(&mut self) {
        loop {
            while let Some(work) = self.work.pop_front() {
                match work {
                    Work::Session(key, input) => self.session(key, *input),
                    Work::NextFrame(key) => self.next_frame(key),
                }
            }
            let asked = self.asks.iter().find(|(_, asks)| !asks.is_empty());
            match asked.map(|(tenant, _)| tenant.clone()) {
                Some(tenant) if self.prompt => self.answer(&tenant, false),
                Some(_) | None => return,
            }
        }
    }

    fn next_frame(&mut self, key: ConnKey) {
        let conn = self.conns.get_mut(&key).expect("it was opened");
        if conn.session.is_waiting() || !conn.open {
            return;
        }
        if let Some(text) = conn.inbox.pop_front() {
            self.log.push(Event::Fed(key, text.clone()));
            self.session(key, SessionInput::Text(text));
        }
    }

    fn session(&mut self, key: ConnKey, input: SessionInput) {
        let (settings, nodes) = (Arc::clone(&self.settings), Arc::clone(&self.nodes));
        let unix_ms = self.unix_ms();
        let conn = self.conns.get_mut(&key).expect("it was opened");
        conn.handled += 1;
        let env = Env {
            now_ms: self.now_ms,
            unix_ms,
            entropy: entropy(conn.side, key, conn.handled),
            settings: &settings,
            nodes: &nodes,
            round_ms: 0,
        };
        let mut fx = Effects::default();
        conn.session.handle(&env, input, &mut fx);
        while let Some(effect) = fx.pop() {
            match effect {
                Effect::Verify(credential) => {
                    let verdict = self.verify(key, &credential);
                    let input = SessionInput::Verified(verdict);
                    self.work.push_back(Work::Session(key, Box::new(input)));
                }
                Effect::Join(join) => {
                    let tenant = Some(join.tenant().clone());
                    self.conns.get_mut(&key).expect("it was opened").tenant = tenant;
                    self.shard(ShardInput::Join(join));
                }
                Effect::Route(route) => self.shard(ShardInput::Route(route)),
                Effect::Request(request) => self.shard(ShardInput::Request(request)),
                Effect::Leave(leave) => self.shard(ShardInput::Leave(leave)),
                Effect::Ping => self.log.push(Event::Ping(key)),
                Effect::Deliver {
                    receipt,
                    conn,
                    frame,
                } => {
                    assert_eq!(
                        (conn, &receipt),
                        (key, &None),
                        "a session speaks to its own"
                    );
                    self.push(conn, &receipt, frame);
                }
                Effect::Close { conn, close } => self.close(conn, close),
                Effect::Note(fact) => self.facts.push(fact),
                Effect::Ask { .. }
                | Effect::Tell { .. }
                | Effect::Publish { .. }
                | Effect::PublishBestEffort { .. }
                | Effect::Decided(_)
                | Effect::Met(_)
                | Effect::Unload(_) => panic!("a tenant's effect"),
            }
        }
        if !self.conns[&key].inbox.is_empty() {
            self.work.push_back(Work::NextFrame(key));
        }
    }

    fn verify(&mut self, key: ConnKey, credential: &Credential) -> Result<Grant, AuthError> {
        let verdict = KEYRING.verify(credential, self.unix_ms());
        let attempt = Attempt {
            source: self.conns[&key].source,
            claimed: credential.claimed(),
        };
        let verdict = verdict.map_err(|error| match self.throttle.fail(attempt, self.now_ms) {
            Tally::Counted => error,
            Tally::Throttled { retry_after_ms, .. } => AuthError::Throttled { retry_after_ms },
        });
        verdict.map(|verified| verified.grant)
    }

    /// The critical section of the shard.
    pub fn shard(&mut self, input: ShardInput) {
        let owner = tenant_of(&input);
        self.in_shard(owner, |shard, env, fx| shard.handle(env, input, fx));
    }

    /// The oldest message that is on its way to another node comes to this.
    pub fn settle(&mut self, settled: Settled) {
        let (_, parcel) = self.published.pop_front().expect("something is published");
        let owner = Some(parcel.tenant().clone());
        self.in_shard(owner, |shard, env, fx| {
            shard.decided(env, parcel, settled, fx);
        });
        self.run();
    }

    fn in_shard(
        &mut self,
        mut owner: Option<TenantId>,
        then: impl FnOnce(&mut Shard, &Env<'_>, &mut Effects),
    ) {
        let (settings, nodes) = (Arc::clone(&self.settings), Arc::clone(&self.nodes));
        let env = Env {
            now_ms: self.now_ms,
            unix_ms: self.unix_ms(),
            entropy: 0,
            settings: &settings,
            nodes: &nodes,
            round_ms: 0,
        };
        let mut fx = Effects::default();
        then(&mut self.shard, &env, &mut fx);
        while let Some(effect) = fx.pop() {
            if let Some(tenant) = self.addressee(&effect) {
                let owner = owner.get_or_insert_with(|| tenant.clone());
                assert_eq!(*owner, tenant, "ISO-1: an effect for another tenant");
            }
            match effect {
                Effect::Deliver {
                    receipt,
                    conn,
                    frame,
                } => {
                    let outcome = self.push(conn, &receipt, frame);
                    if let Some(receipt) = receipt {
                        self.shard.settled(&env, receipt, outcome, &mut fx);
                    }
                }
                Effect::Ask { ticket, request } => {
                    let asks = self.asks.entry(ticket.tenant.clone()).or_default();
                    asks.push_back((ticket, *request));
                }
                Effect::Tell { conn, notice } => {
                    let input = SessionInput::Notice(notice);
                    self.work.push_back(Work::Session(conn, Box::new(input)));
                }
                Effect::Close { conn, close } => self.close(conn, close),
                Effect::Note(fact) => self.facts.push(fact),
                Effect::Unload(tenant) => self.unloaded.push(tenant),
                Effect::Met(_) => {}
                Effect::Publish { node, parcel } => self.published.push_back((node, parcel)),
                Effect::PublishBestEffort { .. } => panic!("no test sends partials to other nodes"),
                Effect::Decided(verdict) => self.decided.push(verdict),
                Effect::Verify(_)
                | Effect::Join(_)
                | Effect::Route(_)
                | Effect::Request(_)
                | Effect::Leave(_)
                | Effect::Ping => panic!("a session's effect"),
            }
        }
    }

    fn addressee(&self, effect: &Effect) -> Option<TenantId> {
        match effect {
            Effect::Deliver { conn, .. }
            | Effect::Tell { conn, .. }
            | Effect::Close { conn, .. } => self.conns[conn].tenant.clone(),
            Effect::Ask { ticket, request } => {
                assert_eq!(
                    ticket.tenant, request.tenant,
                    "ISO-1: a ticket is its asker's"
                );
                Some(request.tenant.clone())
            }
            Effect::Verify(_)
            | Effect::Join(_)
            | Effect::Route(_)
            | Effect::Request(_)
            | Effect::Leave(_)
            | Effect::Ping
            | Effect::Publish { .. }
            | Effect::PublishBestEffort { .. }
            | Effect::Decided(_)
            | Effect::Unload(_)
            | Effect::Met(_)
            | Effect::Note(_) => None,
        }
    }

    fn push(&mut self, key: ConnKey, receipt: &Option<Receipt>, frame: Outbound) -> Outcome {
        let conn = self.conns.get_mut(&key).expect("it was opened");
        if !conn.open {
            return Outcome::Gone;
        }
        let best_effort = matches!(frame.class, Class::Partial { .. });
        if receipt.is_some() || best_effort {
            conn.pushes += 1;
            if conn.unread >= conn.capacity {
                conn.wants_room |= frame.class == Class::Presence;
                return Outcome::Full;
            }
            conn.unread += 1;
        }
        self.log.push(Event::Frame(key, frame));
        Outcome::Queued
    }

    fn close(&mut self, key: ConnKey, close: CloseCode) {
        let conn = self.conns.get_mut(&key).expect("it was opened");
        if conn.open {
            conn.open = false;
            conn.closed = Some(close);
            self.log.push(Event::Closed(key, close));
            self.work
                .push_back(Work::Session(key, Box::new(SessionInput::Gone)));
        }
    }
}

fn tenant_of(input: &ShardInput) -> Option<TenantId> {
    match input {
        ShardInput::Join(join) => Some(join.tenant().clone()),
        ShardInput::Leave(leave) => Some(leave.tenant.clone()),
        ShardInput::Route(route) => Some(route.tenant().clone()),
        ShardInput::Request(request) => Some(request.tenant().clone()),
        ShardInput::Reply { ticket, .. } => Some(ticket.tenant.clone()),
        ShardInput::Policy { tenant, .. } | ShardInput::Room { tenant, .. } => Some(tenant.clone()),
        ShardInput::Event { tenant, .. } => Some(tenant.clone()),
        ShardInput::Inbound(envelope) => Some(envelope.tenant.clone()),
        ShardInput::Gone(_) | ShardInput::Reborn | ShardInput::Resync | ShardInput::Wake => None,
    }
}
