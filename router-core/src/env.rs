//! What a machine may know of the world: the time, some entropy, the settings. All are arguments.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::lane::KeyId;
use protocol::limits::TENANT_LINGER_MS;
use protocol::{ConnectionId, Limits, MessageId, PlanName, TenantId};
use ulid::{ULID_LEN, Ulid};

use crate::membership::NodeView;
use crate::store::AssignedTerms;
use crate::terms::{Plan, TenantSettings, TenantTerms};

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
    /// Limits of every tenant without a plan.
    pub limits: Arc<Limits>,
    /// What tenants may use, by plan.
    pub plans: BTreeMap<PlanName, Plan>,
    /// The plan of every tenant that has no other.
    pub default_plan: Option<PlanName>,
    /// Tenants with settings of their own.
    pub tenants: BTreeMap<TenantId, TenantSettings>,
    /// The id of the secret that signs keys and tokens: who used another is counted.
    pub first_secret: KeyId,
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

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Arc::default(),
            plans: BTreeMap::new(),
            default_plan: None,
            tenants: BTreeMap::new(),
            first_secret: KeyId::from_bits(0),
            heartbeat_ms: 25_000,
            handshake_timeout_ms: 10_000,
            grace_until_ms: 0,
            tenant_linger_ms: TENANT_LINGER_MS,
            usage_flush_ms: 10_000,
        }
    }
}

impl Settings {
    /// The terms of a tenant to which an operator assigned this.
    pub fn terms_of(&self, tenant: &TenantId, assigned: Option<&AssignedTerms>) -> TenantTerms {
        let own = self.tenants.get(tenant);
        let plan = self.plan_of(tenant, assigned);
        let plan = plan.and_then(|plan| self.plans.get(plan));
        let mut terms = match plan {
            Some(Plan { limits, allowances }) => TenantTerms {
                limits: Arc::clone(limits),
                allowances: Arc::clone(allowances),
            },
            None => TenantTerms {
                limits: Arc::clone(&self.limits),
                allowances: Arc::default(),
            },
        };
        let changes = own.map(|own| &own.limits);
        let assigned = assigned.map(|assigned| &assigned.limits);
        for changes in changes.into_iter().chain(assigned) {
            if !changes.is_empty() {
                terms.limits = Arc::new(changes.over(&terms.limits));
            }
        }
        terms
    }

    /// The name of the plan of a tenant to which an operator assigned this. A plan that is assigned and that
    /// the configuration does not have is as good as none.
    pub fn plan_of<'a>(
        &'a self,
        tenant: &TenantId,
        assigned: Option<&'a AssignedTerms>,
    ) -> Option<&'a PlanName> {
        let assigned = assigned.and_then(|assigned| assigned.plan.as_ref());
        let assigned = assigned.filter(|plan| self.plans.contains_key(*plan));
        let own = || self.tenants.get(tenant).and_then(|own| own.plan.as_ref());
        assigned.or_else(own).or(self.default_plan.as_ref())
    }

    /// The largest frame that the configuration allows any tenant, bytes.
    pub fn largest_frame(&self) -> u32 {
        let plans = self.plans.values().map(|plan| plan.limits.frame_bytes);
        let tenants = self.tenants.keys();
        let tenants = tenants.map(|tenant| self.terms_of(tenant, None).limits.frame_bytes);
        let all = plans.chain(tenants);
        all.fold(self.limits.frame_bytes, u32::max)
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
    use protocol::{Allowance, Allowances, LimitChanges, UsageMeter};

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

    fn changes(name: &str, number: u64) -> LimitChanges {
        let mut changes = LimitChanges::default();
        changes.set(name, number).unwrap();
        changes
    }

    #[test]
    fn the_limits_of_a_tenant_lie_over_its_plan_and_those_over_the_node() {
        let name = |text| PlanName::parse(text).unwrap();
        let tenant = |text| TenantId::parse(text).unwrap();
        let hard = Allowance {
            soft: None,
            hard: Some(5),
        };
        let allowances: Allowances = [(UsageMeter::MessagesAccepted, hard)].into_iter().collect();
        let limits = Limits {
            messages_burst: 77,
            ..Limits::default()
        };
        let free = Plan {
            limits: Arc::new(changes("messages_per_second", 10).over(&limits)),
            allowances: Arc::new(allowances.clone()),
        };
        let pro = Plan {
            limits: Arc::new(changes("messages_per_second", 20).over(&limits)),
            allowances: Arc::default(),
        };
        let own = TenantSettings {
            plan: Some(name("pro")),
            limits: changes("bots_per_tenant", 3),
            ..TenantSettings::default()
        };
        let mut settings = Settings {
            limits: Arc::new(limits.clone()),
            plans: [(name("free"), free), (name("pro"), pro)].into(),
            default_plan: Some(name("free")),
            tenants: [(tenant("alice"), own)].into(),
            ..Settings::default()
        };

        let alice = settings.terms_of(&tenant("alice"), None);
        let expected = Limits {
            messages_per_second: 20,
            bots_per_tenant: 3,
            ..limits.clone()
        };
        assert_eq!(*alice.limits, expected);
        assert!(alice.allowances.is_empty());
        let bob = settings.terms_of(&tenant("bob"), None);
        assert_eq!(bob.limits.messages_per_second, 10);
        assert_eq!(*bob.allowances, allowances);

        let assigned = AssignedTerms {
            plan: Some(name("pro")),
            limits: changes("bots_per_tenant", 4),
        };
        let bob = settings.terms_of(&tenant("bob"), Some(&assigned));
        assert_eq!(bob.limits.messages_per_second, 20);
        assert_eq!(bob.limits.bots_per_tenant, 4);
        assert!(bob.allowances.is_empty());
        let gone = AssignedTerms {
            plan: Some(name("gone")),
            ..AssignedTerms::default()
        };
        let terms = settings.terms_of(&tenant("bob"), Some(&gone));
        assert_eq!(terms.limits.messages_per_second, 10, "as without it");

        settings.default_plan = None;
        assert_eq!(*settings.terms_of(&tenant("bob"), None).limits, limits);
    }
}
