//! Floor 2: the store and the ways between nodes, behind one closed list of questions.
//!
//! The gateway knows only [`Backplane`]. Today there is one kind, [`Memory`]: a single node whose
//! store is the reference model itself.

mod memory;

use router_core::store::{Reply, Request};

pub use memory::{Memory, OpenError};

/// Answers some requests in place of the store: how a test plants a fault.
pub type Fault = Box<dyn Fn(&Request) -> Option<Reply> + Send + Sync>;

/// Where a node's questions go.
pub struct Backplane {
    memory: Memory,
    fault: Option<Fault>,
}

impl Backplane {
    /// The store of a node that stands alone.
    pub fn memory(memory: Memory) -> Self {
        Self {
            memory,
            fault: None,
        }
    }

    /// The same, with a fault planted in it.
    pub fn with_fault(self, fault: Fault) -> Self {
        Self {
            fault: Some(fault),
            ..self
        }
    }

    /// Asks. The reply to a request that could not be carried out is `Refused(store_unavailable)`.
    pub async fn execute(&self, request: Request) -> Reply {
        match self.fault.as_ref().and_then(|fault| fault(&request)) {
            Some(reply) => reply,
            None => self.memory.execute(request),
        }
    }

    /// Forgets what is a day old; to be called every few seconds.
    pub fn sweep(&self, now_ms: u64) {
        self.memory.sweep(now_ms);
    }

    /// Bytes in use and the most there may be.
    pub fn bytes(&self) -> (u64, u64) {
        self.memory.bytes()
    }
}

impl std::fmt::Debug for Backplane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backplane").finish_non_exhaustive()
    }
}
