//! The machines of layer 1 through their boundary: inputs in, effects out.
//!
//! | file | holds |
//! | --- | --- |
//! | `world.rs`, `perform.rs` | the node that the machines live in |
//! | `lane_world.rs` | two nodes with a lossy network between them |
//! | `talk.rs` | how a scenario speaks with it |
//! | `allowances.rs` | worlds in which tenants have monthly allowances |
//! | `nodes.rs` | several node machines and their store |
//! | `script.rs`, `words.rs`, `hostile.rs` | what random tenants do to it, and how often: `strategies.rs` |
//!
//! The other files are tests, named after the behaviour.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "the harness reads PROPTEST_CASES, keeps one keyring, and fails by panicking"
)]

mod hostile;
mod lane_world;
mod node_machine;
mod nodes;
mod perform;
mod script;
mod strategies;
mod talk;
mod words;
mod world;

#[cfg(test)]
mod allowances;
mod answers;
mod bots_change_hands;
mod call_tokens;
mod calls;
mod clock_steps;
mod conflicts;
mod connecting;
mod dead_nodes;
mod every_error_code;
mod false_events;
mod forgotten_tenants;
mod guarantees;
mod isolation;
mod lanes;
mod late_events;
mod limits;
mod liveness;
mod node_terms;
mod other_nodes;
mod policy;
mod presence_coalesced;
mod quota;
#[cfg(test)]
mod quota_joins;
#[cfg(test)]
mod reconfigured;
mod status;
mod token_weights;
mod weights;
mod what_a_name_means;
