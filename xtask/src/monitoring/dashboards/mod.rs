//! The dashboards. To add one, write a file with its table and name it in [`DASHBOARDS`].

mod node;
mod overview;
mod redis_and_lanes;
mod tenant;
mod usage;

use super::panel::DashboardTable;

/// Every dashboard.
pub(super) const DASHBOARDS: &[&DashboardTable] = &[
    &overview::OVERVIEW,
    &node::NODE,
    &redis_and_lanes::REDIS_AND_LANES,
    &tenant::TENANT,
    &usage::USAGE,
];
