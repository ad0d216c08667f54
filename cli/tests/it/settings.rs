//! What a person is told of settings that are wrong, or that are read otherwise than they look.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::harness::{LOOPBACK, PipedProcess, TestHome};

const SECRET: &str = "0123456789abcdefghijklmnopqrstuvwxyz";
const RUN: [&str; 2] = ["gateway", "run"];

#[test]
fn values_that_cannot_work_end_with_64_and_their_rule() {
    let home = TestHome::new();
    for (name, value, rule) in [
        (
            "T2B_ALLOWED_HOSTS",
            "https://bots.example",
            "expected a host",
        ),
        (
            "T2B_ALLOWED_ORIGINS",
            "wss://app.example",
            "expected an origin",
        ),
        ("T2B_LOG", "verbose", "expected a level"),
        ("T2B_ADMIN_TOKEN", "0123456789\n0123456789", "admin token"),
        (
            "T2B_TRUSTED_PROXIES",
            "proxy.example",
            "expected an IP address",
        ),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "http://"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url", "http://"),
    ] {
        let said = home
            .run_with(&["gateway", "run"], &[(name, value)])
            .with(64);
        assert!(said.contains(rule) && said.contains(name), "{said}");
        assert_eq!(said.contains(value), name != "T2B_ADMIN_TOKEN", "{said}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_t2b"));
    command
        .args(["gateway", "config"])
        .env("T2B_LISTEN", std::ffi::OsStr::from_bytes(b"\xff"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let said = PipedProcess::start(command).wait().with(64);
    assert!(said.contains("T2B_LISTEN"), "{said}");
}

#[test]
fn the_log_filter_warning_shows_warnings() {
    let home = TestHome::new();
    let variables = [("T2B_LOG", "warning"), ("T2B_SOCKETS_MAX", "8")];
    home.start(&[&RUN[..], &LOOPBACK].concat(), &variables)
        .wait_for("WARN");
}

#[test]
fn traces_go_over_http_only() {
    let home = TestHome::new();
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
    for name in [
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    ] {
        let said = home
            .run_with(&[&RUN[..], &LOOPBACK].concat(), &[endpoint, (name, "grpc")])
            .with(64);
        let rule = format!("{name}: expected http/protobuf; got \"grpc\"");
        assert!(said.contains(&rule), "{said}");
    }
    let protocol = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    home.start(&[&RUN[..], &LOOPBACK].concat(), &[endpoint, protocol])
        .wait_for("port 4318");
}

#[test]
fn certificates_that_are_none_are_named() {
    let home = TestHome::new();
    let pem = home.path().join("cert.pem");
    let missing = home.path().join("missing.pem");
    fs::write(&pem, "not a certificate\n").unwrap();
    let (pem, missing) = (pem.to_str().unwrap(), missing.to_str().unwrap());
    for cert in [pem, missing] {
        let args = ["gateway", "run", "--tls-cert", cert, "--tls-key", pem];
        let said = home.run(&args).with(64);
        assert!(said.contains(cert), "{said}");
    }
}

#[test]
fn doubtful_credential_files_are_warned_about() {
    let home = TestHome::new();
    let path = home.path().join("secrets");
    fs::write(&path, format!("# twice\n{SECRET}\n{SECRET}\n")).unwrap();
    let variables = [("T2B_SECRETS_FILE", path.to_str().unwrap())];
    for (mode, is_wide) in [(0o644, true), (0o660, true), (0o640, false), (0o700, false)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let ended = home.run_with(&["keys", "issue", "alice"], &variables);
        assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
        let said = ended.with(0);
        assert!(said.contains("line 3 repeats line 2"), "{said}");
        assert_eq!(
            said.contains(&format!("mode {mode:04o}")),
            is_wide,
            "{said}"
        );
        assert!(!said.contains(SECRET), "{said}");
    }
}

#[test]
fn a_gateway_logs_the_same_warnings() {
    let home = TestHome::new();
    let path = home.path().join("secrets");
    fs::write(&path, format!("{SECRET}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let file = path.to_str().unwrap();
    let mut gateway = home.start(
        &[&RUN[..], &LOOPBACK].concat(),
        &[("T2B_SECRETS_FILE", file)],
    );
    let line = gateway.wait_for("mode 0666");
    assert!(line.contains("WARN") && line.contains(file), "{line}");
}
