//! What a start warns of.

use crate::config::Config;
use crate::memory::MemoryDivision;

/// Fewer sockets than this are warned about.
const SOCKETS_FEW: usize = 64;

/// Says that few sockets are few, as the limit of open files may be why.
pub(super) fn warn_of_few_sockets(sockets_max: usize) {
    if sockets_max < SOCKETS_FEW {
        tracing::warn!(
            sockets_max,
            "sockets_max is below 64: a quarter of it is for sockets that have not authenticated yet, so a few \
             slow clients delay the others; raise it, or the limit of open files"
        );
    }
}

pub(super) fn warn_of_little_memory(sockets_max: usize, memory: &MemoryDivision) {
    if sockets_max as u64 > memory.sockets {
        let has_room_for = memory.sockets;
        tracing::warn!(
            sockets_max,
            has_room_for,
            "memory_max has no room for so many sockets"
        );
    }
}

/// Says that a node without a state directory has no journal of usage. One that it cannot write is told of when
/// it is begun.
pub(super) fn warn_of_no_journal(config: &Config) {
    if config.state_dir.is_none() && !config.usage_journal.is_zero() {
        tracing::warn!(
            "there is no journal of usage, as state_dir is not set and there is no HOME: a killed node loses what it \
             has not booked; set state_dir, or usage_journal to 0"
        );
    }
}

/// Says that usage does not outlive this process, of a gateway without Redis.
pub(super) fn warn_of_allowances_in_memory(config: &Config) {
    let has_allowances = config
        .plans
        .values()
        .any(|plan| !plan.allowances.is_empty());
    if has_allowances {
        tracing::warn!(
            "plans have monthly allowances, and without Redis usage is kept in memory: after a restart, all usage is \
             lost and every allowance starts again at 0; set redis_url to a Redis that persists"
        );
    }
}

/// Says what this Redis may lose, and what becomes of it.
pub(super) fn warn_of_loss(state: &backplane::StoreState) {
    if state.persistent == Some(false) {
        tracing::warn!(
            "redis does not persist (AOF): after it restarts, each node registers its connections and bots again. Offline \
             bots are lost, and so are revocations and suspensions of tenants that no node has in memory: revoked \
             keys work again, unless key_generation in the configuration file revokes them"
        );
    }
    if state.evicts == Some(true) {
        tracing::warn!(
            "redis evicts any key when it is full (maxmemory-policy allkeys-*), also revocations and \
             suspensions: revoked keys work again; set noeviction"
        );
    }
}
