//! The flushes of a gateway: each tenant has an open socket, so each has something to book at every flush.
//!
//! Two gateways take turns: one that flushes every second, and one that flushes every 5 minutes. Everything else
//! is the same, so the difference of their CPU is that of the flushes. 10,000 tenants that flush every second are
//! as many flushes as 100,000 that flush every 10 s, with less memory.

use std::time::Duration;

use anyhow::{Result, ensure};
use loadtest::process::cpu_of;

use super::open::OpenGateway;
use super::options::{FLUSHES_PER_S, GATEWAY_CORE_MAX, REDIS_CORE_MAX, UsageOptions, verdict};
use crate::idle::be_silent;
use crate::servers::redis;
use crate::stats::{median, summary};

/// `usage_flush` of the two.
const SELDOM: &str = "5m";
const OFTEN: &str = "1s";

/// What a silent time took, µs of CPU, and how many records were booked in it.
struct SilentCost {
    gateway_us: f64,
    redis_us: f64,
    booked: f64,
}

/// Measures pairs and prints a table.
pub(super) fn run(options: &UsageOptions) -> Result<()> {
    let (mut gateway, mut redis) = (Vec::new(), Vec::new());
    println!(
        "| {} silent tenants, {} s | records booked | gateway core | Redis core |",
        options.tenants, options.seconds
    );
    println!("| --- | --- | --- | --- |");
    for _ in 0..options.rounds {
        let seldom = measure(options, SELDOM)?;
        let often = measure(options, OFTEN)?;
        let records = often.booked - seldom.booked;
        ensure!(records > 0.0, "nothing was booked");
        gateway.push((often.gateway_us - seldom.gateway_us) / records);
        redis.push((often.redis_us - seldom.redis_us) / records);
    }
    let core = |us: &[f64]| median(us) * FLUSHES_PER_S / 1e6;
    println!(
        "\nA flush: {} µs of the gateway's CPU, {} µs of that of Redis (median of {} differences).",
        summary(&gateway, 1),
        summary(&redis, 1),
        options.rounds
    );
    println!(
        "At {FLUSHES_PER_S:.0} flushes/s: {:.0} % of a gateway core, wanted ≤ {:.0} %: {}; {:.0} % of a Redis core, wanted ≤ {:.0} %: {}.\n",
        100.0 * core(&gateway),
        100.0 * GATEWAY_CORE_MAX,
        verdict(core(&gateway) <= GATEWAY_CORE_MAX),
        100.0 * core(&redis),
        100.0 * REDIS_CORE_MAX,
        verdict(core(&redis) <= REDIS_CORE_MAX),
    );
    Ok(())
}

fn measure(options: &UsageOptions, flush: &str) -> Result<SilentCost> {
    let folder = tempfile::tempdir()?;
    let (server, address) = redis::start(&folder)?;
    let more = format!("usage_flush = \"{flush}\"\n");
    let mut gateway = OpenGateway::start(options.tenants, Some(address), &more)?;
    let booked =
        |gateway: &OpenGateway| gateway.metric(r#"t2b_usage_flush_total{result="booked"}"#);
    let sockets = std::mem::take(&mut gateway.sockets);
    let (gateway_id, redis_id) = (gateway.process.id(), server.id());
    let rest = Duration::from_secs(options.seconds);
    let records = booked(&gateway)?;
    let (gateway_cpu, redis_cpu) = (cpu_of(gateway_id)?, cpu_of(redis_id)?);
    let (_, (gateway_end, redis_end)) = be_silent(sockets, rest, || {
        Ok((cpu_of(gateway_id)?, cpu_of(redis_id)?))
    })?;
    let us = |before: Duration, after: Duration| (after - before).as_secs_f64() * 1e6;
    let cost = SilentCost {
        gateway_us: us(gateway_cpu, gateway_end),
        redis_us: us(redis_cpu, redis_end),
        booked: booked(&gateway)? - records,
    };
    let core = |us: f64| us / 1e6 / rest.as_secs_f64();
    println!(
        "| usage_flush = {flush} | {} | {:.3} | {:.3} |",
        cost.booked,
        core(cost.gateway_us),
        core(cost.redis_us)
    );
    Ok(cost)
}
