//! What the store's answers mean, defined once for all stores: the same queries to the model and to
//! a real Redis, and to a real Cluster, compared reply by reply and event by event.
//!
//! One folder for each feature. `random.rs` mixes the features that share one order.
//!
//! Skipped as `fixtures` says, where there is no Redis.

#[cfg(test)]
mod directory;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod labels;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod random;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod usage;
