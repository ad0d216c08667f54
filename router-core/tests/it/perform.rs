//! Where effects are performed, in the order of the loop that the gateway has too; words to sessions
//! after them. Every effect of a shard is checked for ISO-1: it must belong to the tenant of its input.

use std::sync::Arc;

use bytes::Bytes;
use protocol::t2b::{decode, encode};
use protocol::{BootId, CloseCode, Outbound, OutboundKind, TenantId};
use router_core::auth::{Attempt, AuthError, Credential, FailureTally};
use router_core::dispatch::{self, SessionPerformer, TenantPerformer};
use router_core::effect::{Outcome, RouterFact, Ticket};
use router_core::lane::{BestEffortStream, LaneOutcome, Parcel};
use router_core::permit::Grant;
use router_core::request::{
    FrameUsage, JoinRequest, LeaveRequest, RouteRequest, SessionNotice, TenantRequest,
};
use router_core::session::{ReceivedMessage, SessionInput};
use router_core::shard::ShardInput;
use router_core::store::StoreRequest;
use router_core::{ConnKey, Env, Session, Shard};

use crate::world::{Conn, Event, Frame, KEYRING, Work, World, entropy};

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
            let received = ReceivedMessage {
                bytes: text.len(),
                frame: decode(&text),
            };
            self.session(key, SessionInput::Received(received));
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
        dispatch::session(&env, input, &mut SessionHold { world: self, key });
        if !self.conns[&key].inbox.is_empty() {
            self.work.push_back(Work::NextFrame(key));
        }
    }

    /// The critical section of the shard.
    pub fn shard(&mut self, input: ShardInput) {
        let owner = input.tenant().cloned();
        let (settings, nodes) = (Arc::clone(&self.settings), Arc::clone(&self.nodes));
        let env = Env {
            now_ms: self.now_ms,
            unix_ms: self.unix_ms(),
            entropy: 0,
            settings: &settings,
            nodes: &nodes,
            round_ms: 0,
        };
        let decided = dispatch::shard(&env, input, &mut ShardHold { world: self, owner });
        self.decided.extend(decided);
    }

    /// The oldest message that is on its way to another node comes to this.
    pub fn settle(&mut self, outcome: LaneOutcome) {
        let (_, parcel) = self.published.pop_front().expect("something is published");
        self.shard(ShardInput::Decided { parcel, outcome });
        self.run();
    }

    fn push(&mut self, key: ConnKey, outbound: Outbound) -> Outcome {
        let conn = self.conns.get_mut(&key).expect("it was opened");
        if !conn.open {
            return Outcome::Gone;
        }
        let kind = outbound.kind();
        let is_answer = matches!(
            kind,
            OutboundKind::Answer | OutboundKind::Refusal | OutboundKind::Pong
        );
        if !is_answer {
            conn.pushes += 1;
            if conn.unread >= conn.capacity {
                conn.wants_room |= kind == OutboundKind::Presence;
                return Outcome::Full;
            }
            conn.unread += 1;
        }
        let text = encode::outbound(outbound, self.unix_ms());
        let bytes = text.len();
        self.log.push(Event::Frame(key, Frame { text, kind }));
        Outcome::Queued { bytes }
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

/// A session that is handled.
struct SessionHold<'a> {
    world: &'a mut World,
    key: ConnKey,
}

impl SessionHold<'_> {
    fn conn(&mut self) -> &mut Conn {
        self.world.conns.get_mut(&self.key).expect("it was opened")
    }
}

