//! A tenant on this node as operators and tests see it.

use std::sync::Arc;

use protocol::{BootId, BotId, ConnectionId};

use super::Tenant;
use super::bots::bot::Home;
use crate::env::Millis;
use crate::membership::NodeView;
use crate::store::BotHolder;
use crate::terms::TenantTerms;

/// How much replicas of directories hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Entries {
    /// Listed bots, offline ones included.
    pub bots: usize,
    /// Connections, on whatever node.
    pub connections: usize,
}

impl std::iter::Sum for Entries {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, it| Self {
            bots: sum.bots + it.bots,
            connections: sum.connections + it.connections,
        })
    }
}

/// What a node has of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// The number of the last step of the directory that was applied.
    pub ver: u64,
    /// The least key generation that a credential needs.
    pub key_generation: u64,
    /// Whether the tenant is suspended.
    pub is_suspended: bool,
    /// What the tenant may use.
    pub terms: TenantTerms,
    /// Every listed bot, in id order.
    pub bots: Vec<ReplicaBot>,
    /// Connections of all nodes that the directory knows, in id order.
    pub conns: Vec<(ConnectionId, BootId)>,
    /// Messages whose outcomes are not all in.
    pub deliveries: usize,
    /// Messages of connections of this node that are not decided yet.
    pub undecided: u32,
    /// Connections that have messages to one bot under way or waiting.
    pub flows: usize,
    /// What the store must still be told.
    pub owed: usize,
}

/// A bot of a [`Replica`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaBot {
    /// The bot.
    pub id: BotId,
    /// The number of the last claim.
    pub epoch: u64,
    /// Its home, if it has one.
    pub holder: Option<BotHolder>,
    /// Since when it is online or offline, Unix milliseconds.
    pub since_ms: Millis,
}

impl Tenant {
    /// How much it has.
    pub(crate) fn entries(&self) -> Entries {
        Entries {
            bots: self.bots.len(),
            connections: self.members.connection_count(),
        }
    }

    /// How many of its sockets here the first secret verified, and how many another.
    pub(crate) fn sockets_by_secret(&self) -> [u32; 2] {
        self.members.sockets_by_secret()
    }

    /// What this node has of it; absent until it is loaded.
    pub(crate) fn replica(&self, nodes: &NodeView) -> Option<Replica> {
        if !self.directory.is_loaded() {
            return None;
        }
        let own = nodes.own;
        let bots = self.bots.iter().map(|bot| {
            let holder = match &bot.home {
                Some(Home::There(holder)) => Some(BotHolder::clone(holder)),
                Some(Home::Here(key)) => self.members.connection(*key).map(|conn| BotHolder {
                    boot: own,
                    conn: conn.id,
                }),
                None => None,
            };
            ReplicaBot {
                id: bot.details.info.id.clone(),
                epoch: bot.details.epoch,
                holder,
                since_ms: bot.details.info.since,
            }
        });
        let here = self.members.listed().into_iter().map(|(_, id)| (id, own));
        let there = self.members.remote();
        let there = there.map(|(id, record)| (*id, record.boot));
        let mut conns: Vec<(ConnectionId, BootId)> = here.chain(there).collect();
        conns.sort_unstable();
        Some(Replica {
            ver: self.directory.ver(),
            key_generation: self.members.key_generation(),
            is_suspended: self.members.is_suspended(),
            terms: TenantTerms {
                limits: Arc::clone(&self.limits),
                allowances: self
                    .quota
                    .as_ref()
                    .map_or_else(Arc::default, |quota| Arc::clone(quota.allowances())),
            },
            bots: bots.collect(),
            conns,
            deliveries: self.delivery.pending_count(),
            undecided: self.meter.undecided(),
            flows: self.delivery.flow_count(),
            owed: self.directory.outbox().len(),
        })
    }
}
