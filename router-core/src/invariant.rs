//! The guarantees by name, and the one macro that checks them.
//!
//! The machines check what they can see, the tests what only an onlooker sees. A broken invariant
//! panics wherever tests run (debug assertions); a release build leaves the checks out. Source: the table in `ARCHITECTURE.md`.

/// What the product promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invariant {
    /// ISO-1: no envelope, event or error text crosses tenants.
    Isolation,
    /// ORD-1: messages from one connection to another arrive in the order sent.
    Ordered,
    /// DUP-1: one `data.messageId` from one sender to one recipient is delivered at most once.
    NoDuplicate,
    /// ACK-1: an answer is given exactly once, and "delivered" only when it is true.
    OneAnswer,
    /// HOME-1: a bot has at most one home, and its epoch never goes back.
    OneHome,
    /// GHO-1: what a dead node held is gone from every healthy node's view in time.
    NoGhost,
    /// BND-1: no queue exceeds its limit.
    Bounded,
    /// USE-1: a message is counted once, with its outcome, and what is counted is booked once.
    Metered,
}

impl Invariant {
    /// The short name that documents and failures use.
    pub const fn name(self) -> &'static str {
        match self {
            Invariant::Isolation => "ISO-1",
            Invariant::Ordered => "ORD-1",
            Invariant::NoDuplicate => "DUP-1",
            Invariant::OneAnswer => "ACK-1",
            Invariant::OneHome => "HOME-1",
            Invariant::NoGhost => "GHO-1",
            Invariant::Bounded => "BND-1",
            Invariant::Metered => "USE-1",
        }
    }
}

/// Checks a named invariant in builds with debug assertions.
///
/// ```
/// use router_core::{check, invariant::Invariant};
/// check!(Invariant::Bounded, 1 <= 2, "queue holds {}", 1);
/// ```
#[macro_export]
macro_rules! check {
    ($invariant:expr, $holds:expr, $($detail:tt)+) => {
        debug_assert!($holds, "invariant {} broken: {}", $invariant.name(), format_args!($($detail)+))
    };
}
