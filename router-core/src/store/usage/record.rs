//! What nodes book, and what the ledger has.

use protocol::{BootId, UsageCounts, UsageHour};

/// What a node counted for a tenant since its last record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRecord {
    /// The boot of the node that counted.
    pub boot: BootId,
    /// Rises with every record of this tenant and boot.
    pub seq: u64,
    /// The hour in which it was counted.
    pub hour: UsageHour,
    /// The amounts.
    pub counts: UsageCounts,
}

/// What the ledger has of a tenant and hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HourUsage {
    /// The amounts, those that came late among them.
    pub counts: UsageCounts,
    /// Of these, what came when the hour in which it was counted was closed.
    pub late: UsageCounts,
    /// The sum of the check numbers of the records, modulo 2^53: equal to that of `counts`, unless
    /// something was lost.
    pub check_number: u64,
    /// Whether somebody else wrote what is no usage into the hour: then the amounts are those that can be read, and
    /// the others are 0.
    pub is_damaged: bool,
}

impl HourUsage {
    /// Adds a record.
    pub(super) fn add(&mut self, counts: &UsageCounts, is_late: bool) {
        self.counts.add(counts);
        if is_late {
            self.late.add(counts);
        }
        self.check_number =
            UsageCounts::add_check_numbers(self.check_number, counts.check_number());
    }

    /// Whether nothing was lost or changed between the records and the amounts.
    pub fn is_intact(&self) -> bool {
        !self.is_damaged && self.check_number == self.counts.check_number()
    }
}
