//! Who the masters are: one server, the one that the sentinels name, or those with a Cluster's
//! slots.

use std::future::ready;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use redis::Value;

use super::admin::Admin;
use super::error::ConnectError;
use super::url::{Address, Kind};
use super::{Place, server};
use crate::keys;

/// Slots of a Cluster.
const SLOTS: u16 = 16384;

/// A master and its ranges of slots, first and last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Master {
    pub(super) address: Address,
    pub(super) slots: Vec<(u16, u16)>,
}

impl Master {
    /// Whether it has the slot of this key or channel.
    pub(super) fn has(&self, name: &str) -> bool {
        let slot = keys::slot(name);
        self.slots.iter().any(|(a, b)| (*a..=*b).contains(&slot))
    }

    /// The first of numbered names that is here.
    pub(super) fn first(&self, name: impl Fn(u32) -> String) -> String {
        let mut here = (0..).map(name).filter(|name| self.has(name));
        here.next().expect("some number has a slot of every node")
    }
}

/// How long a sentinel is waited for before the next one is asked too: as long as the first ones
/// answer, every node asks the same one.
const NEXT_SENTINEL: Duration = Duration::from_millis(50);

/// One asker's answer.
type Answer<'a> = BoxFuture<'a, Result<Vec<Master>, ConnectError>>;

/// Who the masters are, as each of the addresses says. All are asked, and the fastest is first, so
/// that those that are gone cost next to nothing. `known`: others that may be asked, in a Cluster
/// whose first nodes are gone.
pub(super) fn views<'a>(place: &'a Place, known: &'a [Address]) -> FuturesUnordered<Answer<'a>> {
    let known: &[Address] = match &place.kind {
        Kind::Single | Kind::Sentinel { .. } => &[],
        Kind::Cluster => known,
    };
    let addresses = known.iter().chain(&place.addresses).enumerate();
    let ask = |(number, address): (usize, &'a Address)| -> Answer<'a> {
        match &place.kind {
            Kind::Single => Box::pin(ready(Ok(vec![alone(address.clone())]))),
            Kind::Sentinel { master } => Box::pin(async move {
                tokio::time::sleep(NEXT_SENTINEL * number as u32).await;
                by_sentinel(place, address, master).await
            }),
            Kind::Cluster => Box::pin(by_cluster(place, address)),
        }
    };
    addresses.map(ask).collect()
}

fn alone(address: Address) -> Master {
    let slots = vec![(0, SLOTS - 1)];
    Master { address, slots }
}

fn no_master(who: &'static str, reason: String) -> ConnectError {
    ConnectError::NoMaster { who, reason }
}

/// What Redis says to `CLUSTER` if it is no node of one.
const NO_CLUSTER: &str = "cluster support disabled";
/// What it says to `SENTINEL` if it is none.
const NO_SENTINEL: &str = "unknown command";

fn is_other(address: &Address, is: &'static str) -> ConnectError {
    ConnectError::OtherKind {
        address: address.clone(),
        is,
        use_instead: "redis://",
    }
}

async fn by_sentinel(
    place: &Place,
    address: &Address,
    name: &str,
) -> Result<Vec<Master>, ConnectError> {
    let mut command = redis::cmd("SENTINEL");
    command.arg("get-master-addr-by-name").arg(name);
    let mut reason = String::new();
    for dialer in &place.sentinels {
        let sentinel = Admin::new(dialer, address, place.insecure)?;
        match sentinel.ask::<Option<(String, u16)>>(&command).await {
            Ok(Some((host, port))) => return Ok(vec![alone(Address { host, port })]),
            Ok(None) => reason = format!("{address} has no master of that name"),
            Err(error) if error.to_string().contains(NO_SENTINEL) => {
                return Err(is_other(address, "is no sentinel"));
            }
            Err(error) => reason = error.to_string(),
        }
    }
    Err(no_master("sentinel", reason))
}

async fn by_cluster(place: &Place, address: &Address) -> Result<Vec<Master>, ConnectError> {
    let asked = async {
        let node = Admin::new(&place.dialer, address, place.insecure)?;
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
fn ranges_of(asked: &Address, ranges: Vec<Value>) -> Option<Vec<Master>> {
    let mut masters: Vec<Master> = Vec::new();
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
        let address = Address { host, port };
        covered += u32::from(last.checked_sub(first)?) + 1;
        match masters.iter_mut().find(|master| master.address == address) {
            Some(master) => master.slots.push((first, last)),
            None => masters.push(Master {
                address,
                slots: vec![(first, last)],
            }),
        }
    }
    masters.sort_unstable();
    (covered == u32::from(SLOTS)).then_some(masters)
}
