//! A node: its connections, its shards, and what they share.
//!
//! ```text
//!  handler (one per socket) ──────▶ Session ─▶ perform ─▶ Shard ─▶ outbound queues, store queue
//!  caller (one per HTTP request) ─▶ the same; its task takes what it is told
//!  ticker (one) ──────────────────▶ sessions and shards that are due
//!  store worker (one per shard and queue) ──▶ Backplane::execute ─▶ Shard
//!  lanes (two tasks per other node) ─▶ shards, and onto the backplane
//! ```
//!
//! | part | owns |
//! | --- | --- |
//! | `core.rs` | [`Node`]: the parts, the settings, the metrics |
//! | `clock.rs`, `clock_steps.rs` | the two clocks, and which times connections were told |
//! | `connections.rs`, `entry.rs` | the connections, whatever their tenant |
//! | `enter.rs`, `member.rs`, `handler.rs`, `call/` | the life of a connection: of a socket, of a call over HTTP |
//! | `shards.rs`, `tenant_budgets.rs`, `client_shares.rs` | the shards, and what the sockets of a tenant share |
//! | `perform/`, `work.rs` | effects become I/O; what is done when no lock is held |
//! | `store_queue.rs`, `store_worker.rs` | the way to the store |
//! | `membership/` | the other nodes, and this one among them |
//! | `lanes/` | messages to and from other nodes |
//! | `message_sample.rs` | the messages whose time is measured |
//! | `credentials.rs`, `failures.rs`, `secrets.rs`, `source.rs` | credentials, and where they come from |
//! | `pools.rs`, `shed.rs`, `unpaid_answers.rs`, `unpaid_frames.rs`, `reserved_place.rs` | memory and its bounds |
//! | `ticker.rs`, `socket_looks.rs` | what happens by the clock |
//! | `usage/` | what becomes of the usage that tenants count |
//! | `history.rs`, `tenant_view.rs` | what each tenant's history is told; a tenant for operators |
//! | `drain/`, `isolation/`, `rebalance.rs` | going away; what a node does that alone cannot reach the store, or that has more connections than the others |
//! | `reconfigure.rs` | a reload of the configuration |
//!
//! Locks, in this order: a session, then a shard, then one leaf (an outbound queue, the throttle, a lane, a
//! slot of the connection table, the state of a dialect, a part of the history). Nobody holds two sessions or two shards.

mod access_lines;
mod call;
mod client_shares;
mod clock;
mod clock_steps;
mod connections;
mod core;
mod credentials;
mod drain;
mod enter;
mod entry;
mod failures;
mod handler;
mod history;
mod isolation;
mod lanes;
mod lock;
mod member;
mod membership;
mod message_sample;
mod moment;
mod perform;
mod pools;
mod rate_limited_line;
mod rebalance;
mod reconfigure;
mod reserved_place;
mod scrape;
mod secrets;
mod shards;
mod shed;
mod shed_log;
mod socket_looks;
mod source;
mod status;
mod store_queue;
mod store_worker;
mod tenant_budgets;
mod tenant_view;
mod ticker;
mod unpaid_answers;
mod unpaid_frames;
mod usage;
mod vital;
mod work;

pub(crate) use self::core::{Node, NodeTools};
pub(crate) use call::CallConnection;
pub(crate) use drain::DrainPhase;
pub(crate) use isolation::PeerDatagrams;
pub(crate) use lanes::LaneTotals;
pub(crate) use membership::{MISREAD, NodeIdentity, key_list};
pub(crate) use secrets::UsingOld;
pub(crate) use source::SourceResolver;
pub(crate) use store_queue::StoreWork;
pub(crate) use tenant_view::{ListedHome, TenantView};
pub(crate) use usage::{NodeUsage, StoreLoss};
