//! Texts in, values or one clear error out.

mod credential_files;
mod messages;
mod plans;
mod refusals;

use std::fs;

use std::time::Duration;

use protocol::error::Since;
use protocol::{Limits, TenantId};

use super::*;

const SECRET: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

/// A home of its own, so that no test sees another's state directory.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn load(
        &self,
        flags: &[(&str, &str)],
        variables: &[(&str, &str)],
        file: Option<&str>,
    ) -> Result<Config, ConfigError> {
        let mut raw = GivenSettings::default();
        for (name, text) in flags {
            raw.set_flag(ConfigKey::of(name).unwrap(), text);
        }
        let home = ("HOME", self.0.path().to_str().unwrap());
        let variables = variables.iter().chain([&home]);
        Config::load(ConfigSources {
            flags: raw,
            environment: variables.map(|(n, v)| ((*n).into(), (*v).into())).collect(),
            file: file.map(|text| {
                let path = self.0.path().join("t2b.toml");
                fs::write(&path, text).unwrap();
                path
            }),
            file_limit: 4096,
            ..ConfigSources::default()
        })
    }

    /// What `file` is refused with, and at which line.
    #[track_caller]
    fn refused_file(&self, file: &str) -> (String, usize, String) {
        let error = self.load(&[], &[], Some(file)).unwrap_err();
        let SettingPlace::File(_, line) = error.place else {
            panic!("{error} is not about the file");
        };
        (error.key, line, error.problem)
    }
}

#[test]
fn defaults_are_a_gateway_on_loopback_with_a_secret_of_its_own() {
    let home = Home::new();
    let config = home.load(&[], &[], None).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:3000");
    assert_eq!(config.heartbeat, Duration::from_secs(25));
    assert_eq!(config.sockets_max, 4096 - 256);
    assert_eq!(config.store_bytes, 256 << 20);
    assert_eq!(config.limits, Limits::default());
    let made = config.secret_made_in.clone().unwrap();
    assert_eq!(made, home.0.path().join(".local/state/t2b/secret"));
    assert!(config.admin_token.is_some());
    let again = home.load(&[], &[], None).unwrap();
    assert_eq!(again.secrets, config.secrets, "made once");
}

#[test]
fn what_nobody_said_follows_from_the_memory() {
    let home = Home::new();
    let load = |file| home.load(&[], &[], Some(file)).unwrap();
    let small = load("memory_max = \"128MiB\"");
    let kept = (small.memory_max, small.store_bytes, small.sockets_max);
    assert_eq!(kept, (128 << 20, 32 << 20, 2048));
    let said = load("memory_max = \"512MiB\"\nstore_bytes = \"256MiB\"\nsockets_max = 3000");
    assert_eq!((said.store_bytes, said.sockets_max), (256 << 20, 3000));
    let text = small.effective_toml();
    assert!(text.contains("memory_max = \"128MiB\""), "{text}");
    assert!(text.contains("sockets_max = 2048"), "{text}");
}

#[test]
fn flags_beat_the_environment_beats_the_file_beats_defaults() {
    let home = Home::new();
    let file = "heartbeat = \"5s\"\nstart_grace = \"6s\"\nhandshake_timeout = \"7s\"\n";
    let variables = [("T2B_HEARTBEAT", "8s"), ("T2B_START_GRACE", "9s")];
    let config = home
        .load(&[("heartbeat", "11s")], &variables, Some(file))
        .unwrap();
    assert_eq!(config.heartbeat, Duration::from_secs(11));
    assert_eq!(config.start_grace, Duration::from_secs(9));
    assert_eq!(config.handshake_timeout, Duration::from_secs(7));
    assert_eq!(config.log, "info");
}

#[test]
fn lists_are_split_at_commas_in_the_environment_and_are_arrays_in_the_file() {
    let home = Home::new();
    let variables = [("T2B_TRUSTED_PROXIES", "10.0.0.0/8, ::1")];
    let file = "allowed_origins = [\"https://a.example\", \"capacitor://localhost\"]";
    let config = home.load(&[], &variables, Some(file)).unwrap();
    assert_eq!(config.trusted_proxies.len(), 2);
    let expected = ["https://a.example", "capacitor://localhost"];
    assert_eq!(
        config.allowed_origins,
        expected.map(|it| it.parse().unwrap())
    );
}

