//! Walks over pages of usage, and cursors that do not fit.

use protocol::http::UsagePage;
use protocol::{UsageHour, UsageMeter};
use serde_json::json;

use crate::harness::Server;
use crate::http::Answer;
use crate::usage::{ask, booked, call, page, server, talk};

/// What the owner is answered with a key.
async fn own(server: &Server, tenant: &str, query: &str) -> Answer {
    let path = format!("/v1/usage?open=true&{query}");
    call(server, &path, &server.key(tenant)).await
}

async fn own_page(server: &Server, tenant: &str, query: &str) -> UsagePage {
    let answer = own(server, tenant, query).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

#[tokio::test]
async fn the_owner_reads_every_page() {
    let server = server().await;
    for tenant in ["alice", "bob"] {
        talk(&server, tenant).await;
    }
    booked(&server, "alice").await;
    // Each call is a request that counts, so its row may come between two pages.
    let ids = |page: UsagePage| {
        let rows = page.rows.into_iter();
        let rows = rows.filter(|row| row.meter != UsageMeter::HttpRequests);
        rows.map(|row| row.id).collect::<Vec<_>>()
    };
    let all = ids(own_page(&server, "alice", "").await);
    assert!(all.len() > 5, "{all:?}");
    let (mut paged, mut query) = (Vec::new(), "limit=1".to_owned());
    loop {
        let next = own_page(&server, "alice", &query).await;
        let cursor = next.next_cursor.clone();
        paged.extend(ids(next));
        let Some(cursor) = cursor else { break };
        let other = own(&server, "bob", &format!("limit=1&cursor={cursor}")).await;
        assert_eq!(
            (other.status, &other.json()["field"]),
            (400, &json!("cursor"))
        );
        query = format!("limit=1&cursor={cursor}");
    }
    assert_eq!(paged, all);
}

#[tokio::test]
async fn a_cursor_of_a_part_that_is_none_is_refused() {
    let server = Server::start().await;
    let range = "from=2020-01-01&to=2020-03-01";
    let cursor = page(&server, range).await.next_cursor.unwrap();
    let (head, part) = cursor.rsplit_once('.').unwrap();
    assert!(part.parse::<u8>().unwrap() < 64, "{cursor}");
    for part in ["64", "255", "256"] {
        for path in ["usage", "usage/check"] {
            let answer = ask(&server, &format!("{path}?{range}&cursor={head}.{part}")).await;
            assert_eq!(answer.status, 400, "{part}: {}", answer.body);
            assert_eq!(answer.json()["field"], "cursor");
        }
    }
    // A cursor of all tenants is none of one tenant, whatever it says.
    let day = UsageHour::parse("2020010100").unwrap().rfc3339();
    let answer = own(
        &server,
        "alice",
        &format!("from={day}&to=2020-03-01&cursor={cursor}"),
    )
    .await;
    assert_eq!(
        (answer.status, &answer.json()["field"]),
        (400, &json!("cursor"))
    );
}
