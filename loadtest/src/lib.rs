//! A load-test harness for gateways: scenarios, checked deliveries, reports.
//!
//! ```text
//!  scenario ─▶ plan ─▶ engine (threads) ─▶ measure ─┐
//!               servers (metrics, /proc, Redis) ────┴─▶ report ─▶ table, JSON, HTML
//!                                                         └─▶ thresholds, compare
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | `scenario/` | what a load test does, as TOML says it |
//! | `credentials.rs`, `target.rs` | whose keys; which gateways |
//! | `plan.rs` | who connects where and writes to whom |
//! | `engine/` | the load generator: one epoll for each thread |
//! | `message.rs`, `check.rs` | texts that can be checked; each number once and in order |
//! | `measure.rs` | counts and histograms of a thread, and of all |
//! | `servers/`, `process.rs` | what the gateways and Redis used |
//! | `run/` | one run from its start to its report |
//! | `thresholds.rs`, `judge.rs` | the limits of a scenario, and whether a result keeps them |
//! | `report/`, `compare.rs` | what is made of the result |
//! | `wire.rs` | the client's side of a WebSocket |

mod check;
pub mod compare;
pub mod credentials;
mod engine;
mod judge;
mod measure;
mod message;
mod plan;
pub mod process;
pub mod report;
pub mod run;
pub mod scenario;
pub mod servers;
pub mod target;
mod thresholds;
pub mod wire;
