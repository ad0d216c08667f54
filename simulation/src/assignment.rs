//! The plans and limits that operators assign to tenants while a run goes on, and what these say.
//!
//! | what is assigned | bots of a tenant | bots of a socket | messages of a month |
//! | --- | --- | --- | --- |
//! | nothing | 1,000 | 64 | any |
//! | the plan `roomy` | 900 | 64 | 100,000 |
//! | the plan `tight` | 800 | 64 | 40 |
//! | limits only | 1,000 | 60 | any |
//! | the plan `tight`, and limits | 800 | 60 | 40 |
//!
//! No peer reaches these limits of bots. They only show which terms a node applies.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::{Allowance, LimitChanges, Limits, PlanName, UsageMeter};
use router_core::store::AssignedTerms;
use router_core::terms::{Plan, TenantTerms};

use crate::dice::SeededDice;

/// What a plan is called, how many bots it gives a tenant, and how many messages a month.
const PLANS: [(&str, u32, u64); 2] = [("roomy", 900, 100_000), ("tight", 800, 40)];
/// The bots that a socket may hold by limits that are assigned.
const SOCKET_BOTS: u32 = 60;

/// The terms of a tenant, as far as an assignment changes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TermsFigures {
    bots_per_tenant: u32,
    bots_per_socket: u32,
    /// How many messages a month may be accepted; absent: any.
    pub messages: Option<u64>,
}

impl TermsFigures {
    /// What an assignment says, by the table above.
    pub fn of(assigned: Option<&AssignedTerms>) -> Self {
        let plan = assigned.and_then(|assigned| assigned.plan.as_ref());
        let plan = plan.and_then(|plan| PLANS.iter().find(|(name, ..)| *name == plan.as_str()));
        let has_limits = assigned.is_some_and(|assigned| !assigned.limits.is_empty());
        Self {
            bots_per_tenant: plan.map_or(1000, |(_, bots, _)| *bots),
            bots_per_socket: if has_limits { SOCKET_BOTS } else { 64 },
            messages: plan.map(|(.., messages)| *messages),
        }
    }

    /// What a node applies.
    pub fn applied(terms: &TenantTerms) -> Self {
        let mut allowances = terms.allowances.iter();
        let messages = allowances.find(|(meter, _)| *meter == UsageMeter::MessagesAccepted);
        Self {
            bots_per_tenant: terms.limits.bots_per_tenant,
            bots_per_socket: terms.limits.bots_per_socket,
            messages: messages.and_then(|(_, allowance)| allowance.hard),
        }
    }
}

/// The plans that may be assigned.
pub(crate) fn plans(limits: &Limits) -> BTreeMap<PlanName, Plan> {
    let plans = PLANS.iter().map(|(name, bots, messages)| {
        let mut changes = LimitChanges::default();
        changes
            .set("bots_per_tenant", u64::from(*bots))
            .expect("it is a limit");
        let hard = Allowance {
            soft: None,
            hard: Some(*messages),
        };
        let allowances = [(UsageMeter::MessagesAccepted, hard)];
        let plan = Plan {
            limits: Arc::new(changes.over(limits)),
            allowances: Arc::new(allowances.into_iter().collect()),
        };
        (PlanName::parse(name).expect("it is a name"), plan)
    });
    plans.collect()
}

/// What an operator assigns next: a row of the table.
pub(crate) fn draw(dice: &mut SeededDice) -> Option<Arc<AssignedTerms>> {
    let name = |text| PlanName::parse(text).expect("it is a name");
    let mut limits = LimitChanges::default();
    limits
        .set("bots_per_socket", u64::from(SOCKET_BOTS))
        .expect("it is a limit");
    let none = LimitChanges::default();
    let (plan, limits) = match dice.below(8) {
        0 => (None, none),
        1 => (None, limits),
        // A tight plan lowers the allowance only after a roomy one.
        2..5 => (Some(name("roomy")), none),
        5 => (Some(name("tight")), limits),
        _ => (Some(name("tight")), none),
    };
    AssignedTerms { plan, limits }.non_empty()
}
