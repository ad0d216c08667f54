//! What the contract does not say: outages, order, limits, and who may come in. Each against a real
//! server; skipped as `fixtures` says, where there is none.

#[cfg(test)]
mod acl;
#[cfg(test)]
mod connecting;
#[cfg(test)]
mod databases;
#[cfg(test)]
mod full;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod link;
#[cfg(test)]
mod order;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod sentinel;
#[cfg(test)]
mod shards;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod tls;
