//! The state that the records of a file add up to.

use std::collections::BTreeMap;

use protocol::{UsageHour, UsageMeter};

use super::coverage::UsageCoverage;
use super::records::StateRecord;
use crate::usage::export::row_key::{RowKey, RowSpace};

/// What a record says of a row. A row without one is pending, or acknowledged if its hour is covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowState {
    /// It was sent first at this time, Unix milliseconds, and the receiver may have it.
    Sent(u64),
    /// The receiver has it.
    Acknowledged,
}

/// Every row that has a record, and what is covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StateRows {
    space: RowSpace,
    begin: Option<UsageHour>,
    covered: UsageCoverage,
    rows: BTreeMap<RowKey, RowState>,
}

impl StateRows {
    /// No record.
    pub(super) fn new(space: RowSpace) -> Self {
        Self {
            space,
            begin: None,
            covered: UsageCoverage::default(),
            rows: BTreeMap::new(),
        }
    }

    /// Adds a record. Says whether it is one that this file can have: its rows are of the file's cluster and step.
    pub(super) fn add(&mut self, record: &StateRecord) -> bool {
        match record {
            StateRecord::Begin(hour) => {
                self.begin.get_or_insert(*hour);
                true
            }
            StateRecord::Sent { at, rows } => self.each(rows, |all, key| {
                // The first time counts: the window of the receiver may have begun then.
                all.entry(key).or_insert(RowState::Sent(*at));
            }),
            StateRecord::Acknowledged(rows) => self.each(rows, |all, key| {
                all.insert(key, RowState::Acknowledged);
            }),
            StateRecord::Pending(rows) => self.each(rows, |all, key| {
                all.remove(&key);
            }),
            StateRecord::Covered { meters, from, to } => {
                for meter in meters {
                    self.covered.add(*meter, (*from, *to));
                }
                let covered = &self.covered;
                self.rows.retain(|key, _| !covered.has(key.meter, key.from));
                true
            }
        }
    }

    fn each(
        &mut self,
        ids: &[String],
        mut change: impl FnMut(&mut BTreeMap<RowKey, RowState>, RowKey),
    ) -> bool {
        for id in ids {
            let Some(key) = self.space.parse(id) else {
                return false;
            };
            change(&mut self.rows, key);
        }
        true
    }

    /// Whether the receiver has a row.
    pub(super) fn is_acknowledged(&self, key: &RowKey) -> bool {
        match self.rows.get(key) {
            Some(state) => *state == RowState::Acknowledged,
            None => self.covered.has(key.meter, key.from),
        }
    }

    /// When a row was sent first, Unix milliseconds, if nothing is known of it since.
    pub(super) fn sent_ms(&self, key: &RowKey) -> Option<u64> {
        match self.rows.get(key) {
            Some(RowState::Sent(at)) => Some(*at),
            Some(RowState::Acknowledged) | None => None,
        }
    }

    /// Every row that was sent and is not acknowledged, and when.
    pub(super) fn sent(&self) -> impl Iterator<Item = (&RowKey, u64)> {
        let sent = self.rows.iter();
        sent.filter_map(|(key, state)| match state {
            RowState::Sent(at) => Some((key, *at)),
            RowState::Acknowledged => None,
        })
    }

    /// Whether an export was made.
    pub(super) fn has_begun(&self) -> bool {
        self.begin.is_some()
    }

    /// The first hour of which some row of these meters may not be acknowledged. `None`: no export was made.
    pub(super) fn first_hole(&self, meters: &[UsageMeter]) -> Option<UsageHour> {
        let begin = self.begin?;
        let holes = meters.iter();
        holes
            .map(|meter| self.covered.first_hole(*meter, begin))
            .min()
    }

    /// The fewest records that add up to the same. `rows_max`: most rows of a record.
    pub(super) fn records(&self, rows_max: usize) -> Vec<StateRecord> {
        let mut records: Vec<_> = self.begin.map(StateRecord::Begin).into_iter().collect();
        for (meter, (from, to)) in self.covered.iter() {
            let meters = vec![meter];
            records.push(StateRecord::Covered { meters, from, to });
        }
        let mut sent: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        let mut acknowledged = Vec::new();
        for (key, state) in &self.rows {
            let id = self.space.id(key);
            match state {
                RowState::Sent(at) => sent.entry(*at).or_default().push(id),
                RowState::Acknowledged => acknowledged.push(id),
            }
        }
        for (at, rows) in sent {
            for rows in rows.chunks(rows_max) {
                let rows = rows.to_vec();
                records.push(StateRecord::Sent { at, rows });
            }
        }
        let acknowledged = acknowledged.chunks(rows_max);
        records.extend(acknowledged.map(|rows| StateRecord::Acknowledged(rows.to_vec())));
        records
    }
}
