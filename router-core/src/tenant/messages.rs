//! Hands messages, and what became of them, to the part that they are for.

use protocol::{Envelope, UsageMeter};

use super::Tenant;
use super::delivery::{Delivery, DeliveryContext};
use super::presence::Presence;
use super::presence::telling::PresenceAudience;
use crate::effect::{Outcome, TenantEffects};
use crate::env::Env;
use crate::ids::ConnKey;
use crate::lane::{LaneOutcome, Parcel};
use crate::request::RouteRequest;

impl Tenant {
    /// Takes a message of a connection.
    pub(crate) fn route(
        &mut self,
        env: &Env<'_>,
        route: Box<RouteRequest>,
        fx: &mut TenantEffects,
    ) {
        self.count_frame(env, route.frame_bytes);
        let (delivery, ctx) = self.delivery(env);
        delivery.route(ctx, route, fx);
    }

    /// Takes a message from another node.
    pub(crate) fn inbound(&mut self, env: &Env<'_>, envelope: Envelope, fx: &mut TenantEffects) {
        let (delivery, ctx) = self.delivery(env);
        delivery.inbound(ctx, envelope, fx);
    }

    /// Takes the outcome of one delivery of a message to a connection of this node; false: this one
    /// is no message's.
    pub(crate) fn settled(
        &mut self,
        env: &Env<'_>,
        number: u64,
        outcome: Outcome,
        fx: &mut TenantEffects,
    ) -> bool {
        let (delivery, ctx) = self.delivery(env);
        delivery.settled(ctx, number, outcome, fx)
    }

    /// Takes what became of a message on its lane to another node.
    pub(crate) fn decided(
        &mut self,
        env: &Env<'_>,
        parcel: &Parcel,
        outcome: LaneOutcome,
        fx: &mut TenantEffects,
    ) {
        let (delivery, ctx) = self.delivery(env);
        delivery.decided(ctx, parcel, outcome, fx);
    }

    /// Takes the outcome of a presence delivery.
    pub(crate) fn presence_settled(
        &mut self,
        env: &Env<'_>,
        number: u64,
        outcome: Outcome,
        fx: &mut TenantEffects,
    ) {
        if let Outcome::Queued { bytes } = outcome {
            let counts = self.meter.counts(env);
            counts[UsageMeter::BytesOut] += bytes as u64;
        }
        let (presence, to) = self.presence();
        presence.settled(env, (number, outcome), to, fx);
    }

    /// A socket's queue has room again.
    pub(crate) fn room(&mut self, env: &Env<'_>, key: ConnKey, fx: &mut TenantEffects) {
        let (presence, to) = self.presence();
        presence.room(env, key, to, fx);
    }

    #[inline]
    fn delivery<'a>(&'a mut self, env: &'a Env<'a>) -> (&'a mut Delivery, DeliveryContext<'a>) {
        let ctx = DeliveryContext {
            env,
            limits: &self.limits,
            members: &mut self.members,
            bots: &self.bots,
            receipts: &mut self.receipts,
            meter: &mut self.meter,
            quota: self.quota.as_deref(),
        };
        (&mut self.delivery, ctx)
    }

    pub(super) fn presence(&mut self) -> (&mut Presence, PresenceAudience<'_>) {
        let to = PresenceAudience {
            members: &mut self.members,
            receipts: &mut self.receipts,
        };
        (&mut self.presence, to)
    }
}
