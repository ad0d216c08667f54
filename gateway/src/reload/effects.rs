//! The one list of what a reload applies.

/// What a changed key or table does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadEffect {
    /// A reload applies it.
    Applies,
    /// It holds from the next start on.
    NeedsRestart,
}

use ReloadEffect::{Applies, NeedsRestart};

/// Every key of [`KEYS`](crate::config::KEYS). A test finds the one that is missing.
const EFFECTS: &[(&str, ReloadEffect)] = &[
    ("listen", NeedsRestart),
    ("admin_listen", NeedsRestart),
    ("admin_token", Applies),
    ("admin_token_file", Applies),
    ("secrets", Applies),
    ("secrets_file", Applies),
    ("state_dir", NeedsRestart),
    ("data_dir", NeedsRestart),
    ("redis_url", NeedsRestart),
    ("redis_url_file", NeedsRestart),
    ("redis_prefix", NeedsRestart),
    ("redis_insecure", NeedsRestart),
    ("redis_client_cert", NeedsRestart),
    ("redis_client_key", NeedsRestart),
    ("base_path", NeedsRestart),
    // Another file. What a file holds is read again by itself.
    ("tls_cert", NeedsRestart),
    ("tls_key", NeedsRestart),
    ("admin_tls_cert", NeedsRestart),
    ("admin_tls_key", NeedsRestart),
    ("admin_client_ca", NeedsRestart),
    ("admin_client_cert", NeedsRestart),
    ("admin_client_key", NeedsRestart),
    ("allowed_origins", Applies),
    ("allowed_hosts", Applies),
    ("trusted_proxies", Applies),
    ("query_keys", Applies),
    ("sockets_max", NeedsRestart),
    ("log", Applies),
    ("log_format", NeedsRestart),
    ("trace_sample", Applies),
    ("handshake_timeout", NeedsRestart),
    // Every socket was told it when it connected.
    ("heartbeat", NeedsRestart),
    ("drain_wait", Applies),
    ("drain_window", Applies),
    ("drain_deadline", Applies),
    ("ready_when_degraded", Applies),
    ("isolate_after", NeedsRestart),
    ("rebalance", NeedsRestart),
    ("start_grace", NeedsRestart),
    ("default_plan", Applies),
    ("cluster_name", NeedsRestart),
    ("usage_flush", Applies),
    ("usage_journal", NeedsRestart),
    ("usage_keep", NeedsRestart),
    ("tenant_series_max", NeedsRestart),
    ("memory_max", NeedsRestart),
    ("store_bytes", NeedsRestart),
];

/// What a change of a key or table does, by its name: `listen`, `limits`, `plans.pro`, `tenants.alice`.
pub fn effect_of(name: &str) -> ReloadEffect {
    if name == "limits" || name.starts_with("plans.") || name.starts_with("tenants.") {
        return Applies;
    }
    let row = EFFECTS.iter().find(|(key, _)| *key == name);
    row.map_or(NeedsRestart, |(_, effect)| *effect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KEYS;

    #[test]
    fn every_key_is_decided_once() {
        let decided: Vec<_> = EFFECTS.iter().map(|(key, _)| *key).collect();
        let keys: Vec<_> = KEYS.iter().map(|key| key.name).collect();
        assert_eq!(
            decided, keys,
            "the list above has the keys of KEYS, in their order"
        );
    }
}
