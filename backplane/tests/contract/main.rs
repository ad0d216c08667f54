//! What the store's answers mean, said once and held by all: the same questions to the model and to
//! a real Redis, and to a real Cluster, compared reply by reply and event by event.
//!
//! Skipped as `fixtures` says, where there is no Redis.

mod bots;
mod harness;
mod nodes;
mod policy;
mod presence;
mod random;
mod words;
