//! The tables `[tenants.<id>]`: what holds for one tenant.

use std::collections::BTreeMap;

use protocol::{Limits, PlanName, TenantId};
use router_core::terms::{Plan, TenantSettings};

use super::limits::field;
use super::raw::{ConfigError, RawTenant};
use super::values::{key_generation, switch};

/// What the limits of a tenant lie over.
pub(super) struct TermsBelow<'a> {
    pub limits: &'a Limits,
    pub plans: &'a BTreeMap<PlanName, Plan>,
    pub default_plan: Option<&'a PlanName>,
}

impl TermsBelow<'_> {
    fn of(&self, plan: Option<&PlanName>) -> &Limits {
        let plan = plan.or(self.default_plan);
        let plan = plan.and_then(|plan| self.plans.get(plan));
        plan.map_or(self.limits, |plan| &plan.limits)
    }
}

/// The tenants of the file.
pub(super) fn read(
    below: &TermsBelow<'_>,
    raw: &BTreeMap<String, RawTenant>,
) -> Result<BTreeMap<TenantId, TenantSettings>, ConfigError> {
    let tenants = raw.iter().map(|(id, raw)| {
        let table = format!("tenants.{id}");
        let tenant = TenantId::parse(id).map_err(|e| ConfigError::new(&table, &raw.place, e))?;
        let plan = |text: &str| super::plans::named(below.plans, text);
        let plan = field((&table, "plan"), raw.plan.as_ref(), plan)?;
        let limits = below.of(plan.as_ref());
        let limits = super::limits::read(limits, &raw.limits, &format!("{table}.limits"))?;
        let generation = raw.key_generation.as_ref();
        let generation = field((&table, "key_generation"), generation, key_generation)?;
        let suspended = field((&table, "suspended"), raw.suspended.as_ref(), switch)?;
        let settings = TenantSettings {
            plan,
            limits,
            key_generation: generation.unwrap_or_default(),
            suspended: suspended.unwrap_or_default(),
        };
        Ok((tenant, settings))
    });
    tenants.collect()
}
