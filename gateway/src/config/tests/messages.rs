//! An error names the place, the key, the value and the rule, and never a credential.

use super::*;

#[track_caller]
fn check(file: &str, expected: &str) {
    let home = Home::new();
    let error = home.load(&[], &[], Some(file)).unwrap_err().to_string();
    let path = home.0.path().join("t2b.toml").display().to_string();
    assert_eq!(error.replace(&path, "FILE"), expected);
}

#[test]
fn an_error_in_the_file_names_line_key_value_and_rule() {
    for (file, expected) in [
        (
            "\nheartbeat = \"25\"",
            "heartbeat (FILE:2): expected a time with its unit, like 500ms, 30s or 5m; got \"25\"",
        ),
        (
            "heartbeat = \"10ms\"",
            "heartbeat (FILE:1): must be from 1s to 24h; got \"10ms\"",
        ),
        (
            "store_bytes = \"5MB\"",
            "store_bytes (FILE:1): expected a size with its unit, like 512B, 64KiB or 1MiB; got \"5MB\"",
        ),
        (
            "usage_keep = \"31d\"",
            "usage_keep (FILE:1): must be from 32d to 400d; got \"31d\"",
        ),
        (
            "memory_max = \"127MiB\"",
            "memory_max (FILE:1): must be at least 128MiB; got \"127MiB\"",
        ),
        (
            "listen = \"3000\"",
            "listen (FILE:1): expected an address and a port, like 127.0.0.1:3000 or [::]:3000; got \"3000\"",
        ),
        (
            "query_keys = \"yes\"",
            "query_keys (FILE:1): expected true or false; got \"yes\"",
        ),
        (
            "log_format = \"xml\"",
            "log_format (FILE:1): expected text or json; got \"xml\"",
        ),
        (
            "trusted_proxies = [\n\"10.0.0.0/8\",\n\"proxy.example\"]",
            "trusted_proxies (FILE:3): item 2: expected an IP address or a network like 10.0.0.0/8; got \"proxy.example\"",
        ),
        (
            "allowed_hosts = [\n\"a.example\",\n1]",
            "allowed_hosts (FILE:3): item 2: expected a quoted string; got \"1\"",
        ),
        (
            "allowed_origins = true",
            "allowed_origins (FILE:1): item 1: expected a quoted string; got \"true\"",
        ),
        (
            "trusted_proxies = [1.5]",
            "trusted_proxies (FILE:1): item 1: expected a quoted string; got \"1.5\"",
        ),
        (
            "sockets_max = \"+5\"",
            "sockets_max (FILE:1): expected a whole number; got \"+5\"",
        ),
        (
            "[limits]\nbots_per_socket = \"+5\"",
            "limits.bots_per_socket (FILE:2): expected a whole number, or a size like 64KiB; got \"+5\"",
        ),
        (
            "[tenants.alice]\nkey_generation = \"+1\"",
            "tenants.alice.key_generation (FILE:2): expected a whole number; got \"+1\"",
        ),
        (
            "[tenants.alice]\nkey_generation = 9007199254740992",
            "tenants.alice.key_generation (FILE:2): must be at most 9007199254740991; got \"9007199254740992\"",
        ),
        (
            "allowed_hosts = [\"a.example\", \"\"]",
            "allowed_hosts (FILE:1): item 2: expected a host, like bots.example, *.bots.example or bots.example:8443, or *; got \"\"",
        ),
        (
            "trace_sample = 2",
            "trace_sample (FILE:1): expected a number from 0 to 1; got \"2\"",
        ),
        ("listen_on = \"x\"", "listen_on (FILE:1): no such key"),
        (
            "[limits]\n\nframe_bytes = \"64KB\"",
            "limits.frame_bytes (FILE:3): expected a whole number, or a size like 64KiB; got \"64KB\"",
        ),
        (
            "[limits]\nbots_per_socket = 0",
            "limits.bots_per_socket (FILE:2): must be at least 1; got \"0\"",
        ),
        (
            "[limits]\nbots_per_socket = 5000000000",
            "limits.bots_per_socket (FILE:2): must be at most 4294967295; got \"5000000000\"",
        ),
        (
            "[tenants.alice]\nkey_generation = \"one\"",
            "tenants.alice.key_generation (FILE:2): expected a whole number; got \"one\"",
        ),
        (
            "[tenants.alice]\nsuspended = 1",
            "tenants.alice.suspended (FILE:2): expected true or false; got \"1\"",
        ),
        (
            "[tenants.bob]\n[tenants.\"-alice\"]\nsuspended = true",
            "tenants.-alice (FILE:2): not a valid tenant id: expected [A-Za-z0-9][A-Za-z0-9._-]{0,63}",
        ),
        (
            "[tenants.alice]\nlimits = 3",
            "tenants.alice.limits (FILE:2): expected a table",
        ),
    ] {
        check(file, expected);
    }
}

#[test]
fn an_error_of_a_flag_or_variable_names_it() {
    let home = Home::new();
    let flag = home.load(&[("heartbeat", "25")], &[], None).unwrap_err();
    assert!(
        flag.to_string().starts_with("heartbeat (--heartbeat): ")
            && flag.to_string().ends_with("; got \"25\""),
        "{flag}"
    );
    let variables = [("T2B_TRUSTED_PROXIES", "::1,proxy")];
    let error = home.load(&[], &variables, None).unwrap_err().to_string();
    assert!(
        error.starts_with("trusted_proxies (T2B_TRUSTED_PROXIES): item 2: ")
            && error.ends_with("; got \"proxy\""),
        "{error}"
    );
    let error = home.load(&[], &[("T2B_CONFIG", "/nonexistent/t2b.toml")], None);
    let error = error.unwrap_err().to_string();
    assert!(
        error.starts_with("config (T2B_CONFIG): /nonexistent/t2b.toml: "),
        "{error}"
    );
}

#[test]
fn the_highest_key_generation_is_the_one_that_redis_can_count() {
    let file = "[tenants.alice]\nkey_generation = 9007199254740991";
    let config = Home::new().load(&[], &[], Some(file)).unwrap();
    let alice = config.tenants.values().next().unwrap();
    assert_eq!(alice.key_generation, (1 << 53) - 1);
}

#[test]
fn a_long_value_is_cut() {
    let text = "x".repeat(10_000);
    let error = Home::new().load(&[("heartbeat", &text)], &[], None);
    let error = error.unwrap_err().to_string();
    assert!(error.len() < 300 && error.ends_with("…\""), "{error}");
}

#[test]
fn no_error_has_a_credential() {
    let home = Home::new();
    for file in [
        "admin_token = \"hunter2\"",
        "admin_token = [\"hunter2\", \"hunter2\"]",
        "secrets = [\"hunter2\"]",
        "redis_url = \"http://bob:hunter2@a\"",
        "redis_url = [\"hunter2\", \"b\"]",
        "admin_tokn = \"hunter2\"",
        "admin_token = \"hunter2\" oops",
        "admin_token = hunter2",
        "admin_token = \"hunter2",
        "admin_token = { a = \"hunter2\" }",
    ] {
        let error = home.load(&[], &[], Some(file)).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
    let error = home.load(&[], &[("T2B_ADMIN_TOKN", "hunter2")], None);
    let error = error.unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
}
