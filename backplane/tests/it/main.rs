//! What the contract does not say: outages, order, limits, and who may come in. Each against a real
//! server; skipped as `fixtures` says, where there is none.

mod connecting;
mod harness;
mod link;
mod order;
mod outages;
mod sentinel;
mod shards;
