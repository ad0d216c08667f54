//! The reference meaning of labels. A store in memory loses them when its process ends.

use std::collections::BTreeMap;

use protocol::{ErrorCode, TenantId, TenantLabels};

use super::reply::LabelsReply;
use super::request::LabelsQuery;
use crate::store::budget::StoreBudget;
use crate::store::reply::{StoreFailure, StoreResult};

/// Charged for each label besides its texts: map nodes and allocations.
const LABEL_OVERHEAD_BYTES: u64 = 128;

/// The labels of all tenants that have some.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct LabelsModel {
    labels: BTreeMap<TenantId, TenantLabels>,
}

impl LabelsModel {
    /// Answers a query.
    pub(in crate::store) fn execute(
        &mut self,
        tenant: &TenantId,
        query: LabelsQuery,
        budget: &mut StoreBudget,
    ) -> StoreResult<LabelsReply> {
        let labels = match query {
            LabelsQuery::Get => self.labels.get(tenant).cloned().unwrap_or_default(),
            LabelsQuery::Put(labels) => self.put(tenant, labels, budget)?,
        };
        Ok(LabelsReply::Labels(labels))
    }

    /// The tenants that have some.
    pub(in crate::store) fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        self.labels.keys()
    }

    fn put(
        &mut self,
        tenant: &TenantId,
        labels: TenantLabels,
        budget: &mut StoreBudget,
    ) -> StoreResult<TenantLabels> {
        let held = self.labels.get(tenant).map_or(0, bytes_of);
        let asked = bytes_of(&labels);
        if asked > held && asked - held > budget.room(held) {
            return Err(StoreFailure::Refused(ErrorCode::QuotaExceeded));
        }
        budget.replace(held, asked);
        match labels.is_empty() {
            true => self.labels.remove(tenant),
            false => self.labels.insert(tenant.clone(), labels.clone()),
        };
        Ok(labels)
    }
}

fn bytes_of(labels: &TenantLabels) -> u64 {
    let texts = labels.iter().map(|(name, value)| name.len() + value.len());
    texts.map(|bytes| LABEL_OVERHEAD_BYTES + bytes as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(value: &str) -> TenantLabels {
        let mut labels = TenantLabels::default();
        labels.add("plan".to_owned(), value.to_owned()).unwrap();
        labels
    }

    #[test]
    fn labels_are_charged_until_they_are_removed() {
        let tenant = TenantId::parse("alice").unwrap();
        let mut budget = StoreBudget::new(1 << 20);
        let mut model = LabelsModel::default();
        let mut put = |labels: TenantLabels| {
            let put = model.execute(&tenant, LabelsQuery::Put(labels.clone()), &mut budget);
            assert_eq!(put, Ok(LabelsReply::Labels(labels)));
            budget.used()
        };
        let (short, long) = (put(labels("a")), put(labels("abc")));
        assert_eq!(long, short + 2);
        assert_eq!(put(TenantLabels::default()), 0);
    }

    #[test]
    fn a_full_store_refuses_more_and_keeps_what_it_has() {
        let tenant = TenantId::parse("alice").unwrap();
        let mut budget = StoreBudget::new(9 * (LABEL_OVERHEAD_BYTES + 5));
        let mut model = LabelsModel::default();
        let mut put = |value: &str| {
            let query = LabelsQuery::Put(labels(value));
            model.execute(&tenant, query, &mut budget)
        };
        assert_eq!(put("a"), Ok(LabelsReply::Labels(labels("a"))));
        let full = Err(StoreFailure::Refused(ErrorCode::QuotaExceeded));
        assert_eq!(put(&"a".repeat(60)), full);
        assert_eq!(put("b"), Ok(LabelsReply::Labels(labels("b"))));
        let now = model.execute(&tenant, LabelsQuery::Get, &mut budget);
        assert_eq!(now, Ok(LabelsReply::Labels(labels("b"))));
    }
}
