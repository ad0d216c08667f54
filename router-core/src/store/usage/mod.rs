//! The usage ledger: what each tenant used in each hour.
//!
//! A node books what it counted as numbered records. The number of a record rises with every record of
//! a tenant and boot, so that a record which is booked twice counts once.
//!
//! An hour takes records until [`USAGE_CLOSE_MS`](protocol::limits::USAGE_CLOSE_MS) after its end, by the
//! store's clock. A record that comes later is booked into the first hour that still takes records, and
//! marked late: an hour that is closed never changes, and nothing is lost.

mod hours;
pub(super) mod model;
mod record;
mod reply;
mod request;

pub use hours::{damage_holds_hours, first_open_hour, is_read_closed, read_closed_until};
pub use record::{HourUsage, UsageRecord};
pub use reply::{TenantIndex, UsageReply};
pub use request::{UsageIndexQuery, UsageQuery};
