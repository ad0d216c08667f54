//! What `GET /admin/v1/usage/check` finds in a real Redis.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use backplane::{Backplane, Redis, RedisConfig, StoreClock};
use fixtures::{RedisServer, RespClient};
use protocol::limits::USAGE_KEEP_HOURS;
use protocol::{BootId, Secret, TenantId, UsageCounts, UsageHour, UsageMeter};
use router_core::store::{StoreRequest, UsageIndexQuery, UsageQuery, UsageRecord, UsageReply};
use serde_json::Value;

use crate::harness::{Server, eventually};
use crate::usage::{FLUSH, ask, booked, call, page, talk};

/// Tenants of one part of the index: enough for several pages of faults.
const TENANTS: usize = 50;
/// What is wrong with each hour that is planted: the sum, and the check number.
const FAULTS: usize = 2;

async fn server_on(redis: &RedisServer) -> Server {
    let url = redis.url();
    let server = Server::start_with(move |config| {
        config.usage_flush = FLUSH;
        config.redis_url = Some(Secret::new(url));
    })
    .await;
    // Until then it refuses messages.
    eventually("the node knows the store", async || {
        ask(&server, "nodes").await.json()["degraded"] == false
    })
    .await;
    server
}

fn now() -> UsageHour {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UsageHour::of(since.as_millis() as u64)
}

/// What a walk over all pages of the check gives.
struct FoundFaults {
    hours: u64,
    faults: Vec<Value>,
    pages: usize,
}

impl FoundFaults {
    async fn of(server: &Server, query: &str) -> Self {
        let mut found = Self {
            hours: 0,
            faults: Vec::new(),
            pages: 0,
        };
        let mut cursor = String::new();
        loop {
            let answer = ask(server, &format!("usage/check?{query}{cursor}")).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            let mut page = answer.json();
            found.hours += page["hours"].as_u64().unwrap();
            found.pages += 1;
            let Value::Array(faults) = page["faults"].take() else {
                panic!("{page}");
            };
            found.faults.extend(faults);
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found,
            }
        }
    }

    /// What it says, each text once.
    fn distinct(&self) -> BTreeSet<String> {
        self.faults.iter().map(Value::to_string).collect()
    }

    fn has(&self, tenant: Option<&str>, what: &str) -> bool {
        let mut faults = self.faults.iter();
        faults.any(|fault| {
            fault["tenant"].as_str() == tenant && fault["what"].as_str().unwrap().contains(what)
        })
    }
}

/// An hour whose amounts nobody booked.
fn plant(redis: &mut RespClient, tenant: &str, hour: UsageHour) {
    let key = format!("t2b:{{{tenant}}}:usage:{hour}");
    let fields = ["HSET", &key, "sum", "1", "messages_sent", "1"];
    redis.command(&fields).unwrap();
}

#[tokio::test]
async fn a_damaged_ledger_is_walked_to_its_end() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let server = server_on(&redis).await;
    let mut client = redis.client();
    let day = now().day().minus(UsageHour::PER_DAY);
    let names = (0..).map(|number| format!("t{number}"));
    let mut names =
        names.filter(|name| UsageIndexQuery::part_of(&TenantId::parse(name).unwrap()) == 7);
    let index = format!("t2b:usage:{}:7", day.day_text());
    for name in names.by_ref().take(TENANTS) {
        client.command(&["HSET", &index, &name, ""]).unwrap();
        for hour in 0..UsageHour::PER_DAY {
            plant(&mut client, &name, day.plus(hour));
        }
    }
    let range = format!("from={}&to={}", day.rfc3339(), day.plus(24).rfc3339());
    let found = FoundFaults::of(&server, &range).await;
    let hours = TENANTS * UsageHour::PER_DAY as usize;
    assert_eq!(found.hours, hours as u64);
    assert_eq!(found.faults.len(), FAULTS * hours);
    assert_eq!(found.distinct().len(), FAULTS * hours);
    assert!(found.pages > 1);

    // The days of one tenant.
    let (from, days) = (day.minus(40 * UsageHour::PER_DAY), 40);
    let hours = days * UsageHour::PER_DAY;
    for hour in 0..hours {
        plant(&mut client, "solo", from.plus(hour));
    }
    let range = format!("tenant=solo&from={}&to={}", from.rfc3339(), day.rfc3339());
    let found = FoundFaults::of(&server, &range).await;
    assert_eq!(found.hours, u64::from(hours));
    assert_eq!(found.faults.len(), FAULTS * hours as usize);
    assert_eq!(found.distinct().len(), FAULTS * hours as usize);
    assert!(found.pages > 1);
}

