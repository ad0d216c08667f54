//! The files of secrets and of the admin token, as editors and shells leave them.

use std::os::unix::fs::PermissionsExt;

use super::*;

const OTHER: &str = "zyxwvutsrqponmlkjihgfedcba9876543210";
const URL: &str = "rediss://bot:hunter2@redis.example:6380/1";
const TOKEN: &str = "an-admin-token-of-mine";

#[track_caller]
fn load_file(key: &str, content: &str) -> Result<Config, ConfigError> {
    let home = Home::new();
    let path = home.0.path().join("credentials");
    fs::write(&path, content).unwrap();
    home.load(&[(key, path.to_str().unwrap())], &[], None)
}

#[track_caller]
fn reads(content: &str, expected: &[&str]) {
    let config = load_file("secrets_file", content).unwrap();
    let secrets: Vec<_> = config
        .secrets
        .iter()
        .map(|secret| secret.reveal())
        .collect();
    assert_eq!(secrets, expected, "{content:?}");
}

#[test]
fn comments_blank_lines_a_bom_and_crlf_are_skipped() {
    reads(&format!("# of 2026\n{SECRET}\n"), &[SECRET]);
    reads(&format!("\u{feff}{SECRET}\n"), &[SECRET]);
    reads(
        &format!("\u{feff}# new\r\n\r\n{SECRET}\r\n  # old\r\n{OTHER}"),
        &[SECRET, OTHER],
    );
    reads(
        &format!("\n \t \n{SECRET}\n\u{feff}{OTHER}\n"),
        &[SECRET, OTHER],
    );
}

#[test]
fn the_file_of_the_admin_token_is_read_the_same_way() {
    let content = format!("\u{feff}# for operators\r\n\r\n{TOKEN}\r\n");
    let config = load_file("admin_token_file", &content).unwrap();
    assert_eq!(config.admin_token.unwrap().reveal(), TOKEN);
}

