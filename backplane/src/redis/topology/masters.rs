//! Who the masters are: one server, the one that the sentinels name, or those with a Cluster's
//! slots.

use std::future::ready;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use redis::Value;

use super::address::ServerAddress;
use super::place::RedisPlace;
use super::server;
use super::url::RedisKind;
use crate::keys;
use crate::redis::error::ConnectError;
use crate::redis::pool::admin::AdminPool;

/// Slots of a Cluster.
const SLOTS: u16 = 16384;

/// A master and its ranges of slots, first and last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::redis) struct RedisMaster {
    pub(in crate::redis) address: ServerAddress,
    pub(in crate::redis) slots: Vec<(u16, u16)>,
}

impl RedisMaster {
    /// Whether it has the slot of this key or channel.
    pub(in crate::redis) fn has(&self, name: &str) -> bool {
        let slot = keys::slot(name);
        self.slots.iter().any(|(a, b)| (*a..=*b).contains(&slot))
    }

    /// The first of numbered names that is here.
    pub(in crate::redis) fn first(&self, name: impl Fn(u32) -> String) -> String {
        let mut here = (0..).map(name).filter(|name| self.has(name));
        here.next().expect("some number has a slot of every node")
    }
}

/// How long a sentinel is waited for before the next one is asked too: as long as the first ones
/// answer, every node asks the same one.
const NEXT_SENTINEL: Duration = Duration::from_millis(50);

/// The masters, as one address says.
type MasterView<'a> = BoxFuture<'a, Result<Vec<RedisMaster>, ConnectError>>;

/// Who the masters are, as each of the addresses says. All are asked, and the fastest is first, so
/// that those that are gone cost next to nothing. `known`: others that may be asked, in a Cluster
/// whose first nodes are gone.
pub(in crate::redis) fn views<'a>(
    place: &'a RedisPlace,
    known: &'a [ServerAddress],
) -> FuturesUnordered<MasterView<'a>> {
    let known: &[ServerAddress] = match &place.kind {
        RedisKind::Single | RedisKind::Sentinel { .. } => &[],
        RedisKind::Cluster => known,
    };
    let addresses = known.iter().chain(&place.addresses).enumerate();
    let ask = |(number, address): (usize, &'a ServerAddress)| -> MasterView<'a> {
        match &place.kind {
            RedisKind::Single => Box::pin(ready(Ok(vec![alone(address.clone())]))),
            RedisKind::Sentinel { master } => Box::pin(async move {
                tokio::time::sleep(NEXT_SENTINEL * number as u32).await;
                by_sentinel(place, address, master).await
            }),
            RedisKind::Cluster => Box::pin(by_cluster(place, address)),
        }
    };
    addresses.map(ask).collect()
}

fn alone(address: ServerAddress) -> RedisMaster {
    let slots = vec![(0, SLOTS - 1)];
    RedisMaster { address, slots }
}

fn no_master(who: &'static str, reason: String) -> ConnectError {
    ConnectError::NoMaster { who, reason }
}

/// What Redis says to `CLUSTER` if it is no node of one.
const NO_CLUSTER: &str = "cluster support disabled";
/// What it says to `SENTINEL` if it is none.
const NO_SENTINEL: &str = "unknown command";

fn is_other(address: &ServerAddress, is: &'static str) -> ConnectError {
    ConnectError::OtherKind {
        address: address.clone(),
        is,
        use_instead: "redis://",
    }
}

async fn by_sentinel(
    place: &RedisPlace,
    address: &ServerAddress,
    name: &str,
) -> Result<Vec<RedisMaster>, ConnectError> {
    let mut command = redis::cmd("SENTINEL");
    command.arg("get-master-addr-by-name").arg(name);
    let mut reason = String::new();
    for dialer in &place.sentinels {
        let sentinel = AdminPool::new(dialer, address)?;
        match sentinel.ask::<Option<(String, u16)>>(&command).await {
            Ok(Some((host, port))) => return Ok(vec![alone(ServerAddress { host, port })]),
            Ok(None) => reason = format!("{address} has no master of that name"),
            Err(error) if error.to_string().contains(NO_SENTINEL) => {
                return Err(is_other(address, "is no sentinel"));
            }
            Err(error) => reason = error.to_string(),
        }
    }
    Err(no_master("sentinel", reason))
}

async fn by_cluster(
    place: &RedisPlace,
    address: &ServerAddress,
) -> Result<Vec<RedisMaster>, ConnectError> {
    let asked = async {
        let node = AdminPool::new(&place.dialer, address)?;
        // One that was away, or is cut off from the others, still names the masters of then.
        server::is_well(&node, address).await?;
        node.ask::<Vec<Value>>(redis::cmd("CLUSTER").arg("SLOTS"))
            .await
    };
    let failed = |reason| no_master("node of the Cluster", reason);
    let ranges = asked.await.map_err(|error| match error.to_string() {
        text if text.contains(NO_CLUSTER) => is_other(address, "is no node of a Cluster"),
        _ if matches!(
            error,
            ConnectError::Credentials { .. } | ConnectError::Tls(_)
        ) =>
        {
            error
        }
        text => failed(text),
    })?;
    let masters = ranges_of(address, ranges);
    masters.ok_or_else(|| failed(format!("{address} does not know of all slots")))
}

/// The masters in `CLUSTER SLOTS`. `None`: there are slots without one.
fn ranges_of(asked: &ServerAddress, ranges: Vec<Value>) -> Option<Vec<RedisMaster>> {
    let mut masters: Vec<RedisMaster> = Vec::new();
    let mut covered = 0;
    for range in ranges {
        let Value::Array(members) = range else {
            return None;
        };
        let mut members = members.into_iter();
        let mut number = || redis::from_redis_value::<u16>(members.next()?).ok();
        let (first, last) = (number()?, number()?);
        let Value::Array(node) = members.next()? else {
            return None;
        };
        let mut node = node.into_iter();
        let host: Option<String> = redis::from_redis_value(node.next()?).ok()?;
        let port = redis::from_redis_value(node.next()?).ok()?;
        // A node that does not know its own address says nothing.
        let host = host.filter(|host| !host.is_empty() && host != "?");
        let host = host.unwrap_or_else(|| asked.host.clone());
        let address = ServerAddress { host, port };
        covered += u32::from(last.checked_sub(first)?) + 1;
        match masters.iter_mut().find(|master| master.address == address) {
            Some(master) => master.slots.push((first, last)),
            None => masters.push(RedisMaster {
                address,
                slots: vec![(first, last)],
            }),
        }
    }
    masters.sort_unstable();
    (covered == u32::from(SLOTS)).then_some(masters)
}