impl SessionPerformer for SessionHold<'_> {
    fn session(&mut self) -> &mut Session {
        &mut self.conn().session
    }

    fn verify(&mut self, credential: &Credential) -> Result<Grant, AuthError> {
        let attempt = Attempt {
            source: self.conn().source,
            claimed: credential.claimed(),
        };
        let now_ms = self.world.now_ms;
        let verdict = KEYRING.verify(credential, self.world.unix_ms());
        let verdict = verdict.map_err(|error| match self.world.throttle.fail(attempt, now_ms) {
            FailureTally::Counted => error,
            FailureTally::Throttled { retry_after_ms, .. } => {
                AuthError::Throttled { retry_after_ms }
            }
        });
        verdict.map(|verified| verified.grant)
    }

    fn join(&mut self, join: Box<JoinRequest>) {
        self.conn().tenant = Some(join.tenant().clone());
        self.world.shard(ShardInput::Join(join));
    }

    fn route(&mut self, route: Box<RouteRequest>) {
        self.world.shard(ShardInput::Route(route));
    }

    fn request(&mut self, request: Box<TenantRequest>) {
        self.world.shard(ShardInput::Request(request));
    }

    fn leave(&mut self, leave: LeaveRequest) {
        self.world.shard(ShardInput::Leave(leave));
    }

    fn ping(&mut self) {
        self.world.log.push(Event::Ping(self.key));
    }

    fn push(&mut self, outbound: Outbound) -> Outcome {
        self.world.push(self.key, outbound)
    }

    fn count(&mut self, frame: FrameUsage) {
        self.world.shard(ShardInput::Answered(frame));
    }

    fn close(&mut self, close: CloseCode) {
        self.world.close(self.key, close);
    }

    fn note(&mut self, fact: RouterFact) {
        self.world.facts.push(fact);
    }
}

/// The shard while it is handled.
struct ShardHold<'a> {
    world: &'a mut World,
    /// The tenant of the input, or of the first effect of an input that is for all tenants.
    owner: Option<TenantId>,
}

impl ShardHold<'_> {
    fn belongs_to(&mut self, tenant: &TenantId) {
        let owner = self.owner.get_or_insert_with(|| tenant.clone());
        assert_eq!(owner, tenant, "ISO-1: an effect for another tenant");
    }

    fn belongs_to_tenant_of(&mut self, conn: ConnKey) {
        if let Some(tenant) = self.world.conns[&conn].tenant.clone() {
            self.belongs_to(&tenant);
        }
    }
}

impl TenantPerformer for ShardHold<'_> {
    fn shard(&mut self) -> &mut Shard {
        &mut self.world.shard
    }

    fn push(&mut self, conn: ConnKey, outbound: Outbound) -> Outcome {
        self.belongs_to_tenant_of(conn);
        self.world.push(conn, outbound)
    }

    fn ask(&mut self, ticket: Ticket, request: Box<StoreRequest>) -> Result<(), Ticket> {
        assert_eq!(
            ticket.tenant, request.tenant,
            "ISO-1: a ticket is its asker's"
        );
        self.belongs_to(&request.tenant);
        let asks = self.world.asks.entry(ticket.tenant.clone()).or_default();
        asks.push_back((ticket, *request));
        Ok(())
    }

    fn publish(&mut self, node: BootId, parcel: Parcel) -> Result<(), (Parcel, LaneOutcome)> {
        self.belongs_to(parcel.tenant());
        self.world.published.push_back((node, parcel));
        Ok(())
    }

    fn publish_best_effort(&mut self, _: TenantId, _: BootId, _: BestEffortStream, _: Bytes) {
        panic!("no test sends partials to other nodes");
    }

    fn tell(&mut self, conn: ConnKey, notice: SessionNotice) {
        self.belongs_to_tenant_of(conn);
        let input = Box::new(SessionInput::Notice(notice));
        self.world.work.push_back(Work::Session(conn, input));
    }

    fn close(&mut self, conn: ConnKey, close: CloseCode) {
        self.belongs_to_tenant_of(conn);
        self.world.close(conn, close);
    }

    fn discover(&mut self, _: BootId) {}

    fn unload(&mut self, tenant: TenantId) {
        self.world.unloaded.push(tenant);
    }

    fn note(&mut self, fact: RouterFact) {
        self.world.facts.push(fact);
    }
}
