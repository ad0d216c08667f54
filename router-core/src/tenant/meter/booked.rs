//! The last record of a tenant that the store answered for.

use protocol::{BootId, UsageHour};

/// The last record of a tenant that is in the ledger, as the store answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookedRecord {
    /// The boot under which it was booked: the node may have another one by now.
    pub boot: BootId,
    /// Its number.
    pub seq: u64,
    /// When it was booked, by the clock of the node.
    pub hour: UsageHour,
}
