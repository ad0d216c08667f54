//! How much of its limits a tenant uses now, for operators.

use std::borrow::Cow;

use protocol::UsageMeter;

use super::Tenant;
use crate::env::Env;

/// How much of one limit a tenant uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitUse {
    /// The limit, as the configuration names it; a hard allowance is `month.<meter>`.
    pub name: Cow<'static, str>,
    /// How many of the limited things there are; absent for a rate.
    pub used: Option<u64>,
    /// The limit; for a rate, of all nodes together.
    pub most: u64,
    /// Whether a further one is refused now.
    pub is_reached: bool,
}

impl LimitUse {
    fn count(name: &'static str, used: usize, most: u32) -> Self {
        let (used, most) = (used as u64, u64::from(most));
        Self {
            name: name.into(),
            used: Some(used),
            most,
            is_reached: used >= most,
        }
    }

    fn month(meter: UsageMeter, used: u64, hard: u64) -> Self {
        Self {
            name: format!("month.{}", meter.name()).into(),
            used: Some(meter.whole(used)),
            most: meter.whole(hard),
            is_reached: used >= hard,
        }
    }

    fn rate(name: &'static str, is_reached: bool, most: u32) -> Self {
        Self {
            name: name.into(),
            used: None,
            most: most.into(),
            is_reached,
        }
    }
}

impl Tenant {
    /// How much of its limits it uses: the counts are of all nodes, the rates of this one;
    /// hard allowances are what the ledger has of this month and this node counted since.
    pub(crate) fn limit_uses(&self, env: &Env<'_>) -> Vec<LimitUse> {
        let (limits, members) = (&*self.limits, &self.members);
        let [messages, bytes, joins] = members.exhausted_rates(env, limits);
        let mut uses = vec![
            LimitUse::count(
                "sockets_per_tenant",
                members.socket_count(),
                limits.sockets_per_tenant,
            ),
            LimitUse::count("bots_per_tenant", self.bots.len(), limits.bots_per_tenant),
            LimitUse::count(
                "waits_per_tenant",
                members.wait_count(),
                limits.waits_per_tenant,
            ),
            LimitUse::rate("messages_per_second", messages, limits.messages_per_second),
            LimitUse::rate("bytes_per_second", bytes, limits.bytes_per_second),
            LimitUse::rate("joins_per_second", joins, limits.joins_per_second),
        ];
        let quota = self.quota.iter();
        let allowances = quota.flat_map(|quota| quota.hard(env, &self.meter));
        uses.extend(allowances.map(|(meter, used, hard)| LimitUse::month(meter, used, hard)));
        uses
    }
}
