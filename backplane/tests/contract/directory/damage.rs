//! Keys of a tenant that somebody else made another type of: all that needs them is refused at once,
//! and the key is named.

use fixtures::{RedisServer, RespValue};
use protocol::{ErrorCode, TenantId};
use router_core::store::{
    DirectoryQuery, DirectoryReply, PolicyQuery, StoreFailure, StoreQuery, StoreReply,
};

use crate::harness::{at, connect, request, run, url_of};
use crate::support::words::{assert, claim, enter, forget, load, reap, release};

#[test]
fn a_key_of_another_type_is_named_and_nothing_is_begun() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let url = url_of(&redis);
    run(async {
        let node = connect(&url).await;
        let alice = TenantId::parse("alice").unwrap();
        let queries = || {
            [
                StoreQuery::from(load(&[])),
                DirectoryQuery::Version.into(),
                enter(1, "anna").into(),
                claim("bot", 1).into(),
                assert(&[("bot", 1, 5)], &[(1, "anna")], 0).into(),
                release(1, &[("bot", 5)], &["anna"]).into(),
                forget("bot", None).into(),
                reap(&[1]).into(),
                PolicyQuery::Revoke.into(),
                PolicyQuery::Suspend(true).into(),
            ]
        };
        for name in ["ver", "dir"] {
            let key = format!("t2b:{{alice}}:{name}");
            for query in queries() {
                redis.command(&["FLUSHALL"]);
                redis.command(&["LPUSH", &key, "x"]);
                let reply = node.execute(request(&alice, at(1, query.clone()))).await;
                let right = Err(StoreFailure::Refused(ErrorCode::StoreUnavailable));
                assert_eq!(reply, right, "{name} {query:?}");
                let error = node.state().last_error.unwrap_or_default();
                assert!(error.contains(&key), "{error}");
                let keys = redis.command(&["KEYS", "*"]);
                assert_eq!(keys.members(), [RespValue::from(key.as_str())], "{query:?}");
            }
        }
        redis.command(&["FLUSHALL"]);
        let reply = node.execute(request(&alice, at(1, claim("bot", 1)))).await;
        assert!(
            matches!(
                reply,
                Ok(StoreReply::Directory(DirectoryReply::Claimed { .. }))
            ),
            "{reply:?}"
        );
    });
}