/// An hour that is right, and the index of its day.
fn plant_right(redis: &mut RespClient, tenant: &str, hour: UsageHour) {
    let counts: UsageCounts = [(UsageMeter::HttpRequests, 7)].into_iter().collect();
    let sum = counts.check_number().to_string();
    let key = format!("t2b:{{{tenant}}}:usage:{hour}");
    let fields = ["HSET", &key, "sum", &sum, "http_requests", "7"];
    redis.command(&fields).unwrap();
    let part = UsageIndexQuery::part_of(&TenantId::parse(tenant).unwrap());
    let index = format!("t2b:usage:{}:{part}", hour.day().day_text());
    redis.command(&["HSET", &index, tenant, ""]).unwrap();
}

#[tokio::test]
async fn a_day_whose_usage_is_booked_late_lacks_nothing() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let server = server_on(&redis).await;
    let yesterday = now().day().minus(1);
    let counts: UsageCounts = [(UsageMeter::HttpRequests, 7)].into_iter().collect();
    let request = StoreRequest {
        tenant: TenantId::parse("alice").unwrap(),
        now_ms: yesterday.end_ms(),
        query: UsageQuery::Book {
            record: Box::new(UsageRecord {
                boot: BootId::from_bits(7),
                seq: 1,
                // Closed, whatever time it is.
                hour: yesterday.minus(1),
                counts,
            }),
            is_first_of_day: true,
        }
        .into(),
    };
    let store = Redis::connect(RedisConfig {
        url: Secret::new(redis.url()),
        prefix: "t2b".to_owned(),
        insecure: false,
        client: None,
        usage_keep_hours: USAGE_KEEP_HOURS,
        clock: StoreClock::Server,
    });
    let store = Backplane::redis(store.await.unwrap());
    let reply = store.execute(request).await;
    let booked = reply.and_then(|reply| reply.into_usage());
    assert_eq!(booked, Ok(UsageReply::Booked { is_late: true }));
    let range = format!("from={}", yesterday.day().rfc3339());
    let found = FoundFaults::of(&server, &range).await;
    assert_eq!(found.faults, [Value::Null; 0]);
    assert_eq!(found.hours, 1);
}

/// The ways in which somebody else damages an hour.
fn damages(key: &str) -> [Vec<&str>; 2] {
    [
        vec!["HSET", key, "bytes_in", "banana"],
        vec!["SET", key, "x"],
    ]
}

#[tokio::test]
async fn a_damaged_hour_is_found_and_hides_nothing_else() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let server = server_on(&redis).await;
    let mut client = redis.client();
    let day = now().day().minus(UsageHour::PER_DAY);
    let hour = day.plus(9);
    let range = format!("from={}&to={}", day.rfc3339(), day.plus(24).rfc3339());
    let key = format!("t2b:{{alice}}:usage:{hour}");
    for damage in damages(&key) {
        for (tenant, hour) in [("alice", day), ("alice", hour), ("bob", hour)] {
            plant_right(&mut client, tenant, hour);
        }
        let found = FoundFaults::of(&server, &range).await;
        assert_eq!(found.faults, [Value::Null; 0]);
        assert_eq!(found.hours, 3);

        client.command(&damage).unwrap();
        for (of, hours) in [("", 3), ("&tenant=alice", 2)] {
            let found = FoundFaults::of(&server, &format!("{range}{of}")).await;
            assert_eq!((found.hours, found.faults.len()), (hours, 1));
            assert_eq!(found.faults[0]["hour"], hour.rfc3339());
            assert!(found.has(Some("alice"), "the hour cannot be read: "));
        }
        client.command(&["DEL", &key]).unwrap();
    }

    // Neither does a damaged list of the records that are booked.
    talk(&server, "carol").await;
    booked(&server, "carol").await;
    client
        .command(&["SET", "t2b:{carol}:usage:seen", "x"])
        .unwrap();
    let found = FoundFaults::of(&server, "").await;
    assert_eq!(found.faults.len(), 1, "{:?}", found.faults);
    assert!(found.has(Some("carol"), "which records are booked cannot be read"));
}

