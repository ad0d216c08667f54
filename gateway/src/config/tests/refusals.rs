//! Values that could never work: each is refused, by the key that has it.

use super::*;

#[track_caller]
fn refused(key: &str, text: &str) -> ConfigError {
    let given = [(key, text), ("secrets", SECRET)];
    let flags: &[(&str, &str)] = if key == "secrets" {
        &given[..1]
    } else {
        &given
    };
    let error = Home::new().load(flags, &[], None).map(|_| ());
    let error = error.expect_err(&format!("{key} = {text:?} is refused"));
    assert_eq!(error.key, key, "{error}");
    error
}

#[test]
fn a_host_that_no_request_can_name_is_refused() {
    for text in [
        "https://bots.example",
        "bots.example/ws",
        "bots example",
        "bob@bots.example",
        "bots.*.example",
        "*bots.example",
        "bots.example:port",
        "bots.example:0",
        "bots.example:99999",
        "bots.example:",
        "*.",
    ] {
        refused("allowed_hosts", text);
    }
}

#[test]
fn an_origin_that_no_browser_sends_is_refused() {
    for text in [
        "app.example",
        "https://app.example/",
        "https://app.example/page",
        "https://app.example?a",
        "https://bob@app.example",
        "https://app.*.example",
        "https://*app.example",
        "https://app.example:port",
        "https://app.example:99999",
        "https://",
        "wss://app.example",
        "1https://app.example",
        "https://app example",
    ] {
        refused("allowed_origins", text);
    }
}

#[test]
fn a_log_filter_that_shows_nothing_is_refused() {
    for text in [
        "verbose",
        "gateway",
        "gateway=loud",
        "info,verbose",
        "=info",
        "",
        ",",
    ] {
        let error = refused("log", text).to_string();
        assert!(error.contains("off, error, warn, info, debug"), "{error}");
    }
}

#[test]
fn a_log_level_has_its_usual_names() {
    let home = Home::new();
    for text in [
        "warning",
        "WARN",
        "info,gateway=Warning",
        "warn, backplane::redis=debug",
        "[session{tenant=alice}]=debug",
        "off",
    ] {
        let config = home.load(&[("log", text)], &[], None).unwrap();
        let filter = tracing_subscriber::EnvFilter::builder().parse(&config.log);
        let shown = filter.unwrap().to_string();
        assert!(!shown.contains("warning"), "{text}: {shown}");
    }
}

#[test]
fn an_admin_token_that_no_header_can_carry_is_refused() {
    let home = Home::new();
    for token in [
        "0123456789\n0123456789",
        "0123456789\t0123456789",
        "0123456789-0123456789\u{7f}",
        "0123456789 0123456789",
        " 0123456789-0123456789",
        "0123456789-zürich-0123456789",
        "0123456789",
    ] {
        let error = refused("admin_token", token).to_string();
        assert!(!error.contains("01234"), "{error}");
        let path = home.0.path().join("token");
        fs::write(&path, token.trim()).unwrap();
        let file = [("admin_token_file", path.to_str().unwrap())];
        if token.trim().contains(['\n', '\t', '\u{7f}', ' ', 'ü']) {
            let error = home.load(&file, &[], None).unwrap_err();
            assert_eq!(error.key, "admin_token_file");
            assert!(!error.to_string().contains("01234"), "{error}");
        }
    }
}

#[test]
fn a_secret_that_a_file_could_not_hold_is_refused() {
    for text in [
        format!("{SECRET}\n{SECRET}x"),
        format!("{SECRET}\0"),
        format!("\u{feff}{SECRET}"),
    ] {
        let error = refused("secrets", &text).to_string();
        assert!(!error.contains(SECRET), "{error}");
    }
    let home = Home::new();
    let file = format!("secrets = [\"{SECRET}\", \" {SECRET}x\"]");
    let (key, _, problem) = home.refused_file(&file);
    assert_eq!(key, "secrets");
    assert!(problem.contains("secret 2"), "{problem}");
}

#[test]
fn a_network_of_mapped_addresses_is_the_ipv4_one() {
    let given = [("trusted_proxies", "::ffff:10.0.0.0/104,::ffff:192.0.2.7")];
    let config = Home::new().load(&given, &[], None).unwrap();
    let trusts = |ip: &str| {
        let nets = &config.trusted_proxies;
        nets.iter().any(|net| net.contains(ip.parse().unwrap()))
    };
    assert!(trusts("10.1.2.3") && trusts("192.0.2.7") && trusts("::ffff:10.1.2.3"));
    assert!(!trusts("11.0.0.1") && !trusts("192.0.2.8"));
}

#[test]
fn space_around_a_value_is_left_out() {
    let variables = [
        ("T2B_LISTEN", " 127.0.0.1:4000\r"),
        ("T2B_HEARTBEAT", "30s "),
        ("T2B_LOG", " warn\n"),
        ("T2B_LOG_FORMAT", "json "),
        ("T2B_QUERY_KEYS", " false"),
    ];
    let config = Home::new().load(&[], &variables, None).unwrap();
    assert_eq!(config.listen.port(), 4000);
    assert_eq!(config.log, "warn");
    let file = "allowed_hosts = [\" bots.example \"]\nheartbeat = \" 30s\"\n";
    assert!(Home::new().load(&[], &[], Some(file)).is_ok());
}

#[test]
fn a_time_that_no_socket_can_have_is_refused() {
    for key in ["heartbeat", "handshake_timeout"] {
        for text in ["0", "999ms", "25h", "99999999d"] {
            refused(key, text);
        }
    }
}

#[test]
fn a_credential_of_the_state_directory_is_named_by_its_path() {
    let home = Home::new();
    let dir = home.0.path().join(".local/state/t2b");
    let bootstrap = home.load(&[], &[], None).unwrap();
    assert!(bootstrap.admin_token.is_some());
    for name in ["admin-token", "secret"] {
        for text in ["short", ""] {
            fs::write(dir.join(name), text).unwrap();
            let error = home.load(&[], &[], None).unwrap_err();
            let path = dir.join(name).display().to_string();
            assert_eq!(error.key, "state_dir");
            assert!(error.problem.starts_with(&path), "{error}");
            assert!(!error.problem.contains("short"), "{error}");
        }
    }
}

#[test]
fn an_empty_path_is_refused() {
    for key in [
        "state_dir",
        "secrets_file",
        "admin_token_file",
        "tls_cert",
        "tls_key",
    ] {
        let given = [(key, "")];
        let error = Home::new().load(&given, &[], None).unwrap_err();
        assert_eq!(error.key, key);
        assert!(error.problem.contains("expected a path"), "{error}");
    }
}
