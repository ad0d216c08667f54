//! Bookings alone: records of many tenants through the backplane into a real Redis.
//!
//! In turns with the smallest script that a tenant has (`version`: it reads one number), which says what a
//! request costs at all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use backplane::{Backplane, Redis, RedisConfig, StoreClock};
use loadtest::process::cpu_of;
use protocol::{BootId, Secret, TenantId, UsageCounts, UsageHour, UsageMeter};
use router_core::store::{
    DirectoryCaps, DirectoryQuery, DirectoryRequest, StoreQuery, StoreRequest, UsageQuery,
    UsageRecord,
};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::interval;

use super::options::{FLUSHES_PER_S, GATEWAY_CORE_MAX, REDIS_CORE_MAX, UsageOptions, verdict};
use crate::process::ServerProcess;
use crate::servers::redis;
use crate::stats::{median, summary};

/// Requests under way at once, when they are as many as possible.
const AT_ONCE: usize = 256;
/// How often requests are sent, when they come evenly.
const TICK: Duration = Duration::from_millis(1);

/// What a silent tenant books, and one that talks.
const SILENT: &[UsageMeter] = &[UsageMeter::ConnectionSecondsBot];
const TALKING: &[UsageMeter] = &[
    UsageMeter::MessagesSent,
    UsageMeter::MessagesAccepted,
    UsageMeter::MessagesDelivered,
    UsageMeter::PartialsDelivered,
    UsageMeter::BytesIn,
    UsageMeter::BytesOut,
    UsageMeter::ConnectionSecondsBot,
    UsageMeter::ConnectionSecondsClient,
];

/// What all tenants ask, one after the other.
#[derive(Clone, Copy)]
enum RoundQuery {
    Version,
    Book(&'static [UsageMeter]),
}

const QUERIES: [(&str, RoundQuery); 3] = [
    ("`version`: one number is read", RoundQuery::Version),
    ("book 1 meter", RoundQuery::Book(SILENT)),
    ("book 8 meters", RoundQuery::Book(TALKING)),
];

/// Measures and prints a table.
pub(super) fn run(options: &UsageOptions) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (server, address) = redis::start(&folder)?;
    let mut ledger = Ledger::connect(address, options.records, server)?;
    // Hours and indexes are made.
    for (_, query) in QUERIES {
        ledger.round(query, false)?;
    }
    println!(
        "| {} tenants, a request each | how | requests/s | client CPU µs | Redis CPU µs | client core | Redis core |",
        options.records
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let (mut client_core, mut redis_core) = (0.0, 0.0);
    for paced in [true, false] {
        let mut costs: [Vec<RoundCost>; QUERIES.len()] = Default::default();
        for _ in 0..options.rounds {
            for (costs, (_, query)) in costs.iter_mut().zip(QUERIES) {
                costs.push(ledger.round(query, paced)?);
            }
        }
        for (costs, (name, query)) in costs.iter().zip(QUERIES) {
            let all = |of: fn(&RoundCost) -> f64| costs.iter().map(of).collect::<Vec<_>>();
            let (client, redis) = (all(|cost| cost.client_us), all(|cost| cost.redis_us));
            let core = |us: &[f64]| median(us) * FLUSHES_PER_S / 1e6;
            let how = if paced { "evenly" } else { "256 at once" };
            println!(
                "| {name} | {how} | {} | {} | {} | {:.3} | {:.3} |",
                summary(&all(|cost| cost.per_s), 0),
                summary(&client, 1),
                summary(&redis, 1),
                core(&client),
                core(&redis)
            );
            if paced && matches!(query, RoundQuery::Book(SILENT)) {
                (client_core, redis_core) = (core(&client), core(&redis));
            }
        }
    }
    println!(
        "\nBookings of silent tenants, {FLUSHES_PER_S:.0}/s, evenly: the backplane takes {:.0} % of a core, wanted ≤ {:.0} % with all else of a flush: {}; Redis takes {:.0} %, wanted ≤ {:.0} %: {}.\n",
        100.0 * client_core,
        100.0 * GATEWAY_CORE_MAX,
        verdict(client_core <= GATEWAY_CORE_MAX),
        100.0 * redis_core,
        100.0 * REDIS_CORE_MAX,
        verdict(redis_core <= REDIS_CORE_MAX),
    );
    Ok(())
}

/// What one request cost in a round.
struct RoundCost {
    per_s: f64,
    client_us: f64,
    redis_us: f64,
}

/// A Redis, and what asks it.
struct Ledger {
    runtime: Runtime,
    backplane: Arc<Backplane>,
    tenants: Vec<TenantId>,
    seq: u64,
    redis: ServerProcess,
}

impl Ledger {
    fn connect(
        address: std::net::SocketAddr,
        tenants: usize,
        redis: ServerProcess,
    ) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let config = RedisConfig {
            url: Secret::new(format!("redis://{address}")),
            prefix: "bench".to_owned(),
            insecure: false,
            client: None,
            usage_keep_hours: protocol::limits::USAGE_KEEP_HOURS,
            clock: StoreClock::Server,
        };
        let backplane = Backplane::redis(runtime.block_on(Redis::connect(config))?);
        let tenants = (0..tenants).map(|number| TenantId::parse(&format!("owner-{number:06}")));
        Ok(Self {
            runtime,
            backplane: Arc::new(backplane),
            tenants: tenants.collect::<Result<_, _>>()?,
            seq: 0,
            redis,
        })
    }