#[test]
fn the_file_of_the_redis_url_is_read_the_same_way() {
    let home = Home::new();
    let path = home.0.path().join("redis");
    let file = [
        ("redis_url_file", path.to_str().unwrap()),
        ("secrets", SECRET),
    ];
    let content = format!("\u{feff}# of the operator\r\n\r\n{URL}\r\n");
    fs::write(&path, content).unwrap();
    let config = home.load(&file, &[], None).unwrap();
    assert_eq!(config.redis_url.as_ref().unwrap().reveal(), URL);
    assert!(config.redis().is_some());
    let shown = format!("{} {config:?}", config.effective_toml());
    assert!(shown.contains("redis_url_file = "), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");

    let both = [&file[..], &[("redis_url", URL)]].concat();
    let error = home.load(&both, &[], None).unwrap_err();
    let expected = ("redis_url_file", "redis_url is set too");
    assert_eq!((&*error.key, &*error.problem), expected);
    let without_secrets = home.load(&file[..1], &[], None).unwrap_err();
    assert_eq!(without_secrets.key, "secrets", "it is a cluster");
}

#[test]
fn a_file_that_holds_no_redis_url_is_refused_without_being_repeated() {
    for (content, rule) in [
        (format!("{URL}\n{URL}1\n"), "credentials: expected one URL"),
        (
            "http://:hunter2@h\n".to_owned(),
            "credentials: the Redis URL is not valid: ",
        ),
        (
            "hunter2\n".to_owned(),
            "credentials: the Redis URL is not valid: ",
        ),
        (
            format!("{URL} hunter2\n"),
            "credentials: line 1 has a space",
        ),
    ] {
        let error = load_file("redis_url_file", &content).unwrap_err();
        assert_eq!(error.key, "redis_url_file");
        let error = error.to_string();
        assert!(error.contains(rule), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn who_asks_a_running_gateway_does_not_read_the_file_of_the_redis_url() {
    let home = Home::new();
    let load = |purpose| {
        let mut flags = GivenSettings::default();
        flags.set_flag(ConfigKey::of("redis_url_file").unwrap(), "/nonexistent/url");
        let state_dir = home.0.path().to_str().unwrap();
        flags.set_flag(ConfigKey::of("state_dir").unwrap(), state_dir);
        Config::load(ConfigSources {
            flags,
            file_limit: 4096,
            purpose,
            ..ConfigSources::default()
        })
    };
    assert!(load(ConfigPurpose::Admin).is_ok());
    for purpose in [
        ConfigPurpose::Serve,
        ConfigPurpose::Keys,
        ConfigPurpose::Show,
    ] {
        let error = load(purpose).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/url: "), "{error}");
    }
}

#[test]
fn a_line_that_looks_like_prose_is_refused_by_its_number() {
    for (content, line) in [
        (format!("{SECRET}\nthe old secret is {OTHER}\n"), "line 2"),
        (format!("\n{SECRET} # the new one\n"), "line 2"),
        (format!("{SECRET}\u{a0}{OTHER}\n"), "line 1"),
        (format!("{SECRET}\u{0}{OTHER}\n"), "line 1"),
    ] {
        let error = load_file("secrets_file", &content).unwrap_err();
        assert_eq!(error.key, "secrets_file");
        let error = error.to_string();
        assert!(error.contains(line), "{error}");
        assert!(!error.contains("0123") && !error.contains("zyx"), "{error}");
    }
    let error = load_file("admin_token_file", "# t\nthe token is not here\n").unwrap_err();
    assert!(error.problem.contains("line 2"), "{error}");
    assert!(!error.problem.contains("not here"), "{error}");
}

#[test]
fn a_file_without_a_credential_or_with_two_tokens_is_refused() {
    for content in ["", "# nothing\n", "\u{feff}\r\n"] {
        for key in ["secrets_file", "admin_token_file", "redis_url_file"] {
            let error = load_file(key, content).unwrap_err();
            assert_eq!(error.key, key, "{content:?}");
            assert!(error.problem.contains("credentials: "), "{error}");
        }
    }
    let error = load_file("secrets_file", &format!("{SECRET}\nshort\n")).unwrap_err();
    let expected = "credentials: secret 2: a secret needs at least 32 bytes";
    assert!(error.problem.ends_with(expected), "{error}");
    let error = load_file("admin_token_file", &format!("{TOKEN}\n{TOKEN}2\n")).unwrap_err();
    assert_eq!(error.key, "admin_token_file");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    for key in ["secrets_file", "admin_token_file"] {
        let error = Home::new().load(&[(key, "/nonexistent/credentials")], &[], None);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("/nonexistent/credentials: "), "{error}");
    }
}

#[test]
fn a_file_without_end_is_refused() {
    let rule = "is longer than 65536 bytes";
    for key in ["secrets_file", "admin_token_file"] {
        let error = Home::new().load(&[(key, "/dev/zero")], &[], None);
        let error = error.unwrap_err();
        assert_eq!(error.key, key);
        assert_eq!(error.problem, format!("/dev/zero: {rule}"));
    }
    let home = Home::new();
    let error = home.load(&[], &[("T2B_CONFIG", "/dev/zero")], None);
    let error = error.unwrap_err().to_string();
    assert!(
        error.starts_with("config (T2B_CONFIG): /dev/zero: is longer than "),
        "{error}"
    );
    let dir = home.0.path().join("state");
    fs::create_dir(&dir).unwrap();
    for name in ["secret", "admin-token"] {
        let path = dir.join(name);
        fs::write(&path, SECRET).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let state = [("state_dir", dir.to_str().unwrap())];
        assert!(home.load(&state, &[], None).is_ok());
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        let error = home.load(&state, &[], None).unwrap_err();
        let expected = format!("{}: {rule}", path.display());
        assert!(error.problem.starts_with(&expected), "{error}");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn the_longest_file_is_64_kib() {
    let padded = |bytes: usize| format!("{SECRET}\n{}", "#".repeat(bytes - SECRET.len() - 1));
    assert!(load_file("secrets_file", &padded(65_535)).is_ok());
    assert!(load_file("secrets_file", &padded(65_536)).is_ok());
    let error = load_file("secrets_file", &padded(65_537)).unwrap_err();
    assert!(
        error.problem.ends_with("is longer than 65536 bytes"),
        "{error}"
    );
}
