//! What a tenant may do a second, weighed by what it costs, and how little of that one token may.
//!
//! | done | weighs, in `messages_per_second` | and |
//! | --- | --- | --- |
//! | a message, partial or typing | 1, and 1 for each 8 KiB | its bytes, in `bytes_per_second` |
//! | each further connection or node that it goes to | the same again | its bytes again |
//! | a call | 1 | |
//! | a list of bots | 1, and 1 for each 8 KiB of the answer | |
//! | a subscription begun or ended, a `status` request | 1 | |
//! | a socket that joins, a wait in a cluster, a registration | | 1, in `joins_per_second` |
//!
//! What is known beforehand is asked for and may be refused; what shows later is a debt that later
//! requests pay ([`Gcra::charge`]). Each node grants a tenant its part of the rates: by the number of
//! running nodes that have connections of it. The bearers of one client's tokens have a quarter of that
//! together ([`TOKEN_SHARE`]), so that a weak token cannot exhaust its tenant.

use protocol::limits::{BYTES_PER_UNIT, TOKEN_RATES_MAX, TOKEN_SHARE};
use protocol::{ClientId, Limits};

use crate::env::{Env, Millis};
use crate::gcra::{Gcra, Rate};
use crate::permit::Grant;
use crate::small::SmallMap;

/// Most bytes that a bucket is behind, and which part of a burst at most.
const BYTES_STEP: u32 = 8 * 1024;
const BYTES_STEPS: u32 = 64;

/// The rates of one tenant on one of its nodes, or of one token there.
#[derive(Debug, Clone, Copy)]
struct RateAllowance<'a> {
    limits: &'a Limits,
    /// The rates are divided by so much.
    divisor: u32,
}

impl<'a> RateAllowance<'a> {
    /// `nodes`: at least 1.
    fn of(limits: &'a Limits, nodes: u32) -> Self {
        let divisor = nodes;
        Self { limits, divisor }
    }

    fn of_token(self) -> Self {
        let divisor = self.divisor.saturating_mul(TOKEN_SHARE);
        Self { divisor, ..self }
    }

    fn work(self) -> Rate {
        self.part(self.limits.messages_per_second, self.limits.messages_burst)
    }

    fn bytes(self) -> Rate {
        self.part(self.limits.bytes_per_second, self.limits.bytes_burst)
    }

    /// Bytes that gather while their bucket is full, before they are taken together: so most small
    /// messages take from one bucket only.
    fn bytes_step(self) -> u32 {
        BYTES_STEP.min(self.limits.bytes_burst / BYTES_STEPS)
    }

    fn joins(self) -> Rate {
        self.part(self.limits.joins_per_second, self.limits.joins_burst)
    }

    fn part(self, per_second: u32, burst: u32) -> Rate {
        if self.divisor == 1 {
            return Rate { per_second, burst };
        }
        Rate {
            per_second: (per_second / self.divisor).max(1),
            burst: (burst / self.divisor).max(1),
        }
    }
}

/// What is left of an allowance.
#[derive(Debug, Clone, Copy, Default)]
struct RateBuckets {
    work: Gcra,
    bytes: Gcra,
    /// Bytes that are not taken from `bytes` yet.
    bytes_left_out: u32,
    joins: Gcra,
}

impl RateBuckets {
    #[inline]
    fn take_message(
        &mut self,
        now_ms: Millis,
        allowed: RateAllowance<'_>,
        message: MessageWeight,
    ) -> Result<(), Millis> {
        if message.is_paid {
            self.work.charge(now_ms, allowed.work(), message.units - 1);
        } else {
            self.work
                .take_weighed(now_ms, allowed.work(), message.units)?;
        }
        let bytes = self.bytes_left_out.saturating_add(message.bytes);
        if bytes < allowed.bytes_step() && self.bytes.is_full(now_ms) {
            self.bytes_left_out = bytes;
            return Ok(());
        }
        self.bytes.take_weighed(now_ms, allowed.bytes(), bytes)?;
        self.bytes_left_out = 0;
        Ok(())
    }

