//! What the store's scripts take on a real Redis: one request at a time, and 64 tenants at once.
//!
//! Skipped, with a line that says so, where no redis-server is found.

use anyhow::{Result, ensure};
use backplane::{Backplane, Redis, RedisConfig, StoreClock};
use benches::servers::redis;
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use protocol::presence::{BotInfo, BotState, Takeover};
use protocol::{BootId, BotId, ClientId, ConnectionId, Secret, TenantId};
use router_core::store::{
    BotClaim, BotHolder, ConnRecord, DirectoryCaps, DirectoryQuery, DirectoryReply,
    DirectoryRequest, StoreQuery, StoreReply, StoreRequest,
};
use tokio::runtime::Runtime;

/// Tenants that ask at once.
const AT_ONCE: usize = 64;
/// Of a packet with about 16 envelopes.
const PACKET_BYTES: usize = 8192;

struct Store {
    runtime: Runtime,
    backplane: Backplane,
    tenants: Vec<TenantId>,
    /// Makes every claim another's.
    turn: u64,
    /// The highest claim so far: only who knows it may take a bot from a live holder.
    known_ver: u64,
}

impl Store {
    fn connect(address: std::net::SocketAddr) -> Result<Self> {
        let runtime = Runtime::new()?;
        let config = RedisConfig {
            url: Secret::new(format!("redis://{address}")),
            prefix: "bench".to_owned(),
            insecure: false,
            client: None,
            usage_keep_hours: protocol::limits::USAGE_KEEP_HOURS,
            clock: StoreClock::Server,
        };
        let redis = runtime.block_on(Redis::connect(config))?;
        let backplane = Backplane::redis(redis);
        let inbound = backplane.inbound();
        // Events are not read otherwise, and the connection stands still once they are many.
        runtime.spawn(async move {
            if let Some(mut inbound) = inbound {
                while inbound.recv().await.is_some() {}
            }
        });
        let tenants = (0..AT_ONCE).map(|number| TenantId::parse(&format!("owner-{number}")));
        Ok(Self {
            runtime,
            backplane,
            tenants: tenants.collect::<Result<_, _>>()?,
            turn: 0,
            known_ver: 0,
        })
    }

    /// Asks the same for the first so many tenants at once. Errors: one was refused or lost.
    fn ask(&mut self, tenants: usize, query: &DirectoryQuery) -> Result<()> {
        let requests = self.tenants[..tenants].iter().map(|tenant| {
            self.backplane.execute(StoreRequest {
                tenant: tenant.clone(),
                now_ms: 1,
                query: StoreQuery::Directory(DirectoryRequest {
                    query: query.clone(),
                    known_ver: self.known_ver,
                    caps: DirectoryCaps::default(),
                }),
            })
        });
        let replies = self.runtime.block_on(join_all(requests));
        for reply in replies {
            let answer = reply.and_then(StoreReply::into_directory);
            let failed = matches!(answer, Err(_) | Ok(DirectoryReply::Newer(_)));
            ensure!(!failed, "the store says {answer:?}");
            if let Ok(DirectoryReply::Claimed { epoch, .. }) = answer {
                self.known_ver = self.known_ver.max(epoch);
            }
        }
        Ok(())
    }

    /// A claim by another connection than the last.
    fn next_claim(&mut self) -> Result<DirectoryQuery> {
        self.turn += 1;
        let conn = ConnectionId::from_ulid(&format!("01KA9ZYXWVTSRQPNMKJHG{:05}", self.turn % 2))?;
        let info = BotInfo {
            id: BotId::parse("bot")?,
            name: "Bot".to_owned(),
            kind: "bot".to_owned(),
            description: String::new(),
            capabilities: Vec::new(),
            status: BotState::Online,
            since: 0,
        };
        Ok(DirectoryQuery::Claim(Box::new(BotClaim {
            holder: BotHolder {
                boot: BootId::from_bits(1),
                conn,
            },
            bot: info,
            instance: None,
            takeover: Takeover::Replace,
            dead: Default::default(),
        })))
    }
}

fn enter() -> Result<DirectoryQuery> {
    Ok(DirectoryQuery::Enter {
        conn: ConnectionId::from_ulid("01KA9ZYXWVTSRQPNMKJHGFEDCB")?,
        record: ConnRecord {
            boot: BootId::from_bits(1),
            client: ClientId::parse("phone")?,
        },
    })
}

fn store(criterion: &mut Criterion) {
    if redis::program().is_none() {
        eprintln!("store: skipped, no redis-server is found");
        return;
    }
    measure(criterion).expect("the store answers");
}

fn measure(criterion: &mut Criterion) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (_redis, address) = redis::start(&folder)?;
    let mut store = Store::connect(address)?;
    let enter = enter()?;
    let load = DirectoryQuery::Load {
        dead: Default::default(),
    };
    let first = store.next_claim()?;
    store.ask(AT_ONCE, &first)?;
    let mut group = criterion.benchmark_group("store");
    for tenants in [1, AT_ONCE] {
        group.throughput(Throughput::Elements(tenants as u64));
        for (name, query) in [
            ("version", &DirectoryQuery::Version),
            ("enter", &enter),
            ("load", &load),
        ] {
            group.bench_function(format!("{name}/{tenants}"), |bencher| {
                bencher.iter(|| store.ask(tenants, query).expect("the store answers"));
            });
        }
        group.bench_function(format!("claim/{tenants}"), |bencher| {
            bencher.iter(|| {
                let claim = store.next_claim().expect("names are names");
                store.ask(tenants, &claim).expect("the store answers");
            });
        });
    }
    group.throughput(Throughput::Bytes(PACKET_BYTES as u64));
    let packet = Bytes::from(vec![b'x'; PACKET_BYTES]);
    group.bench_function("publish", |bencher| {
        bencher.iter(|| {
            let publish = store
                .backplane
                .publish(BootId::from_bits(2), packet.clone());
            store.runtime.block_on(publish).expect("Redis answers");
        });
    });
    group.finish();
    Ok(())
}

criterion_group!(all, store);
criterion_main!(all);
