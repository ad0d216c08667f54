//! What a machine may know of the world: the time, some entropy, the settings. All are arguments.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::limits::TENANT_LINGER_MS;
use protocol::{ConnectionId, Limits, MessageId, TenantId};
use ulid::{ULID_LEN, Ulid};

use crate::membership::NodeView;

pub use crate::time::Millis;

/// The world for one `handle`.
#[derive(Debug, Clone, Copy)]
pub struct Env<'a> {
    /// The time for deadlines and rates, milliseconds. It runs on whatever happens to the wall clock,
    /// and never goes back.
    pub now_ms: Millis,
    /// The wall clock, Unix milliseconds: for what leaves the process, and what is compared with a
    /// time from outside. It may be set to another time, earlier or later.
    pub unix_ms: Millis,
    /// 128 fresh bits. They make ids unique, not secret.
    pub entropy: u128,
    /// What the operator chose.
    pub settings: &'a Settings,
    /// Which nodes there are.
    pub nodes: &'a NodeView,
    /// How long it takes at least until every tenant has asked the store something, milliseconds.
    pub round_ms: Millis,
}

impl Env<'_> {
    /// A message id of ours: a ULID of this moment.
    pub fn message_id(&self) -> MessageId {
        MessageId::from_ulid(self.ulid().0)
    }

    /// A connection id: `conn_` and a ULID of this moment.
    pub fn connection_id(&self) -> ConnectionId {
        let mut text = [0; ULID_LEN];
        ConnectionId::from_ulid(self.ulid().array_to_str(&mut text))
            .expect("a ULID is 26 letters and digits")
    }

    fn ulid(&self) -> Ulid {
        Ulid::from_parts(self.unix_ms, self.entropy)
    }

    /// A fraction in `[0, 1)` for jitter.
    pub fn jitter(&self) -> f64 {
        fraction(self.entropy as u32)
    }

    /// The same, another one for each of many tenants that are handled at once.
    pub(crate) fn jitter_of(&self, tenant: &TenantId) -> f64 {
        // FNV-1a, as it need not be secret.
        let bytes = tenant.as_str().bytes();
        let mixed = bytes.fold(self.entropy as u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        fraction((mixed >> 32) as u32)
    }
}

fn fraction(bits: u32) -> f64 {
    f64::from(bits) / f64::from(u32::MAX).next_up()
}

/// What the operator chose, checked and ready to use.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Limits of every tenant that has none of its own.
    pub limits: Arc<Limits>,
    /// Tenants with settings of their own.
    pub tenants: BTreeMap<TenantId, TenantSettings>,
    /// How often a socket is pinged, milliseconds.
    pub heartbeat_ms: Millis,
    /// How long a socket may stay without a credential, milliseconds.
    pub handshake_timeout_ms: Millis,
    /// Until when an unknown name is answered `bot_offline`, because the bots of a node whose
    /// store starts empty are still coming back. Unix milliseconds; 0 = never.
    pub grace_until_ms: Millis,
    /// How long a tenant without connections stays in memory, milliseconds.
    pub tenant_linger_ms: Millis,
    /// How often a tenant has its usage booked, milliseconds.
    pub usage_flush_ms: Millis,
}

/// One tenant's own settings.
#[derive(Debug, Clone, Default)]
pub struct TenantSettings {
    /// Its limits.
    pub limits: Arc<Limits>,
    /// The least key generation that is valid.
    pub key_generation: u64,
    /// Whether it may not connect.
    pub suspended: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Arc::default(),
            tenants: BTreeMap::new(),
            heartbeat_ms: 25_000,
            handshake_timeout_ms: 10_000,
            grace_until_ms: 0,
            tenant_linger_ms: TENANT_LINGER_MS,
            usage_flush_ms: 10_000,
        }
    }
}

impl Settings {
    /// The limits of a tenant.
    pub fn limits_of(&self, tenant: &TenantId) -> Arc<Limits> {
        Arc::clone(
            self.tenants
                .get(tenant)
                .map_or(&self.limits, |own| &own.limits),
        )
    }

    /// What the configuration file says of a tenant: least key generation, and whether suspended.
    pub fn policy_of(&self, tenant: &TenantId) -> (u64, bool) {
        self.tenants
            .get(tenant)
            .map_or((0, false), |own| (own.key_generation, own.suspended))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_below_one() {
        let settings = Settings::default();
        let nodes = NodeView::alone(protocol::BootId::from_bits(1));
        for entropy in [0, 1, u128::from(u32::MAX), u128::MAX] {
            let jitter = Env {
                now_ms: 0,
                unix_ms: 0,
                entropy,
                settings: &settings,
                nodes: &nodes,
                round_ms: 0,
            }
            .jitter();
            assert!((0.0..1.0).contains(&jitter), "{entropy:x} gave {jitter}");
        }
    }
}
