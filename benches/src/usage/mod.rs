//! What metering costs where tenants are many: pages of their series, records on their way to the ledger.
//!
//! | file | has |
//! | --- | --- |
//! | `pages.rs` | a scrape of `/metrics/tenants`: a gateway with a socket of each tenant |
//! | `flushes.rs` | the flushes of such a gateway, which is otherwise silent, on it and on Redis |
//! | `bookings.rs` | bookings alone: the backplane, and Redis |
//! | `open.rs` | the gateway and its sockets |
//! | `options.rs` | what is measured, and what is wanted |

mod bookings;
mod flushes;
mod open;
mod options;
mod pages;

use anyhow::Result;

use self::options::UsagePart;
use crate::process::{LOAD_CORE, run_here_on};
use crate::servers::redis;

pub use self::options::UsageOptions;

/// Measures and prints tables in Markdown.
pub fn run(options: &UsageOptions) -> Result<()> {
    run_here_on(LOAD_CORE)?;
    let wants = |part| options.only.is_empty() || options.only.contains(&part);
    if wants(UsagePart::Pages) {
        pages::run(options)?;
    }
    if redis::program().is_none() {
        println!("bookings and flushes: skipped, no redis-server is found");
        return Ok(());
    }
    if wants(UsagePart::Bookings) {
        bookings::run(options)?;
    }
    if wants(UsagePart::Flushes) {
        flushes::run(options)?;
    }
    Ok(())
}
