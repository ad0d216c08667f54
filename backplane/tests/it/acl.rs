//! The user that the documents tell operators to make: it may do all that a node does, and nothing
//! that no node does.

use backplane::{Backplane, InboundMessage};
use fixtures::{RedisCluster, RedisServer, RespClient, RespValue, documented_user};
use router_core::store::nodes::{NodeQuery, NodeReply};
use router_core::store::{DirectoryQuery, PolicyQuery, StoreQuery};

use crate::harness::{BOOT, Node, OTHER, is_claimed, packet, try_connect};
use crate::support::words::{claim, load};

/// A server where nobody is somebody without a password.
struct Guarded {
    admin: RespClient,
    port: u16,
}

impl Guarded {
    fn new(redis: &RedisServer) -> Self {
        let mut admin = redis.client();
        redis.command(&["ACL", "SETUSER", "admin", "on", ">pw", "~*", "&*", "+@all"]);
        redis.command(&["ACL", "SETUSER", "default", "off"]);
        admin.command(&["AUTH", "admin", "pw"]).unwrap();
        let port = redis.port();
        Self { admin, port }
    }

    fn command(&mut self, args: &[&str]) -> RespValue {
        let answer = self.admin.command(args).unwrap();
        assert!(!matches!(answer, RespValue::Error(_)), "{answer:?}");
        answer
    }
}

/// Servers, and what is between the scheme and the user of their URL, and what is behind them.
struct Place {
    scheme: &'static str,
    servers: Vec<Guarded>,
    path: &'static str,
}

impl Place {
    /// Whether a user with these rules can do all that a node does, and was denied nothing. Errors:
    /// what failed.
    async fn works(&mut self, user: &[&str]) -> Result<(), String> {
        for server in &mut self.servers {
            server.command(&["ACL", "DELUSER", "t2b"]);
            server.command(&[&["ACL", "SETUSER"], user].concat());
            server.command(&["ACL", "LOG", "RESET"]);
        }
        let hosts = self.servers.iter();
        let hosts: Vec<_> = hosts.map(|it| format!("127.0.0.1:{}", it.port)).collect();
        let (scheme, hosts, path) = (self.scheme, hosts.join(","), self.path);
        let url = format!("{scheme}://t2b:PASSWORD@{hosts}{path}");
        let store = try_connect(&url).await.map_err(|e| e.to_string())?;
        let backplane = Backplane::redis(store);
        let inbound = backplane.inbound().unwrap();
        let mut node = Node { backplane, inbound };
        self.all(&mut node).await?;
        for server in &mut self.servers {
            match server.command(&["ACL", "LOG"]).members() {
                [] => {}
                denied => return Err(format!("{denied:?}")),
            }
        }
        Ok(())
    }

    async fn all(&mut self, node: &mut Node) -> Result<(), String> {
        let backplane = &node.backplane;
        let said = |what: &str| what.to_owned();
        for boot in [BOOT, OTHER] {
            let subscribed = backplane.subscribe_node(boot).await;
            subscribed.map_err(|()| said("subscribe"))?;
        }
        // What is ended is confirmed before what is begun after it.
        backplane.unsubscribe_node(OTHER);
        for i in 0..9 {
            let tenant = format!("t{i}");
            for query in [
                StoreQuery::from(load(&[])),
                claim("bot", 1).into(),
                PolicyQuery::Suspend(false).into(),
                DirectoryQuery::Version.into(),
            ] {
                let reply = node.ask(&tenant, query).await;
                reply.map_err(|failure| format!("{failure:?}"))?;
            }
        }
        for server in &mut self.servers {
            server.command(&["SCRIPT", "FLUSH"]);
        }
        let again = node.ask("t0", claim("bot", 2)).await;
        if !is_claimed(&again) {
            return Err(format!("after a flush: {again:?}"));
        }
        // A connection of the pool is tried before it is used again.
        for _ in 0..3 {
            let described = backplane.execute_node(NodeQuery::Describe(BOOT)).await;
            if described != NodeReply::Hello(None) {
                return Err(format!("{described:?}"));
            }
        }
        let sent = backplane.publish(BOOT, "x".into()).await;
        sent.map_err(|()| said("publish"))?;
        if node.until(packet).await != "x" {
            return Err(said("packet"));
        }
        node.backplane
            .probe(BOOT, 1)
            .await
            .map_err(|()| said("probe"))?;
        let probed = |it| matches!(it, InboundMessage::Probe { number: 1 }).then_some(());
        node.until(probed).await;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_user_is_enough_and_not_too_much() {
    let (Some(redis), Some(cluster)) = (RedisServer::start(), RedisCluster::start()) else {
        return;
    };
    let mut places = [
        Place {
            scheme: "redis",
            servers: vec![Guarded::new(&redis)],
            path: "/1",
        },
        Place {
            scheme: "redis+cluster",
            servers: cluster.nodes.iter().map(Guarded::new).collect(),
            path: "",
        },
    ];
    let user = documented_user();
    for place in &mut places {
        place.works(&user).await.unwrap();
    }
    let mut needless: Vec<&str> = Vec::new();
    for right in user.iter().filter(|rule| rule.starts_with('+')) {
        let less: Vec<_> = user.iter().filter(|rule| *rule != right).copied().collect();
        let mut needed = false;
        for place in &mut places {
            needed = needed || place.works(&less).await.is_err();
        }
        needless.extend((!needed).then_some(*right));
    }
    assert!(needless.is_empty(), "{needless:?}");
}
