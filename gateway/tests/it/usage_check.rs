//! What `GET /admin/v1/usage/check` finds in a real Redis.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use fixtures::{RedisServer, RespClient};
use protocol::{Secret, TenantId, UsageHour};
use router_core::store::UsageIndexQuery;
use serde_json::Value;

use crate::harness::{Server, eventually};
use crate::usage::{FLUSH, ask, booked, talk};

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
