//! The machines of floor 1 through their boundary: inputs in, effects out.
//!
//! `world.rs` is the node they live in, `talk.rs` how a test speaks with it, `script.rs` what
//! random tenants do to it (`strategies.rs`: how often). The other files are tests, named after the behaviour.

mod hostile;
mod script;
mod strategies;
mod talk;
mod world;

mod bots_change_hands;
mod connecting;
mod isolation;
mod policy;
mod presence_coalesced;
mod what_a_name_means;
