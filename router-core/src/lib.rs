//! Layer 1: tenant-isolated routing as pure state machines.
//!
//! State in, effects out. No clock, no randomness, no I/O, no lock, no async: time and entropy
//! arrive with every input, and what must be done leaves as an [effect](effect).
//!
//! ```text
//!  frame ─▶ Session ──Permit──▶ Shard ▶ Tenant ─▶ Deliver, Ask, Tell, Close
//!           one per connection          one per tenant: everything of that tenant on this node
//! ```
//!
//! | file | holds |
//! | --- | --- |
//! | `auth/`, `permit.rs` | credential → grant → permit |
//! | `session/` | the machine of one connection |
//! | `shard.rs`, `tenant/` | the machine of one tenant, and the map of them |
//! | `lane/` | the two ends of the pipe to another node |
//! | `store/` | every question to the store, and the pure model of the answers |
//! | `membership/` | the machine of the process: who else is alive |
//! | `capabilities.rs` | what a connection receives, and how it pays |
//! | `request.rs` | what sessions and tenants say to each other |
//! | `effect.rs` | what sessions and tenants want done: a closed list for each |
//! | `dispatch.rs` | the loop that has it done |
//! | `terms.rs` | plans, and what a tenant may use by its plan |
//! | `pace.rs` | how fast connections are asked to move to other nodes |
//! | `gcra.rs`, `invariant.rs`, `env.rs` | rates, named guarantees, time and entropy |
//! | `small.rs` | a map that costs next to nothing while it is small |

pub mod auth;
pub mod capabilities;
pub mod dispatch;
pub mod effect;
pub mod env;
mod gcra;
pub mod ids;
pub mod invariant;
pub mod lane;
pub mod membership;
pub mod pace;
pub mod permit;
pub mod request;
pub mod session;
pub mod shard;
mod small;
pub mod store;
mod tenant;
pub mod terms;
mod time;

pub use capabilities::Capabilities;
pub use env::{Env, Millis, Settings};
pub use ids::ConnKey;
pub use membership::NodeView;
pub use session::Session;
pub use shard::Shard;
