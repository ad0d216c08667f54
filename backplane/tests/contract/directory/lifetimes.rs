//! How long Redis keeps what it has of a tenant.

use router_core::store::{DirectoryQuery, PolicyQuery};

use crate::harness::{Subject, at, run, url_of};
use crate::support::words::{claim, release};

/// Redis keeps what was claimed last for a week, and the policy for good.
#[test]
fn what_is_kept_and_for_how_long() {
    let Some(redis) = fixtures::RedisServer::start() else {
        return;
    };
    run(async {
        let mut subject = Subject::connect(&url_of(&redis)).await;
        let tenant = subject.fresh_tenant().await;
        let lives = |key: &str| {
            let key = format!("t2b:{{{tenant}}}:{key}");
            redis.command(&["TTL", &key]).integer()
        };
        let week = 7 * 24 * 60 * 60;
        subject.step(&tenant, at(1, claim("a", 1))).await.0.unwrap();
        subject
            .step(&tenant, at(1, PolicyQuery::Revoke))
            .await
            .0
            .unwrap();
        subject
            .step(&tenant, at(1, release(1, &[], &["anna"])))
            .await
            .0
            .unwrap();
        assert!((week - 60..=week).contains(&lives("seen")));
        for key in ["dir", "ver"] {
            assert!((week - 60..=week).contains(&lives(key)), "{key}");
            redis.command(&["EXPIRE", &format!("t2b:{{{tenant}}}:{key}"), "5"]);
        }
        assert_eq!(lives("policy"), -1);
        subject
            .step(&tenant, at(1, DirectoryQuery::Version))
            .await
            .0
            .unwrap();
        for key in ["dir", "ver"] {
            assert!(lives(key) > week - 60, "{key}");
        }
    });
}
