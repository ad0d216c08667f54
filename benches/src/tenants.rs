//! Whether a message is dearer on a node with many tenants: 100,000 of them against 100.
//!
//! Each tenant has one bot and one client, on simulated sockets: what is measured is the whole way of
//! a message through router-core ([`bare`](crate::bare)), each message to another tenant, in random
//! order. Both sides are in memory at once and take turns, in one process on one core.

use std::time::Instant;

use anyhow::{Result, ensure};
use bytes::Bytes;
use clap::Args;
use protocol::TenantId;
use protocol::connect::Acks;

use crate::bare::{BareCluster, Socket};
use crate::process::{LOAD_CORE, run_here_on};
use crate::stats::{ValueSpread, median, summary};
use crate::work::message;

/// How to measure.
#[derive(Debug, Args)]
pub struct TenantsOptions {
    #[arg(long, default_value_t = 100)]
    few: usize,
    #[arg(long, default_value_t = 100_000)]
    many: usize,
    /// Pairs of rounds
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Of one round
    #[arg(long, default_value_t = 300_000)]
    messages: usize,
}

/// The many may cost so many times as much.
const RATIO_MAX: f64 = 2.0;
const CLIENT: &str = "a000000";
const BOT: &str = "b000000";

/// Measures both in turns and prints a table in Markdown.
pub fn run(options: &TenantsOptions) -> Result<()> {
    run_here_on(LOAD_CORE)?;
    let mut few = TenantNode::new(options.few)?;
    let mut many = TenantNode::new(options.many)?;
    for node in [&mut few, &mut many] {
        node.nanoseconds_a_message(options.messages)?;
    }
    let (mut fews, mut manys) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        fews.push(few.nanoseconds_a_message(options.messages)?);
        manys.push(many.nanoseconds_a_message(options.messages)?);
    }
    let ratios: Vec<f64> = manys
        .iter()
        .zip(&fews)
        .map(|(many, few)| many / few)
        .collect();
    let ValueSpread { full, middle } = ValueSpread::of(&ratios);
    println!("| tenants | ns a message, median (min..max) |\n| --- | --- |");
    println!("| {} | {} |", options.few, summary(&fews, 0));
    println!("| {} | {} |", options.many, summary(&manys, 0));
    let verdict = if median(&ratios) <= RATIO_MAX {
        "reached"
    } else {
        "MISSED"
    };
    println!(
        "\nRatio {}, wanted ≤ {RATIO_MAX:.2}: {verdict}. Spread {:.0} % ({:.0} %).",
        summary(&ratios, 2),
        100.0 * full,
        100.0 * middle
    );
    Ok(())
}

/// A node with so many tenants.
struct TenantNode {
    cluster: BareCluster,
    /// In random order.
    clients: Vec<Socket>,
    next: usize,
    text: Vec<u8>,
}

impl TenantNode {
    fn new(tenants: usize) -> Result<Self> {
        let mut cluster = BareCluster::of_one()?;
        let mut clients = Vec::with_capacity(tenants);
        for tenant in 0..tenants {
            let owner = TenantId::parse(&format!("owner-{tenant:06}"))?;
            let bot = cluster.connect(0, &owner, "process", Acks::Errors)?;
            cluster.register(bot, BOT)?;
            clients.push(cluster.connect(0, &owner, CLIENT, Acks::Errors)?);
        }
        shuffle(&mut clients);
        Ok(Self {
            cluster,
            clients,
            next: 0,
            text: message(CLIENT, BOT, false),
        })
    }

    /// Sends so many, each from the next tenant. Errors: one was not delivered.
    fn nanoseconds_a_message(&mut self, messages: usize) -> Result<f64> {
        let before = self.cluster.delivered().frames;
        let start = Instant::now();
        for _ in 0..messages {
            let text = Bytes::copy_from_slice(&self.text);
            self.cluster.say(self.clients[self.next], text);
            self.next = (self.next + 1) % self.clients.len();
        }
        let nanoseconds = start.elapsed().as_nanos() as f64;
        // A second in all: rates and memories forget as on a live node.
        self.cluster.pass(1000);
        let delivered = self.cluster.delivered().frames - before;
        ensure!(
            delivered == messages as u64,
            "{delivered} of {messages} were delivered"
        );
        Ok(nanoseconds / messages as f64)
    }
}

/// Fisher and Yates, always the same order.
fn shuffle<T>(items: &mut [T]) {
    let mut random = 1_u64;
    for last in (1..items.len()).rev() {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        items.swap(last, (random >> 33) as usize % (last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_delivered() {
        let mut node = TenantNode::new(3).unwrap();
        assert!(node.nanoseconds_a_message(10).unwrap() > 0.0);
        assert_eq!(node.next, 10 % 3);
    }

    #[test]
    fn a_shuffle_keeps_everything_and_changes_the_order() {
        let mut items: Vec<usize> = (0..100).collect();
        shuffle(&mut items);
        assert!(!items.is_sorted());
        items.sort_unstable();
        assert!(items.iter().copied().eq(0..100));
    }
}
