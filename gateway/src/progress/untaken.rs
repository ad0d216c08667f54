//! Answers that a peer has not taken yet, and who is charged with them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sock_diag::SockDiag;
use crate::ws::SocketEnds;
use crate::ws::budget::BudgetCharge;

/// The charges for the answers that the peer has not taken as a whole, the newest last.
#[derive(Debug)]
pub(super) struct UntakenAnswers {
    ends: Option<SocketEnds>,
    charges: Mutex<Vec<BudgetCharge>>,
}

impl UntakenAnswers {
    /// `ends`: the addresses by which the kernel is asked about the connection.
    pub(super) fn new(ends: Option<SocketEnds>) -> Self {
        Self {
            ends,
            charges: Mutex::default(),
        }
    }

    pub(super) fn push(&self, charge: BudgetCharge) {
        self.charges().push(charge);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.charges().is_empty()
    }

    /// Bytes that the kernel holds for the peer. 0 where the kernel does not tell: what it has taken
    /// from the gateway then counts as taken by the peer.
    pub(super) fn unacked(&self) -> u64 {
        let held = self
            .ends
            .and_then(|ends| SockDiag::open().ok()?.ask(&[ends]).ok()?.pop()?);
        held.map_or(0, |held| u64::from(held.unacked))
    }

    /// Gives back all charges but for the newest `unacked` bytes.
    pub(super) fn keep(&self, mut unacked: u64) {
        let mut charges = self.charges();
        for charge in charges.iter_mut().rev() {
            charge.set_anyway(charge.bytes().min(unacked));
            unacked -= charge.bytes();
        }
        charges.retain(|charge| charge.bytes() > 0);
    }

    fn charges(&self) -> MutexGuard<'_, Vec<BudgetCharge>> {
        self.charges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
