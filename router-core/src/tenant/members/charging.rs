//! Who pays for what: takes from the rates of the tenant, and of the token that a connection has.

use protocol::{Envelope, ErrorCode, Limits, Refusal};

use super::Members;
use super::connection::Connection;
use super::rates::{MessageWeight, RatePayer};
use crate::env::{Env, Millis};
use crate::ids::ConnKey;
use crate::permit::Grant;
use crate::small::SmallMap;

impl Members {
    /// Which of the tenant's rates refuse a request on this node now: messages, bytes, joins.
    pub fn exhausted_rates(&self, env: &Env<'_>, limits: &Limits) -> [bool; 3] {
        let payer = RatePayer::new(env, limits, self.node_count(), None);
        self.rates.exhausted(payer)
    }

    /// Whether a connection may send a message now, in the name that it gives. Takes it from the
    /// rates. Errors: why, and when it may be sent again.
    pub fn take_message(
        &mut self,
        env: &Env<'_>,
        limits: &Limits,
        sender: ConnKey,
        envelope: &Envelope,
    ) -> Result<(), Refusal> {
        let nodes = self.node_count();
        let Some(conn) = self.connections.get(&sender) else {
            return Err(ErrorCode::NotYourIdentity.into());
        };
        if !conn.speaks_as(&envelope.from) {
            return Err(ErrorCode::NotYourIdentity.into());
        }
        let is_paid = conn.capabilities.pays_when_it_joins();
        let payer = RatePayer::new(env, limits, nodes, Some(&conn.grant));
        let weight = MessageWeight::of(envelope.message.body.len(), is_paid);
        let taken = self.rates.take_message(payer, weight);
        taken.map_err(Refusal::rate)
    }

    /// Charges for the further places that a message goes to. `sender`: absent if another node sent
    /// it.
    pub fn charge_copies(
        &mut self,
        env: &Env<'_>,
        limits: &Limits,
        sender: Option<ConnKey>,
        (envelope, copies): (&Envelope, usize),
    ) {
        let nodes = self.node_count();
        let conn = sender.and_then(|sender| self.connections.get(&sender));
        let payer = RatePayer::new(env, limits, nodes, conn.map(|conn| &conn.grant));
        let weight = MessageWeight::of(envelope.message.body.len(), true);
        self.rates.charge_copies(payer, weight, copies);
    }

    /// Takes what a list costs before it is made. Errors: when it may be asked for again.
    pub fn take_list(
        &mut self,
        env: &Env<'_>,
        limits: &Limits,
        key: ConnKey,
    ) -> Result<(), Millis> {
        let conn = self.connections.get(&key);
        match conn.is_some_and(|conn| conn.capabilities.pays_when_it_joins()) {
            true => Ok(()),
            false => self.take_unit(env, limits, key),
        }
    }

    /// Takes one unit, for anything that is neither a message nor a join. Errors: when it may be
    /// asked for again.
    pub fn take_unit(
        &mut self,
        env: &Env<'_>,
        limits: &Limits,
        key: ConnKey,
    ) -> Result<(), Millis> {
        let nodes = self.node_count();
        let grant = grant_of(&self.connections, key);
        self.rates
            .take_unit(RatePayer::new(env, limits, nodes, grant))
    }

    /// Takes a step of the directory. Errors: when it may be tried again.
    pub fn take_join(
        &mut self,
        env: &Env<'_>,
        limits: &Limits,
        key: ConnKey,
    ) -> Result<(), Millis> {
        let nodes = self.node_count();
        let grant = grant_of(&self.connections, key);
        self.rates
            .take_join(RatePayer::new(env, limits, nodes, grant))
    }

    /// Charges for the answer of a list, of so many bytes.
    pub fn charge_list(&mut self, env: &Env<'_>, limits: &Limits, key: ConnKey, bytes: usize) {
        let nodes = self.node_count();
        let grant = grant_of(&self.connections, key);
        let payer = RatePayer::new(env, limits, nodes, grant);
        self.rates.charge_list(payer, bytes);
    }

    /// Forgets the buckets of tokens that are full.
    pub fn forget_full_buckets(&mut self, now_ms: Millis) {
        self.rates.forget(now_ms);
    }
}

/// The credential of a connection; absent if it is gone.
fn grant_of(connections: &SmallMap<ConnKey, Box<Connection>, 2>, key: ConnKey) -> Option<&Grant> {
    connections.get(&key).map(|conn| &conn.grant)
}
