//! Who has what in a lane.
//!
//! A tenant has an account while it holds bytes of the lane. What comes is asked once whose it is;
//! after that the account goes by its number.

use std::ops::{Index, IndexMut};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use protocol::TenantId;
use slab::Slab;

use super::queue::TenantQueue;
use crate::ids::{HashKeys, TableKeys};

/// Names an account until that is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AccountNumber(usize);

/// What a tenant has.
#[derive(Debug)]
pub(super) struct LaneAccount {
    tenant: TenantId,
    /// Bytes: of what waits, and of what is not acknowledged.
    pub held: usize,
    /// What waits.
    pub queue: TenantQueue,
}

/// The open accounts.
#[derive(Debug)]
pub(super) struct LaneAccounts {
    open: Slab<LaneAccount>,
    /// By their tenants.
    numbers: HashTable<AccountNumber>,
    keys: TableKeys,
    /// The last one that was asked for. Bursts are of one tenant: it spares them the search.
    last: Option<AccountNumber>,
}

impl LaneAccounts {
    /// None. The keys should be random per process.
    pub fn new(keys: HashKeys) -> Self {
        Self {
            open: Slab::new(),
            numbers: HashTable::new(),
            keys: TableKeys::new(keys),
            last: None,
        }
    }

    /// The tenant's account; it is opened if there is none.
    pub fn of(&mut self, tenant: &TenantId) -> AccountNumber {
        let last = self.last.filter(|last| self[*last].tenant == *tenant);
        let number = last.unwrap_or_else(|| self.find(tenant));
        self.last = Some(number);
        number
    }

    fn find(&mut self, tenant: &TenantId) -> AccountNumber {
        let Self {
            open,
            numbers,
            keys,
            ..
        } = self;
        let entry = numbers.entry(
            keys.hash(tenant),
            |number| open[number.0].tenant == *tenant,
            |number| keys.hash(&open[number.0].tenant),
        );
        match entry {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => {
                let number = AccountNumber(open.insert(LaneAccount {
                    tenant: tenant.clone(),
                    held: 0,
                    queue: TenantQueue::default(),
                }));
                place.insert(number);
                number
            }
        }
    }

    /// Closes an account that holds nothing any more; one that does stays.
    pub fn settle(&mut self, number: AccountNumber) {
        if self[number].held > 0 {
            return;
        }
        let account = self.open.remove(number.0);
        let hash = self.keys.hash(&account.tenant);
        if let Ok(place) = self.numbers.find_entry(hash, |it| *it == number) {
            place.remove();
        }
        self.last = self.last.filter(|last| *last != number);
    }

    /// Whether nobody holds anything.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty() && self.numbers.is_empty() && self.last.is_none()
    }
}

impl Index<AccountNumber> for LaneAccounts {
    type Output = LaneAccount;

    fn index(&self, number: AccountNumber) -> &LaneAccount {
        &self.open[number.0]
    }
}

impl IndexMut<AccountNumber> for LaneAccounts {
    fn index_mut(&mut self, number: AccountNumber) -> &mut LaneAccount {
        &mut self.open[number.0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    #[test]
    fn an_account_is_its_tenants_until_it_holds_nothing() {
        let mut accounts = LaneAccounts::new(HashKeys(1, 2));
        let (a, b) = (accounts.of(&tenant("a")), accounts.of(&tenant("b")));
        assert!(a != b);
        assert_eq!(
            (accounts.of(&tenant("a")), accounts.of(&tenant("b"))),
            (a, b)
        );
        accounts[a].held = 1;
        accounts.settle(a);
        accounts.settle(b);
        assert_eq!(accounts.of(&tenant("a")), a);
        assert_eq!((accounts[a].held, accounts.numbers.len()), (1, 1));
        // The number is free, and may be another tenant's now.
        let c = accounts.of(&tenant("c"));
        assert_eq!((c, accounts[c].held), (b, 0));
        accounts.settle(c);
        accounts[a].held = 0;
        accounts.settle(a);
        assert!(accounts.is_empty());
    }
}
