//! What the store's answers mean, said once and held by all: the same questions to the model and to
//! a real Redis, and to a real Cluster, compared reply by reply and event by event.
//!
//! Skipped as `fixtures` says, where there is no Redis.

#[cfg(test)]
mod bots;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod presence;
#[cfg(test)]
mod random;
#[cfg(test)]
mod words;
