//! What is measured, and what is wanted.

use clap::{Args, ValueEnum};

/// How to measure.
#[derive(Debug, Args)]
pub struct UsageOptions {
    /// Which parts; all, if none is given
    #[arg(long, value_delimiter = ',')]
    pub(super) only: Vec<UsagePart>,
    /// Tenants of the gateway, a socket each
    #[arg(long, default_value_t = 10_000)]
    pub(super) tenants: usize,
    /// Scrapes
    #[arg(long, default_value_t = 21)]
    pub(super) scrapes: usize,
    /// Records booked in one round, each of another tenant
    #[arg(long, default_value_t = 100_000)]
    pub(super) records: usize,
    /// Rounds of bookings, and pairs of gateways
    #[arg(long, default_value_t = 3)]
    pub(super) rounds: usize,
    /// How long a gateway is silent
    #[arg(long, default_value_t = 30)]
    pub(super) seconds: u64,
}

/// A part of this bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum UsagePart {
    /// Scrapes of `/metrics/tenants`
    Pages,
    /// Records into Redis, evenly and as fast as possible
    Bookings,
    /// A gateway that flushes often against one that flushes seldom
    Flushes,
}

/// So many tenants that each flush every 10 s are what the shares are of.
pub(super) const FLUSHES_PER_S: f64 = 10_000.0;
/// What these flushes may take: shares of a core.
pub(super) const GATEWAY_CORE_MAX: f64 = 0.10;
pub(super) const REDIS_CORE_MAX: f64 = 0.15;

/// How a table says whether an aim is reached.
pub(super) fn verdict(holds: bool) -> &'static str {
    if holds { "reached" } else { "MISSED" }
}