#[test]
fn an_unknown_key_is_an_error_wherever_it_stands() {
    let home = Home::new();
    let (key, line, _) = home.refused_file("log = \"info\"\nlisten_on = 3\n");
    assert_eq!((key.as_str(), line), ("listen_on", 2));
    let error = home.load(&[], &[("T2B_LISTN", "x")], None).unwrap_err();
    assert_eq!(error.to_string(), "listn (T2B_LISTN): no such key");
    let links = [
        ("T2B_PORT_3000_TCP", "tcp://10.0.0.1:3000"),
        ("T2B_SERVICE_HOST", "10.0.0.1"),
    ];
    assert!(
        home.load(&[], &links, None).is_ok(),
        "Kubernetes' own are no keys"
    );
}

#[test]
fn a_wrong_value_names_its_key_and_line() {
    let home = Home::new();
    for (file, key, line) in [
        ("listen = \"3000\"", "listen", 1),
        ("\nheartbeat = \"25\"", "heartbeat", 2),
        ("heartbeat = \"10ms\"", "heartbeat", 1),
        ("query_keys = 1", "query_keys", 1),
        ("log_format = \"xml\"", "log_format", 1),
        ("store_bytes = 5", "store_bytes", 1),
        ("sockets_max = 999999", "sockets_max", 1),
        ("memory_max = \"127MiB\"", "memory_max", 1),
        ("memory_max = 512", "memory_max", 1),
        (
            "memory_max = \"512MiB\"\nstore_bytes = \"257MiB\"",
            "store_bytes",
            2,
        ),
        ("allowed_origins = [\"a.example\"]", "allowed_origins", 1),
        ("trusted_proxies = [\"10.0.0.0/99\"]", "trusted_proxies", 1),
        ("listen = [\"127.0.0.1:1\", \"127.0.0.1:2\"]", "listen", 1),
        ("tls_cert = \"/nonexistent.pem\"", "tls_cert", 1),
        ("[limits]\nframe_byte = 1", "limits.frame_byte", 2),
        ("[limits]\nframe_bytes = 0", "limits.frame_bytes", 2),
        ("[limits]\nframe_bytes = \"2MiB\"", "limits.frame_bytes", 2),
        (
            "[limits]\nbots_per_socket = 5000000000",
            "limits.bots_per_socket",
            2,
        ),
        (
            "[tenants.alice]\nsuspend = true",
            "tenants.alice.suspend",
            2,
        ),
        (
            "[tenants.alice]\nsuspended = 1",
            "tenants.alice.suspended",
            2,
        ),
        ("limits = 3", "limits", 1),
    ] {
        let (wrong, at, problem) = home.refused_file(file);
        assert_eq!((wrong.as_str(), at), (key, line), "{file}: {problem}");
    }
}

#[test]
fn a_reserved_key_may_only_have_its_default() {
    let home = Home::new();
    for key in KEYS.iter().filter(|key| key.since != Since::Now) {
        let error = home.load(&[(key.name, "7s")], &[], None).unwrap_err();
        assert_eq!(error.problem, "is not supported yet", "{}", key.name);
        if !key.default.is_empty() {
            home.load(&[(key.name, key.default)], &[], None).unwrap();
        }
    }
}

#[test]
fn weak_secrets_are_refused() {
    let home = Home::new();
    for weak in ["short", &"a".repeat(64), ""] {
        let error = home.load(&[("secrets", weak)], &[], None).unwrap_err();
        assert_eq!(error.key, "secrets", "{weak}");
    }
}

#[test]
fn a_public_listener_needs_a_secret_and_an_admin_token_is_never_made_for_one() {
    let home = Home::new();
    let public = ("listen", "0.0.0.0:3000");
    let error = home.load(&[public], &[], None).unwrap_err();
    assert_eq!(error.key, "secrets");
    let admin = ("admin_listen", "0.0.0.0:9464");
    let config = home
        .load(&[public, admin, ("secrets", SECRET)], &[], None)
        .unwrap();
    assert_eq!(config.admin_token, None);
    assert!(
        !config.state_dir.unwrap().exists(),
        "nothing had to be made"
    );
}

#[test]
fn a_cluster_needs_a_secret_that_all_nodes_have() {
    let home = Home::new();
    let redis = ("redis_url", "redis://user:hunter2@127.0.0.1:6379");
    let error = home.load(&[redis], &[], None).unwrap_err();
    assert_eq!(error.key, "secrets");
    let config = home.load(&[redis, ("secrets", SECRET)], &[], None);
    let config = config.unwrap();
    assert!(config.redis_url.is_some());
    assert!(!config.effective_toml().contains("hunter2"), "it is masked");
    assert!(!format!("{config:?}").contains("hunter2"), "here too");
}

