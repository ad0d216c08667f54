//! Who the masters are: one server, the one that the sentinels name, or those with a Cluster's
//! slots.

use redis::Value;

use super::Place;
use super::admin::Admin;
use super::error::ConnectError;
use super::url::{Address, Kind};
use crate::keys;

/// Slots of a Cluster.
const SLOTS: u16 = 16384;

/// A master and its ranges of slots, first and last.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// The masters now. `known`: others that may be asked, in a Cluster whose first nodes are gone.
pub(super) async fn masters(place: &Place, known: &[Address]) -> Result<Vec<Master>, ConnectError> {
    match &place.kind {
        Kind::Single => Ok(vec![alone(place.addresses[0].clone())]),
        Kind::Sentinel { master } => by_sentinels(place, master).await,
        Kind::Cluster => by_cluster(place, known).await,
    }
}

fn alone(address: Address) -> Master {
    let slots = vec![(0, SLOTS - 1)];
    Master { address, slots }
}

async fn by_sentinels(place: &Place, name: &str) -> Result<Vec<Master>, ConnectError> {
    let mut command = redis::cmd("SENTINEL");
    command.arg("get-master-addr-by-name").arg(name);
    let mut reason = String::new();
    for address in &place.addresses {
        // Most sentinels have no password, and one that has none refuses any.
        for dialer in [&place.stranger, &place.dialer] {
            let sentinel = Admin::new(dialer, address, place.insecure)?;
            match sentinel.ask::<Option<(String, u16)>>(&command).await {
                Ok(Some((host, port))) => return Ok(vec![alone(Address { host, port })]),
                Ok(None) => reason = format!("{address} has no master of that name"),
                Err(error) => reason = error.to_string(),
            }
        }
    }
    let who = "sentinel";
    Err(ConnectError::NoMaster { who, reason })
}

async fn by_cluster(place: &Place, known: &[Address]) -> Result<Vec<Master>, ConnectError> {
    let mut command = redis::cmd("CLUSTER");
    command.arg("SLOTS");
    let mut reason = String::new();
    for address in known.iter().chain(&place.addresses) {
        let node = Admin::new(&place.dialer, address, place.insecure)?;
        match node.ask::<Vec<Value>>(&command).await {
            Ok(ranges) => match ranges_of(address, ranges) {
                Some(masters) => return Ok(masters),
                None => reason = format!("{address} does not know of all slots"),
            },
            Err(error) => reason = error.to_string(),
        }
    }
    let who = "node of the Cluster";
    Err(ConnectError::NoMaster { who, reason })
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
    (covered == u32::from(SLOTS)).then_some(masters)
}
