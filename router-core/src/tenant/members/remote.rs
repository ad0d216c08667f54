//! The connections of a tenant on other nodes, as the directory has them.

use std::collections::BTreeMap;
use std::ops::Bound;

use protocol::{BootId, ConnectionId};

use crate::store::ConnRecord;

/// Connections on other nodes.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct RemoteConnections {
    /// How many connections each other node has; absent while there never was one.
    #[expect(
        clippy::box_collection,
        reason = "most have none, and all pay for its place"
    )]
    nodes: Option<Box<BTreeMap<BootId, usize>>>,
    by_id: BTreeMap<ConnectionId, ConnRecord>,
}

impl RemoteConnections {
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// How many other nodes have one.
    pub fn node_count(&self) -> usize {
        self.nodes.as_ref().map_or(0, |nodes| nodes.len())
    }

    /// The node of a connection.
    pub fn node_of(&self, id: &str) -> Option<BootId> {
        self.by_id.get(id).map(|record| record.boot)
    }

    pub fn has(&self, id: &ConnectionId, record: &ConnRecord) -> bool {
        self.by_id.get(id) == Some(record)
    }

    pub fn insert(&mut self, id: ConnectionId, record: ConnRecord) {
        let nodes = self.nodes.get_or_insert_default();
        *nodes.entry(record.boot).or_default() += 1;
        self.by_id.insert(id, record);
    }

    pub fn remove(&mut self, id: &ConnectionId) -> Option<ConnRecord> {
        let record = self.by_id.remove(id)?;
        if let Some(nodes) = &mut self.nodes
            && let Some(count) = nodes.get_mut(&record.boot)
        {
            *count -= 1;
            if *count == 0 {
                nodes.remove(&record.boot);
            }
        }
        Some(record)
    }

    /// All of them, in id order.
    pub fn iter(&self) -> impl Iterator<Item = (&ConnectionId, &ConnRecord)> {
        self.by_id.iter()
    }

    /// Those behind an id, in id order; absent: all.
    pub fn after(
        &self,
        id: Option<&ConnectionId>,
    ) -> impl Iterator<Item = (&ConnectionId, &ConnRecord)> {
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_id
            .range::<ConnectionId, _>((from, Bound::Unbounded))
    }
}
