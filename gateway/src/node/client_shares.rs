//! What the sockets of one client id share.

use crate::ws::Budget;

/// Stands for a client id where many are counted: a hash with the process's random keys.
pub(super) type ClientHash = u64;

/// What the sockets of one client id share.
#[derive(Default)]
pub(super) struct ClientShare {
    pub(super) sockets: usize,
    /// Of all sockets but the first: one alone is bounded by its queue.
    pub(super) outbound: Option<Budget>,
}

/// The shares of all client ids that are connected. Most tenants have one, which takes no table.
#[derive(Default)]
pub(super) struct ClientShares {
    first: Option<(ClientHash, ClientShare)>,
    others: Option<Box<foldhash::HashMap<ClientHash, ClientShare>>>,
}

impl ClientShares {
    pub(super) fn get_mut(&mut self, client: ClientHash) -> Option<&mut ClientShare> {
        match &mut self.first {
            Some((first, share)) if *first == client => Some(share),
            Some(_) | None => self.others.as_mut()?.get_mut(&client),
        }
    }

    pub(super) fn or_default(&mut self, client: ClientHash) -> &mut ClientShare {
        if self.others.is_none() {
            self.first
                .get_or_insert_with(|| (client, ClientShare::default()));
        }
        match &mut self.first {
            Some((first, share)) if *first == client => share,
            Some(_) | None => {
                let others = self.others.get_or_insert_default();
                others.entry(client).or_default()
            }
        }
    }

    pub(super) fn remove(&mut self, client: ClientHash) {
        if self.first.take_if(|(first, _)| *first == client).is_some() {
            return;
        }
        if let Some(others) = &mut self.others {
            others.remove(&client);
            self.others.take_if(|others| others.is_empty());
        }
    }
}
