//! Worlds in which tenants have monthly allowances.

use std::sync::Arc;

use protocol::{Allowance, Allowances, BootId, PlanName, UsageCounts, UsageHour, UsageMeter};
use router_core::effect::RouterFact;
use router_core::store::{
    AssignedTerms, PolicyQuery, StoreQuery, StoreReply, StoreRequest, UsageQuery, UsageRecord,
    UsageReply,
};
use router_core::terms::Plan;
use router_core::{ConnKey, Settings};
use serde_json::Value;

use crate::talk::{alice, message};
use crate::world::{START_MS, World};

/// One flush of a tenant's usage, and a little more, milliseconds.
pub const FLUSH_MS: u64 = 10_001;

/// A soft allowance.
pub fn soft(amount: u64) -> Allowance {
    Allowance {
        soft: Some(amount),
        hard: None,
    }
}

/// A hard allowance.
pub fn hard(amount: u64) -> Allowance {
    Allowance {
        soft: None,
        hard: Some(amount),
    }
}

/// When the month of the start is over, Unix milliseconds.
pub fn resets_ms() -> u64 {
    UsageHour::of(START_MS).next_month().start_ms()
}

impl World {
    /// A world in which every tenant has these allowances.
    pub fn allowing(allowances: &[(UsageMeter, Allowance)]) -> Self {
        Self::of_plan(Plan {
            allowances: Arc::new(allowances.iter().copied().collect::<Allowances>()),
            ..Plan::default()
        })
    }

    /// A world in which every tenant has this plan.
    pub fn of_plan(plan: Plan) -> Self {
        let name = PlanName::parse("free").unwrap();
        Self::new(Settings {
            plans: [(name.clone(), plan)].into(),
            default_plan: Some(name),
            ..Settings::default()
        })
    }

    /// An operator assigns a plan which allows so many messages: one of those of [`Self::of_two_plans`], or none.
    pub fn assign(&mut self, plan: Option<&str>) {
        let terms = plan.map(|plan| AssignedTerms {
            plan: Some(PlanName::parse(plan).unwrap()),
            ..AssignedTerms::default()
        });
        let assign = PolicyQuery::Assign(terms.map(Arc::new));
        self.policy(&alice(), assign);
    }

    /// A world with the plans `large` and `small`, which allow six and four messages.
    pub fn of_two_plans() -> Self {
        let plan = |amount| Plan {
            allowances: Arc::new(
                [(UsageMeter::MessagesAccepted, hard(amount))]
                    .into_iter()
                    .collect(),
            ),
            ..Plan::default()
        };
        let name = |text| PlanName::parse(text).unwrap();
        Self::new(Settings {
            plans: [(name("large"), plan(6)), (name("small"), plan(4))].into(),
            ..Settings::default()
        })
    }

    /// Sends as many messages to `bot_a`; how each was answered.
    pub fn says_hello(&mut self, from: ConnKey, count: usize) -> Vec<String> {
        // What it was told before is no answer.
        self.take(from);
        let mut told = Vec::new();
        for _ in 0..count {
            told.extend(self.ask(from, message("bot_a", "hello")));
        }
        told
    }

    /// Another node books what it counted of a meter.
    pub fn other_node_books(&mut self, seq: u64, hour: UsageHour, meter: UsageMeter, amount: u64) {
        let counts: UsageCounts = [(meter, amount)].into_iter().collect();
        let record = UsageRecord {
            boot: BootId::from_bits(2),
            seq,
            hour,
            counts,
        };
        let query = UsageQuery::Book {
            record: Box::new(record),
            is_first_of_day: true,
        };
        let request = StoreRequest {
            tenant: alice(),
            now_ms: self.unix_ms(),
            query: StoreQuery::Usage(query),
        };
        assert!(self.model.execute(request).0.is_ok());
    }

    /// What the ledger has of an hour.
    pub fn booked(&mut self, hour: UsageHour) -> UsageCounts {
        let query = UsageQuery::Read {
            from: hour,
            to: hour.plus(1),
        };
        let request = StoreRequest {
            tenant: alice(),
            now_ms: self.unix_ms(),
            query: StoreQuery::Usage(query),
        };
        let reply = self
            .model
            .execute(request)
            .0
            .and_then(StoreReply::into_usage);
        let Ok(UsageReply::Hours { hours, .. }) = reply else {
            panic!("the store answers with hours: {reply:?}")
        };
        hours
            .first()
            .map(|(_, usage)| usage.counts)
            .unwrap_or_default()
    }

    /// How often it was noted that a soft allowance is reached.
    pub fn times_reached(&self) -> usize {
        let facts = self.facts.iter();
        let reached = facts.filter(|fact| matches!(fact, RouterFact::AllowanceReached(_)));
        reached.count()
    }

    /// The store answers everything that is asked. An hour is damaged: how many messages it has cannot be read.
    pub fn answer_damaged(&mut self, damaged: UsageHour) {
        while self.asks.get(&alice()).is_some_and(|asks| !asks.is_empty()) {
            self.answer_with(&alice(), |model, request| {
                let mut reply = model.execute(request).0;
                if let Ok(StoreReply::Usage(UsageReply::Hours { hours, .. })) = &mut reply {
                    let found = hours.iter_mut().find(|(hour, _)| *hour == damaged);
                    let (_, usage) = found.expect("the hour is read");
                    usage.counts[UsageMeter::MessagesAccepted] = 0;
                    usage.is_damaged = true;
                }
                reply
            });
        }
    }

    /// The status frames about allowances that a socket was told since it last took.
    pub fn quotas(&mut self, conn: ConnKey) -> Vec<Value> {
        let frames = self.take(conn).into_iter();
        let statuses = frames.filter(|frame| frame["type"] == "status");
        let quotas = statuses.filter(|frame| frame["data"]["type"] == "quota");
        quotas.map(|frame| frame["data"].clone()).collect()
    }
}