    fn charge(&mut self, now_ms: Millis, allowed: RateAllowance<'_>, units: u32, bytes: u32) {
        self.work.charge(now_ms, allowed.work(), units);
        self.bytes.charge(now_ms, allowed.bytes(), bytes);
    }

    fn is_full(&self, now_ms: Millis) -> bool {
        let all = [self.work, self.bytes, self.joins];
        all.iter().all(|bucket| bucket.is_full(now_ms))
    }
}

/// What one message costs.
#[derive(Debug, Clone, Copy)]
pub(super) struct MessageWeight {
    units: u32,
    bytes: u32,
    /// Whether its first unit was taken when its call joined.
    is_paid: bool,
}

impl MessageWeight {
    pub fn of(bytes: usize, is_paid: bool) -> Self {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Self {
            units: 1 + bytes / BYTES_PER_UNIT,
            bytes,
            is_paid,
        }
    }
}

/// What so many bytes weigh.
pub(super) fn units_of(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX) / BYTES_PER_UNIT
}

/// The buckets of a tenant, and of the tokens that are in use.
#[derive(Debug, Default)]
pub(super) struct TenantRates {
    all: RateBuckets,
    /// By the client ids of tokens.
    tokens: SmallMap<ClientId, RateBuckets, 0>,
}

/// Whose buckets, on how many nodes, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct RatePayer<'a> {
    limits: &'a Limits,
    nodes: u32,
    /// The credential; absent: another node asks.
    grant: Option<&'a Grant>,
    now_ms: Millis,
}

impl<'a> RatePayer<'a> {
    /// `nodes`: how many have connections of the tenant.
    pub fn new(env: &Env<'_>, limits: &'a Limits, nodes: usize, grant: Option<&'a Grant>) -> Self {
        Self {
            limits,
            // Entries of a node that has ended stay until they expire: it serves nobody.
            nodes: (nodes as u32).min(env.nodes.running),
            grant,
            now_ms: env.now_ms,
        }
    }

    fn allowed(&self) -> RateAllowance<'a> {
        RateAllowance::of(self.limits, self.nodes)
    }
}

impl TenantRates {
    /// Takes a message of a socket, or what a call's weighs beyond the call itself. Errors: when it
    /// may be sent again.
    pub fn take_message(
        &mut self,
        payer: RatePayer<'_>,
        message: MessageWeight,
    ) -> Result<(), Millis> {
        let (now_ms, allowed) = (payer.now_ms, payer.allowed());
        if let Some(token) = self.token(payer) {
            token.take_message(now_ms, allowed.of_token(), message)?;
        }
        self.all.take_message(now_ms, allowed, message)
    }

    /// Takes a list, a call, or anything else that is one unit. Errors: when it may be asked again.
    pub fn take_unit(&mut self, payer: RatePayer<'_>) -> Result<(), Millis> {
        let (now_ms, allowed) = (payer.now_ms, payer.allowed());
        if let Some(token) = self.token(payer) {
            token.work.take(now_ms, allowed.of_token().work())?;
        }
        self.all.work.take(now_ms, allowed.work())
    }

    /// Takes a join, or a registration. Errors: when it may be tried again.
    pub fn take_join(&mut self, payer: RatePayer<'_>) -> Result<(), Millis> {
        let (now_ms, allowed) = (payer.now_ms, payer.allowed());
        if let Some(token) = self.token(payer) {
            token.joins.take(now_ms, allowed.of_token().joins())?;
        }
        self.all.joins.take(now_ms, allowed.joins())
    }

    /// Charges for the further places that a message goes to.
    pub fn charge_copies(&mut self, payer: RatePayer<'_>, message: MessageWeight, copies: usize) {
        let copies = u32::try_from(copies).unwrap_or(u32::MAX);
        let units = message.units.saturating_mul(copies);
        let bytes = message.bytes.saturating_mul(copies);
        self.charge(payer, units, bytes);
    }

