//! The loop that hands effects to a performer and reports their outcomes to the machine.
//!
//! The gateway, the simulation, the benchmarks and the tests drive their machines through it, so
//! that all of them perform effects in the same order. A performer has one method for each effect.
//!
//! Effects are performed in the order in which the machine wants them. What a performer reports is
//! handled before the next effect: the answer to a message follows from the outcomes of all its
//! deliveries, so nothing may come between a push and its outcome.

use bytes::Bytes;
use protocol::lane::Verdict;
use protocol::{BootId, CloseCode, ErrorCode, Outbound, TenantId};

use crate::auth::{AuthError, Credential};
use crate::effect::{Effects, Outcome, RouterFact, SessionEffect, TenantEffect, Ticket};
use crate::env::Env;
use crate::ids::ConnKey;
use crate::lane::{BestEffortStream, LaneOutcome, Parcel};
use crate::permit::Grant;
use crate::request::{
    FrameUsage, JoinRequest, LeaveRequest, RouteRequest, SentUsage, SessionNotice, TenantRequest,
};
use crate::store::{StoreFailure, StoreRequest};
use crate::{Session, Shard, session, shard};

/// Has one session, and does what it wants.
pub trait SessionPerformer {
    /// The session.
    fn session(&mut self) -> &mut Session;
    /// Verifies a credential. Errors: why it is refused.
    fn verify(&mut self, credential: &Credential) -> Result<Grant, AuthError>;
    /// Hands the connection to its tenant.
    fn join(&mut self, join: Box<JoinRequest>);
    /// Hands a message to its tenant.
    fn route(&mut self, route: Box<RouteRequest>);
    /// Hands a request to its tenant.
    fn request(&mut self, request: Box<TenantRequest>);
    /// Takes the connection from its tenant.
    fn leave(&mut self, leave: LeaveRequest);
    /// Has its tenant count a frame that the session answered.
    fn count(&mut self, frame: FrameUsage);
    /// Sends a WebSocket ping.
    fn ping(&mut self);
    /// Tells its peer something.
    fn push(&mut self, outbound: Outbound) -> Outcome;
    /// Closes the socket behind the frames already queued for it.
    fn close(&mut self, close: CloseCode);
    /// Counts or logs.
    fn note(&mut self, fact: RouterFact);
}

/// Has one shard, and does what its tenants want, inside the shard's critical section: it never waits.
pub trait TenantPerformer {
    /// The shard.
    fn shard(&mut self) -> &mut Shard;
    /// Tells a connection's peer something.
    fn push(&mut self, conn: ConnKey, outbound: Outbound) -> Outcome;
    /// Asks the store.
    ///
    /// # Errors
    ///
    /// The ticket, if the queue to the store is full: the tenant is told `store_unavailable`.
    fn ask(&mut self, ticket: Ticket, request: Box<StoreRequest>) -> Result<(), Ticket>;
    /// Puts a message onto the lane to another node.
    ///
    /// # Errors
    ///
    /// The message and its outcome, if the lane does not take it.
    fn publish(&mut self, node: BootId, parcel: Parcel) -> Result<(), (Parcel, LaneOutcome)>;
    /// Puts a partial or typing onto the lane to another node, or drops it.
    fn publish_best_effort(
        &mut self,
        tenant: TenantId,
        node: BootId,
        stream: BestEffortStream,
        envelope: Bytes,
    );
    /// Tells a session, once the shard's lock is released.
    fn tell(&mut self, conn: ConnKey, notice: SessionNotice);
    /// Closes a socket behind the frames already queued for it.
    fn close(&mut self, conn: ConnKey, close: CloseCode);
    /// Looks whether a node lives that is not in the view.
    fn discover(&mut self, node: BootId);
    /// Ends the subscription to a tenant's changes.
    fn unload(&mut self, tenant: TenantId);
    /// Counts or logs.
    fn note(&mut self, fact: RouterFact);
}

/// Hands a session one input, and performs all that follows from it.
pub fn session(env: &Env<'_>, input: session::SessionInput, performer: &mut impl SessionPerformer) {
    let mut fx = Effects::default();
    let mut sent = 0;
    performer.session().handle(env, input, &mut fx);
    while let Some(effect) = fx.pop() {
        match effect {
            SessionEffect::Verify(credential) => {
                let verdict = performer.verify(&credential);
                let input = session::SessionInput::Verified(verdict);
                performer.session().handle(env, input, &mut fx);
            }
            SessionEffect::Join(join) => performer.join(join),
            SessionEffect::Route(route) => performer.route(route),
            SessionEffect::Request(request) => performer.request(request),
            SessionEffect::Leave(leave) => performer.leave(leave),
            SessionEffect::Ping => performer.ping(),
            SessionEffect::Deliver(outbound) => sent += performer.push(outbound).bytes(),
            SessionEffect::Close(close) => performer.close(close),
            SessionEffect::Note(fact) => performer.note(fact),
        }
    }
    if let Some(frame) = performer.session().take_usage(sent) {
        performer.count(frame);
    }
}

/// Hands a shard one input, and performs all that follows from it. Returns what is to be said to
/// the node that an [`Inbound`](shard::ShardInput::Inbound) message came from: the verdict, in which
/// nothing means delivered. Partials and typing have none.
pub fn shard(
    env: &Env<'_>,
    input: shard::ShardInput,
    performer: &mut impl TenantPerformer,
) -> Option<Option<Verdict>> {
    let mut decided = None;
    let mut sent = SentUsage::default();
    let mut fx = Effects::default();
    performer.shard().handle(env, input, &mut fx);
    while let Some(effect) = fx.pop() {
        match effect {
            TenantEffect::Deliver {
                receipt,
                conn,
                outbound,
            } => {
                let is_partial = receipt.is_none() && matches!(outbound, Outbound::Delivery(_));
                let outcome = performer.push(conn, outbound);
                if let Some(receipt) = receipt {
                    let input = shard::ShardInput::Settled { receipt, outcome };
                    performer.shard().handle(env, input, &mut fx);
                } else if let Outcome::Queued { bytes } = outcome {
                    sent.bytes += bytes as u64;
                    sent.partials += u64::from(is_partial);
                }
            }
            TenantEffect::Ask { ticket, request } => {
                if let Err(ticket) = performer.ask(ticket, request) {
                    let reply = Err(StoreFailure::Refused(ErrorCode::StoreUnavailable));
                    let input = shard::ShardInput::Reply { ticket, reply };
                    performer.shard().handle(env, input, &mut fx);
                }
            }
            TenantEffect::Publish { node, parcel } => {
                if let Err((parcel, outcome)) = performer.publish(node, parcel) {
                    let input = shard::ShardInput::Decided { parcel, outcome };
                    performer.shard().handle(env, input, &mut fx);
                }
            }
            TenantEffect::PublishBestEffort {
                tenant,
                node,
                stream,
                envelope,
            } => performer.publish_best_effort(tenant, node, *stream, envelope),
            TenantEffect::Decided(verdict) => decided = Some(verdict),
            TenantEffect::Tell { conn, notice } => performer.tell(conn, notice),
            TenantEffect::Close { conn, close } => performer.close(conn, close),
            TenantEffect::Discover(node) => performer.discover(node),
            TenantEffect::Unload(tenant) => performer.unload(tenant),
            TenantEffect::Note(fact) => performer.note(fact),
        }
    }
    // All frames without a receipt that follow from one input are for connections of one tenant: that of the
    // input, which the shard handled last.
    if sent != SentUsage::default() {
        performer.shard().count_sent(env, sent);
    }
    decided
}