#[test]
fn what_is_no_redis_url_is_refused_without_being_repeated() {
    let home = Home::new();
    for (key, text) in [
        ("redis_url", "http://user:hunter2@127.0.0.1"),
        ("redis_url", "hunter2"),
        ("redis_url", "redis://user:hunter2@h:99999"),
        ("redis_url", "redis://user:hunter2@h/x"),
        ("redis_url", "redis+sentinel://user:hunter2@h"),
        ("redis_prefix", "a{b}"),
        ("redis_prefix", ""),
    ] {
        let error = home.load(&[(key, text), ("secrets", SECRET)], &[], None);
        let error = error.unwrap_err();
        assert_eq!(error.key, key, "{text}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn every_kind_of_redis_may_be_behind_tls() {
    let home = Home::new();
    for scheme in ["redis", "rediss"] {
        for rest in ["://h", "+sentinel://h/main/1", "+cluster://h:1,i:2"] {
            let url = format!("{scheme}{rest}");
            let said = [("redis_url", url.as_str()), ("secrets", SECRET)];
            let config = home.load(&said, &[], None).unwrap();
            assert!(config.redis_url.is_some(), "{url}");
        }
    }
}

#[test]
fn secrets_come_from_a_file_too_but_not_from_both() {
    let home = Home::new();
    let path = home.0.path().join("secrets");
    fs::write(&path, format!("{SECRET}\n\n{SECRET}x\n")).unwrap();
    let file = ("secrets_file", path.to_str().unwrap());
    assert_eq!(home.load(&[file], &[], None).unwrap().secrets.len(), 2);
    let both = home.load(&[file, ("secrets", SECRET)], &[], None);
    assert_eq!(both.unwrap_err().key, "secrets_file");
}

#[test]
fn certificate_and_key_come_together() {
    let home = Home::new();
    let pem = home.0.path().join("t2b.pem");
    fs::write(&pem, "").unwrap();
    let pem = pem.to_str().unwrap();
    let error = home.load(&[("tls_cert", pem)], &[], None).unwrap_err();
    assert_eq!(error.key, "tls_key");
    let both = home.load(&[("tls_cert", pem), ("tls_key", pem)], &[], None);
    assert!(both.unwrap().tls.is_some());
}

#[test]
fn tenants_have_limits_over_those_of_the_node() {
    let file = "[limits]\nbots_per_socket = 3\n[tenants.alice]\nkey_generation = 2\n\
                [tenants.alice.limits]\nframe_bytes = \"8KiB\"\n[tenants.bob]\nsuspended = true\n";
    let config = Home::new().load(&[], &[], Some(file)).unwrap();
    let alice = &config.tenants["alice"];
    let limits = alice.limits.over(&config.limits);
    assert_eq!(limits.frame_bytes, 8192);
    assert_eq!(limits.bots_per_socket, 3);
    assert_eq!((alice.key_generation, alice.suspended), (2, false));
    assert!(config.tenants["bob"].suspended);
}

#[test]
fn the_effective_configuration_reads_back_and_hides_credentials() {
    let home = Home::new();
    let flags = [
        ("secrets", SECRET),
        ("admin_token", "an-admin-token-of-mine"),
    ];
    let file = "heartbeat = \"5s\"\n[tenants.\"a.b\".limits]\nbots_per_socket = 3\n";
    let config = home.load(&flags, &[], Some(file)).unwrap();
    let printed = config.effective_toml();
    assert!(printed.contains("heartbeat = \"5s\""), "{printed}");
    assert!(printed.contains("secrets = [\"***\"]"), "{printed}");
    for credential in [SECRET, "an-admin-token-of-mine"] {
        assert!(!printed.contains(credential), "{printed}");
        assert!(!format!("{config:?}").contains(credential));
    }
    let visible: String = printed
        .lines()
        .filter(|line| !line.contains("***"))
        .map(|line| format!("{line}\n"))
        .collect();
    let again = home.load(&flags, &[], Some(&visible)).unwrap();
    assert_eq!(again.tenants["a.b"].limits, config.tenants["a.b"].limits);
    assert_eq!(again.heartbeat, config.heartbeat);
}

#[test]
fn an_error_in_the_file_does_not_print_the_line() {
    let home = Home::new();
    let (key, line, problem) = home.refused_file(&format!("\nsecrets = [\"{SECRET}\" oops\n"));
    assert_eq!((key.as_str(), line), ("config", 2));
    assert!(!problem.contains(SECRET), "{problem}");
}

#[test]
fn a_test_gateway_takes_free_ports() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::for_test(dir.path()).unwrap();
    assert_eq!(config.listen.port(), 0);
    assert_eq!(config.settings(1000).grace_until_ms, 0);
    assert_eq!(
        config
            .keyring()
            .issue_key(&TenantId::parse("a").unwrap(), 0)
            .reveal()
            .len(),
        22
    );
}