    /// Charges for the answer of a list.
    pub fn charge_list(&mut self, payer: RatePayer<'_>, bytes: usize) {
        self.charge(payer, units_of(bytes), 0);
    }

    fn charge(&mut self, payer: RatePayer<'_>, units: u32, bytes: u32) {
        let (now_ms, allowed) = (payer.now_ms, payer.allowed());
        if let Some(token) = self.token(payer) {
            token.charge(now_ms, allowed.of_token(), units, bytes);
        }
        self.all.charge(now_ms, allowed, units, bytes);
    }

    #[inline]
    fn token(&mut self, payer: RatePayer<'_>) -> Option<&mut RateBuckets> {
        let client = payer.grant?.client()?;
        if !self.tokens.contains_key(client) {
            make_room(&mut self.tokens, payer.now_ms);
            self.tokens.insert(client.clone(), RateBuckets::default());
        }
        self.tokens.get_mut(client)
    }

    /// Which rates of the tenant refuse a request now: messages, bytes, joins.
    pub fn exhausted(&self, payer: RatePayer<'_>) -> [bool; 3] {
        let (now_ms, allowed) = (payer.now_ms, payer.allowed());
        let RateBuckets {
            work, bytes, joins, ..
        } = self.all;
        let is_exhausted = |mut bucket: Gcra, rate| bucket.take(now_ms, rate).is_err();
        [
            is_exhausted(work, allowed.work()),
            is_exhausted(bytes, allowed.bytes()),
            is_exhausted(joins, allowed.joins()),
        ]
    }

    /// Forgets the buckets that are full: they say nothing.
    pub fn forget(&mut self, now_ms: Millis) {
        self.tokens.retain(|_, buckets| !buckets.is_full(now_ms));
    }

    /// How many client ids have buckets of their own.
    #[cfg(test)]
    fn tokens(&self) -> usize {
        self.tokens.len()
    }
}

/// Full buckets say nothing and go; with none of them, those go of which most is left.
fn make_room(tokens: &mut SmallMap<ClientId, RateBuckets, 0>, now_ms: Millis) {
    if tokens.len() < TOKEN_RATES_MAX {
        return;
    }
    tokens.retain(|_, buckets| !buckets.is_full(now_ms));
    if tokens.len() < TOKEN_RATES_MAX {
        return;
    }
    let least = tokens.iter().min_by_key(|(_, it)| it.work.use_so_far());
    if let Some(client) = least.map(|(client, _)| client.clone()) {
        tokens.remove(&client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(i: usize) -> ClientId {
        ClientId::parse(&format!("client{i}")).unwrap()
    }

    #[test]
    fn buckets_of_tokens_are_bounded_and_the_fullest_go() {
        let mut tokens = SmallMap::default();
        let rate = Rate {
            per_second: 10,
            burst: 10,
        };
        for i in 0..TOKEN_RATES_MAX {
            make_room(&mut tokens, 1000);
            let mut buckets = RateBuckets::default();
            buckets.work.charge(1000, rate, if i == 7 { 1 } else { 2 });
            tokens.insert(client(i), buckets);
        }
        assert_eq!(tokens.len(), TOKEN_RATES_MAX, "at the limit nobody goes");
        make_room(&mut tokens, 1000);
        assert_eq!(tokens.len(), TOKEN_RATES_MAX - 1);
        assert!(!tokens.contains_key(&client(7)), "it had most left");
        tokens.insert(client(7), RateBuckets::default());
        make_room(&mut tokens, 1200);
        assert!(tokens.is_empty(), "all are full again");
    }

    #[test]
    fn keys_have_no_buckets_of_their_own() {
        let limits = Limits::default();
        let mut rates = TenantRates::default();
        let payer = RatePayer {
            limits: &limits,
            nodes: 1,
            grant: None,
            now_ms: 5,
        };
        assert_eq!(rates.take_unit(payer), Ok(()));
        assert_eq!(rates.tokens(), 0);
    }
}
