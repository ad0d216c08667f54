//! Benchmarks of speed and memory. Each compares the gateway with a yardstick on the same core.
//!
//! ```text
//!  relay ─┬─ core 0: the servers of one side    (new processes each round, the two sides in turns)
//!         └─ core 1: load                       (checks every delivery, counts, times)
//!  builds ┬─ core 0: gateways of two builds at once
//!         └─ core 1: a load for each
//!  idle  ─┬─ core 0: a gateway
//!         └─ any:    holds the sockets, answers pings
//!  tenants:      the machines of `bare`, with many tenants and with few
//!  usage ─┬─ core 0: a gateway, Redis
//!         └─ core 1: sockets, scrapes, bookings
//!  instructions: valgrind around the steps of `work`, on the machines of `bare`
//! ```
//!
//! Not a load test of a deployment: loopback, one core. See `README.md` beside this.

pub mod bare;
pub mod builds;
pub mod idle;
pub mod instructions;
pub mod load;
mod process;
pub mod relay;
mod report;
pub mod servers;
mod stats;
pub mod tenants;
pub mod usage;
pub mod work;
