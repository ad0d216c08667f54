//! A Redis that takes only clients with a certificate (`tls-auth-clients yes`).

use fixtures::{RedisOptions, RedisServer, TestAuthority};

use crate::harness::{LOOPBACK, TestHome};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn a_certificate_is_shown_to_a_redis_that_asks_for_one() {
    let home = TestHome::new();
    let authority = TestAuthority::default();
    let ca = authority.write(home.path());
    let server = authority.issue(&home.path().join("redis"), &["localhost"]);
    let ours = authority.issue(&home.path().join("gateway"), &["gateway"]);
    let other = TestAuthority::default().issue(&home.path().join("other"), &["gateway"]);
    let options = RedisOptions {
        tls: Some((server, ca.clone())),
        ..RedisOptions::default()
    };
    let Some(redis) = RedisServer::start_with(options) else {
        return;
    };
    let url = format!("rediss://localhost:{}", redis.tls_port());
    let paths = [&ca, &ours.cert, &ours.key, &other.cert, &other.key];
    let [ca, cert, key, other_cert, other_key] = paths.map(|path| path.to_str().unwrap());
    let plain = [
        ("T2B_REDIS_URL", url.as_str()),
        ("T2B_SECRETS", SECRET),
        ("SSL_CERT_FILE", ca),
    ];
    let with = |cert, key| {
        let own = [
            ("T2B_REDIS_CLIENT_CERT", cert),
            ("T2B_REDIS_CLIENT_KEY", key),
        ];
        [&plain[..], &own].concat()
    };
    let run = [&["gateway", "run"][..], &LOOPBACK].concat();

    let gateway = home.gateway(&with(cert, key));
    let bot = home.echo_bot(
        "bot_a",
        &gateway.url,
        &[("T2B_KEY", &issued(&home, &with(cert, key)))],
    );
    drop(bot);
    gateway.process.terminate().with(0);

    for refused in [plain.to_vec(), with(other_cert, other_key)] {
        let mut process = home.start(&run, &refused);
        let line = process.wait_for("redis is not there yet");
        assert!(line.contains("localhost"), "{line}");
        process.terminate().with(0);
    }
    for (variables, rule) in [
        (with(cert, other_key), "redis_client_cert"),
        (with(key, key), "redis_client_cert"),
        (with(cert, cert), "redis_client_cert"),
        (
            with(cert, "/nonexistent.pem"),
            "redis_client_key (T2B_REDIS_CLIENT_KEY): cannot be read",
        ),
        (
            with(cert, ""),
            "redis_client_key (default): is needed with redis_client_cert",
        ),
    ] {
        let said = home.run_with(&run, &variables).with(64);
        assert!(said.contains(rule), "{said}");
    }
    let mut clear = with(cert, key);
    clear[0].1 = "redis://localhost:1";
    let said = home.run_with(&run, &clear).with(64);
    assert!(said.contains("begins with rediss"), "{said}");
}

/// A key of the user `local`.
fn issued(home: &TestHome, variables: &[(&str, &str)]) -> String {
    let key = home
        .run_with(&["keys", "issue", "local"], variables)
        .with(0);
    key.trim().to_owned()
}
