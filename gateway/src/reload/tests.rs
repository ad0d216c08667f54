//! Each key, changed alone, is told by its own name.

use std::collections::BTreeSet;
use std::path::Path;

use protocol::error::Since;

use super::effects::effect_of;
use crate::ReloadEffect;
use crate::config::{Config, ConfigFacts, ConfigPurpose, ConfigSources, KEYS};

/// What every configuration here has; `DIR` is a folder.
const BASE: &str = r#"
secrets_file = "DIR/secrets"
admin_token_file = "DIR/token"
"#;
const TABLES: &str = r#"
[plans.pro.limits]
bots_per_tenant = 7
[tenants.alice]
plan = "pro"
"#;

/// What is added, and the names that are told.
const CHANGES: &[(&str, &[&str])] = &[
    (r#"listen = "127.0.0.1:4000""#, &["listen"]),
    (r#"admin_listen = "127.0.0.1:4001""#, &["admin_listen"]),
    (r#"state_dir = "DIR/other""#, &["state_dir"]),
    (r#"redis_url = "redis://127.0.0.1:1""#, &["redis_url"]),
    (r#"redis_url_file = "DIR/redis""#, &["redis_url_file"]),
    (r#"redis_prefix = "other""#, &["redis_prefix"]),
    ("redis_insecure = true", &["redis_insecure"]),
    (r#"base_path = "/t2b""#, &["base_path"]),
    (r#"isolate_after = "61s""#, &["isolate_after"]),
    ("rebalance = true", &["rebalance"]),
    (
        "redis_client_cert = \"DIR/cert\"\nredis_client_key = \"DIR/key\"\nredis_url = \"rediss://127.0.0.1:1\"",
        &["redis_client_cert", "redis_client_key", "redis_url"],
    ),
    (
        "admin_tls_cert = \"DIR/secrets\"\nadmin_tls_key = \"DIR/secrets\"\nadmin_client_ca = \"DIR/secrets\"",
        &["admin_client_ca", "admin_tls_cert", "admin_tls_key"],
    ),
    (
        "admin_client_cert = \"DIR/secrets\"\nadmin_client_key = \"DIR/secrets\"",
        &["admin_client_cert", "admin_client_key"],
    ),
    (
        "tls_cert = \"DIR/secrets\"\ntls_key = \"DIR/secrets\"",
        &["tls_cert", "tls_key"],
    ),
    (
        r#"allowed_origins = ["https://a.example"]"#,
        &["allowed_origins"],
    ),
    (r#"allowed_hosts = ["a.example"]"#, &["allowed_hosts"]),
    (r#"trusted_proxies = ["10.0.0.0/8"]"#, &["trusted_proxies"]),
    ("query_keys = false", &["query_keys"]),
    ("sockets_max = 10", &["sockets_max"]),
    (r#"log = "debug""#, &["log"]),
    (r#"log_format = "json""#, &["log_format"]),
    ("trace_sample = 0.5", &["trace_sample"]),
    (r#"handshake_timeout = "11s""#, &["handshake_timeout"]),
    (r#"heartbeat = "26s""#, &["heartbeat"]),
    (r#"drain_wait = "6s""#, &["drain_wait"]),
    (r#"drain_window = "29s""#, &["drain_window"]),
    (r#"drain_deadline = "70s""#, &["drain_deadline"]),
    ("ready_when_degraded = false", &["ready_when_degraded"]),
    (r#"start_grace = "1s""#, &["start_grace"]),
    (r#"default_plan = "pro""#, &["default_plan"]),
    (r#"cluster_name = "other""#, &["cluster_name"]),
    (r#"usage_flush = "11s""#, &["usage_flush"]),
    (r#"usage_journal = "200ms""#, &["usage_journal"]),
    (r#"usage_keep = "63d""#, &["usage_keep"]),
    ("tenant_series_max = 1", &["tenant_series_max"]),
    (r#"memory_max = "512MiB""#, &["memory_max"]),
    (r#"store_bytes = "1MiB""#, &["store_bytes"]),
    // The limits of a plan are those of the node and its own.
    ("[limits]\nbots_per_socket = 3", &["limits", "plans.pro"]),
    ("[plans.free.limits]\nbots_per_tenant = 3", &["plans.free"]),
    ("[tenants.bob]\nsuspended = true", &["tenants.bob"]),
];

fn load(dir: &Path, text: &str) -> Config {
    let file = dir.join("t2b.toml");
    let text = text.replace("DIR", &dir.display().to_string());
    std::fs::write(&file, text).unwrap();
    Config::load(ConfigSources {
        file: Some(file),
        file_limit: 10_000,
        purpose: ConfigPurpose::Reload,
        ..ConfigSources::default()
    })
    .unwrap()
}

fn differences(old: &Config, new: &Config) -> BTreeSet<String> {
    ConfigFacts::of(old).differences(&ConfigFacts::of(new))
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let secret = "0123456789abcdef0123456789abcdef";
    std::fs::write(dir.path().join("secrets"), secret).unwrap();
    std::fs::write(dir.path().join("token"), "0123456789abcdef").unwrap();
    std::fs::write(dir.path().join("redis"), "redis://127.0.0.1:1").unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(dir.path().join("cert"), made.cert.pem()).unwrap();
    std::fs::write(dir.path().join("key"), made.signing_key.serialize_pem()).unwrap();
    dir
}

#[test]
fn each_key_is_told_by_its_name() {
    let dir = folder();
    let old = load(dir.path(), &format!("{BASE}{TABLES}"));
    assert_eq!(differences(&old, &old), BTreeSet::new());
    for (change, told) in CHANGES {
        let new = match change.starts_with('[') {
            true => format!("{BASE}{TABLES}{change}"),
            false => format!("{BASE}{change}{TABLES}"),
        };
        let new = load(dir.path(), &new);
        assert_eq!(differences(&old, &new), names(told), "{change}");
        assert_eq!(differences(&new, &old), names(told), "{change} taken back");
    }
    let covered: BTreeSet<_> = CHANGES.iter().flat_map(|(_, told)| *told).collect();
    for key in KEYS.iter().filter(|key| key.since == Since::Now) {
        let in_files = ["secrets", "secrets_file", "admin_token", "admin_token_file"];
        let is_covered = covered.contains(&key.name) || in_files.contains(&key.name);
        assert!(is_covered, "{} has no row", key.name);
    }
}

#[test]
fn credentials_are_compared_by_what_their_files_hold() {
    let dir = folder();
    let old = load(dir.path(), BASE);
    let secrets = "fedcba9876543210fedcba9876543210\n0123456789abcdef0123456789abcdef";
    std::fs::write(dir.path().join("secrets"), secrets).unwrap();
    let two = load(dir.path(), BASE);
    assert_eq!(differences(&old, &two), names(&["secrets_file"]));
    std::fs::write(dir.path().join("token"), "fedcba9876543210").unwrap();
    let both = load(dir.path(), BASE);
    assert_eq!(differences(&two, &both), names(&["admin_token_file"]));
    let shown = format!("{:?} {both:?}", ConfigFacts::of(&both));
    assert!(!shown.contains("fedcba"), "{shown}");

    let given =
        "secrets = [\"0123456789abcdef0123456789abcdef\"]\nadmin_token = \"0123456789abcdef\"";
    let given = load(dir.path(), given);
    let all = ["secrets", "secrets_file", "admin_token", "admin_token_file"];
    assert_eq!(differences(&both, &given), names(&all));
    let given_redis = |url: &str| load(dir.path(), &format!("redis_url = \"{url}\"\n{BASE}"));
    let old = given_redis("redis://:one@127.0.0.1:1");
    let new = given_redis("redis://:two@127.0.0.1:1");
    assert_eq!(differences(&old, &new), names(&["redis_url"]));
}

#[test]
fn tables_apply_and_unknown_names_need_a_restart() {
    for name in ["limits", "plans.pro", "tenants.alice", "log"] {
        assert_eq!(effect_of(name), ReloadEffect::Applies, "{name}");
    }
    for name in ["listen", "redis_url", "no_such_key"] {
        assert_eq!(effect_of(name), ReloadEffect::NeedsRestart, "{name}");
    }
}