    /// Asks once for each tenant: evenly, or as fast as answers come.
    fn round(&mut self, query: RoundQuery, paced: bool) -> Result<RoundCost> {
        self.seq += 1;
        let (own, redis) = (std::process::id(), self.redis.id());
        let (start, client_cpu, redis_cpu) = (Instant::now(), cpu_of(own)?, cpu_of(redis)?);
        match paced {
            true => self.runtime.block_on(self.evenly(query)),
            false => self.runtime.block_on(self.at_once(query)),
        }?;
        let count = self.tenants.len() as f64;
        let us = |cpu: Duration| cpu.as_secs_f64() * 1e6 / count;
        Ok(RoundCost {
            per_s: count / start.elapsed().as_secs_f64(),
            client_us: us(cpu_of(own)? - client_cpu),
            redis_us: us(cpu_of(redis)? - redis_cpu),
        })
    }

    async fn evenly(&self, query: RoundQuery) -> Result<()> {
        let (start, mut ticks) = (Instant::now(), interval(TICK));
        let (mut sent, mut asked) = (0, JoinSet::new());
        while sent < self.tenants.len() {
            ticks.tick().await;
            let due = (start.elapsed().as_secs_f64() * FLUSHES_PER_S) as usize;
            for tenant in &self.tenants[sent..due.clamp(sent, self.tenants.len())] {
                asked.spawn(self.ask(tenant, query));
                sent += 1;
            }
            while let Some(answer) = asked.try_join_next() {
                answer??;
            }
        }
        while let Some(answer) = asked.join_next().await {
            answer??;
        }
        Ok(())
    }

    async fn at_once(&self, query: RoundQuery) -> Result<()> {
        let mut asked = JoinSet::new();
        for tenant in &self.tenants {
            if asked.len() == AT_ONCE
                && let Some(answer) = asked.join_next().await
            {
                answer??;
            }
            asked.spawn(self.ask(tenant, query));
        }
        while let Some(answer) = asked.join_next().await {
            answer??;
        }
        Ok(())
    }

    fn ask(
        &self,
        tenant: &TenantId,
        query: RoundQuery,
    ) -> impl Future<Output = Result<()>> + use<> {
        let backplane = Arc::clone(&self.backplane);
        let request = StoreRequest {
            tenant: tenant.clone(),
            now_ms: 1,
            query: match query {
                RoundQuery::Version => StoreQuery::Directory(DirectoryRequest {
                    query: DirectoryQuery::Version,
                    known_ver: 0,
                    caps: DirectoryCaps::default(),
                }),
                RoundQuery::Book(meters) => StoreQuery::Usage(UsageQuery::Book {
                    record: Box::new(record(self.seq, meters)),
                    is_first_of_day: false,
                }),
            },
        };
        async move {
            let answer = backplane.execute(request).await;
            ensure!(answer.is_ok(), "the store says {answer:?}");
            Ok(())
        }
    }
}

/// Amounts of 10 s.
fn record(seq: u64, meters: &[UsageMeter]) -> UsageRecord {
    let mut counts = UsageCounts::default();
    for meter in meters {
        counts[*meter] = 10_000;
    }
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    UsageRecord {
        boot: BootId::from_bits(1 << 100),
        seq,
        hour: UsageHour::of(now.as_millis() as u64),
        counts,
    }
}
