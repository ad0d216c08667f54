//! How the memory of a process is divided: see docs/adr/0008-memory-is-divided.md.
//!
//! | part of `memory_max` | for | full |
//! | --- | --- | --- |
//! | a quarter | frames that wait for peers, in queues and in the kernel's buffers | the largest tenant's slowest sockets are closed with 4408 |
//! | an eighth | messages that have not arrived as a whole | the largest tenant's largest are closed with 1013 |
//! | a quarter | sockets that say nothing: 16 KiB each | `sockets_max` |
//! | a quarter, at most 256 MiB | the memory store, unless `store_bytes` says otherwise | `quota_exceeded` |
//! | the rest | the program, tenants' directories, what the allocator keeps | |
//! | of the rest: a 64th, at most 16 MiB | the history of tenants | the tenant is forgotten of which nothing happened for longest |

use crate::ws::BudgetPool;

/// Least that a gateway serves with, bytes.
pub(crate) const MEMORY_BYTES_MIN: u64 = 128 * 1024 * 1024;
/// What is taken to be there if neither the container nor the machine says.
pub(crate) const MEMORY_BYTES_UNKNOWN: u64 = 4 * 1024 * 1024 * 1024;
/// What a socket takes besides what is charged, bytes: 4 KiB here, 4 KiB in the kernel, 1 KiB for TLS
/// to begin with, and some messages that nobody has asked the kernel about.
const SOCKET_BYTES: u64 = 16 * 1024;
/// Most that the memory store takes by default.
const STORE_BYTES: u64 = 256 * 1024 * 1024;
/// Most that the history takes: hundreds of tenants with 50 events each, or thousands with a few.
const HISTORY_BYTES: u64 = 16 * 1024 * 1024;
/// Least share of a tenant in a pool: two frames of the default size.
const SHARE_BYTES_MIN: u64 = 512 * 1024;
/// Shares in a pool: as many tenants as can hold one at the same time, twice.
const SHARES: u64 = 256;

/// A division of a process's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryDivision {
    /// Frames that wait for peers, bytes.
    pub outbound: u64,
    /// Messages that have not arrived as a whole, bytes.
    pub assembly: u64,
    /// The memory store by default, bytes.
    pub store: u64,
    /// Sockets that may be open.
    pub sockets: u64,
    /// What happened to tenants lately, bytes: a part of the rest.
    pub history: u64,
}

impl MemoryDivision {
    /// Divides so many bytes.
    pub fn of(memory_max: u64) -> Self {
        Self {
            outbound: memory_max / 4,
            assembly: memory_max / 8,
            store: (memory_max / 4).min(STORE_BYTES),
            sockets: memory_max / 4 / SOCKET_BYTES,
            history: (memory_max / 64).min(HISTORY_BYTES),
        }
    }
}

/// A pool of so many bytes, with a reserve for tenants that hold little.
pub(crate) fn pool(bytes: u64) -> BudgetPool {
    BudgetPool::new(bytes, (bytes / SHARES).max(SHARE_BYTES_MIN))
}

/// Fewer sockets than this are not divided: there is nothing to share.
const SOCKETS_DIVIDED_MIN: u64 = 64;
/// Places of the reserve that one tenant may have at least: a bot, some devices, a script.
const SHARE_PLACES_MIN: u64 = 8;

/// The places of authenticated sockets. A quarter of all places is for those that have not
/// authenticated; an eighth of the rest is a reserve for tenants that have few.
pub(crate) fn places(sockets_max: usize) -> BudgetPool {
    let all = sockets_max as u64;
    if all < SOCKETS_DIVIDED_MIN {
        return BudgetPool::with_reserve(all, 0, all);
    }
    let places = all - all / 4;
    let reserve = places / 8;
    BudgetPool::with_reserve(places, reserve, (reserve / 64).max(SHARE_PLACES_MIN))
}

#[cfg(test)]
mod tests {
    use crate::ws::Budget;

    use super::*;

    #[test]
    fn a_tenant_with_many_sockets_leaves_places_for_others() {
        let places = places(2048);
        let tenant = || Budget::in_pool(u64::MAX, &places);
        let (many, few) = (tenant(), tenant());
        let taken = (0..2048).take_while(|_| many.try_take(1)).count();
        assert_eq!(taken, 1344, "seven eighths of 1,536");
        assert!((0..8).all(|_| few.try_take(1)));
        assert!(!few.try_take(1), "more than a share");
    }

    #[test]
    fn the_parts_are_no_more_than_seven_eighths() {
        for memory_max in [MEMORY_BYTES_MIN, 512 << 20, 24 << 30] {
            let parts = MemoryDivision::of(memory_max);
            let sockets = parts.sockets * SOCKET_BYTES;
            let all = parts.outbound + parts.assembly + parts.store + sockets;
            assert!(all <= memory_max / 8 * 7, "{memory_max}: {parts:?}");
        }
    }
}