#[tokio::test]
async fn no_row_is_made_of_a_damaged_hour() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let server = server_on(&redis).await;
    let mut client = redis.client();
    let day = now().day().minus(UsageHour::PER_DAY);
    let hour = day.plus(9);
    let from = format!("open=true&from={}", day.rfc3339());
    let range = format!("{from}&to={}", day.plus(24).rfc3339());
    let key = format!("t2b:{{alice}}:usage:{hour}");
    let detail = format!(
        "the usage of the tenant alice in the hour {} cannot be read",
        hour.rfc3339()
    );
    for damage in damages(&key) {
        for (tenant, hour) in [("alice", day), ("alice", hour), ("bob", hour)] {
            plant_right(&mut client, tenant, hour);
        }
        assert_eq!(page(&server, &range).await.rows.len(), 3);
        client.command(&damage).unwrap();
        let own = format!("/v1/usage?{range}");
        for answer in [
            ask(&server, &format!("usage?{range}")).await,
            ask(&server, &format!("usage?{range}&step=day&tenant=alice")).await,
            ask(&server, &format!("usage?{range}&meter=http_requests")).await,
            call(&server, &own, &server.key("alice")).await,
        ] {
            let problem = answer.json();
            assert_eq!(answer.status, 503, "{problem}");
            assert_eq!(problem["reason"], "store_unavailable");
            assert_eq!(problem["detail"], detail);
        }
        let bob = page(&server, &format!("{range}&tenant=bob")).await;
        assert_eq!(bob.rows.len(), 1);
        let before = page(&server, &format!("{from}&to={}", hour.rfc3339())).await;
        assert_eq!(before.rows.len(), 1);
        // A page that ends before it has its rows, and the next one names it.
        let pages = format!("{range}&tenant=alice&limit=1");
        let first = page(&server, &pages).await;
        assert_eq!(first.rows[0].from, day.rfc3339());
        let next = format!("usage?{pages}&cursor={}", first.next_cursor.unwrap());
        assert_eq!(ask(&server, &next).await.json()["detail"], detail);
        client.command(&["DEL", &key]).unwrap();
    }
}

#[tokio::test]
async fn a_store_that_lost_its_data_is_noticed() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let server = server_on(&redis).await;
    for tenant in ["alice", "bob"] {
        talk(&server, tenant).await;
        booked(&server, tenant).await;
    }
    let lost = "the store lost records";
    let generation = "the store lost its data: its generation changed from ";
    let before = now();
    assert_eq!(FoundFaults::of(&server, "").await.faults, [Value::Null; 0]);

    redis.command(&["FLUSHALL"]);
    let found = FoundFaults::of(&server, "").await;
    for tenant in ["alice", "bob"] {
        assert!(found.has(Some(tenant), lost), "{:?}", found.faults);
    }
    let one = FoundFaults::of(&server, "tenant=bob").await;
    assert!(one.has(Some("bob"), lost) && !one.has(Some("alice"), lost));
    eventually("the generation is another one", async || {
        FoundFaults::of(&server, "").await.has(None, generation)
    })
    .await;

    // The store has the last record of alice again, and what came before it is lost.
    talk(&server, "alice").await;
    booked(&server, "alice").await;
    let found = FoundFaults::of(&server, "").await;
    assert!(!found.has(Some("alice"), lost), "{:?}", found.faults);
    assert!(found.has(None, generation) && found.has(Some("bob"), lost));
    assert_eq!(found.distinct().len(), found.faults.len());
    // Hours after the loss lack nothing.
    let after = now().plus(1);
    let range = format!("from={}&to={}", after.rfc3339(), after.plus(1).rfc3339());
    assert!(!FoundFaults::of(&server, &range).await.has(None, generation));
    let range = format!("from={}", before.minus(1).rfc3339());
    assert!(FoundFaults::of(&server, &range).await.has(None, generation));
    // A walk over several pages says each thing once.
    let range = format!("from={}", before.minus(40 * UsageHour::PER_DAY).rfc3339());
    let found = FoundFaults::of(&server, &range).await;
    assert!(found.has(None, generation) && found.has(Some("bob"), lost));
    assert_eq!(found.distinct().len(), found.faults.len());
    assert!(found.pages > 1);
}
