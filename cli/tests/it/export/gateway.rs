//! A real gateway with a real ledger, and a receiver behind TLS.

use std::fs;
use std::sync::Arc;

use fixtures::{DEADLINE, RedisServer, blocking_until};
use protocol::{UsageHour, UsageMeter};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use super::billing::MockKind;
use super::ledger::TOKEN;
use super::receiver::MockReceiver;
use super::stage::{ExportStage, USERS};
use crate::harness::LOOPBACK;

const SECRET: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

/// Writes usage as nodes do. Any part of the index will do: the gateway reads all of them.
fn book(redis: &RedisServer, user: &str, hour: UsageHour, meter: UsageMeter, amount: u64) {
    let hour_key = format!("t2b:{{{user}}}:usage:{hour}");
    let index_key = format!("t2b:usage:{}:0", hour.day_text());
    redis.command(&["HSET", &hour_key, meter.name(), &amount.to_string()]);
    redis.command(&["HSET", &index_key, user, ""]);
}

#[test]
fn the_rows_of_a_real_gateway_are_billed() {
    let Some(redis) = RedisServer::start() else {
        return;
    };
    let stage = ExportStage::with_hours(MockKind::OpenMeter, 2);
    for user in USERS {
        let meter = UsageMeter::ConnectionSecondsBot;
        book(&redis, user, stage.first, meter, 61_007);
        book(&redis, user, stage.first.plus(1), meter, 1);
    }
    let url = redis.url();
    let run = [&["gateway", "run", "--redis", &url][..], &LOOPBACK].concat();
    let mut process = stage.home.start(&run, &[("T2B_SECRETS", SECRET)]);
    let line = process.wait_for("listening");
    let gateway = crate::harness::RunningGateway::of(&line, process);
    let mut args = stage.args(&[]);
    let place = args
        .iter()
        .position(|arg| *arg == stage.ledger.address)
        .unwrap();
    args[place].clone_from(&gateway.admin);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    // A node shows no hour as closed before it knows what the nodes have booked.
    let totals = blocking_until(DEADLINE, "the hours are closed", || {
        stage.home.run(&args).with(0);
        let totals = stage.receiver.totals();
        (!totals.is_empty()).then_some(totals)
    });
    assert_eq!(totals.len(), USERS.len());
    for ((user, name), sum) in totals {
        assert!(USERS.contains(&user.as_str()), "{user}");
        assert_eq!((name.as_str(), sum), ("t2b_connection_seconds_bot", 61_008));
    }
    let said = stage.home.run(&args).with(0);
    assert!(said.contains("0 rows exported"), "{said}");
}

/// A receiver behind TLS is asked only if its certificate is trusted.
#[test]
fn a_receiver_behind_tls_is_verified() {
    let mut stage = ExportStage::with_hours(MockKind::Orb, 1);
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    stage.receiver = MockReceiver::start_tls(MockKind::Orb, tls);
    let args = stage.args(&["--attempts", "1"]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let trusting = |certificate: String| {
        let file = stage.home.path().join("trusted.pem");
        fs::write(&file, certificate).unwrap();
        let variables = [
            ("T2B_ADMIN_TOKEN", TOKEN),
            ("SSL_CERT_FILE", file.to_str().unwrap()),
        ];
        stage.home.run_with(&args, &variables)
    };
    let said = trusting(other.cert.pem()).with(75);
    assert!(said.contains("certificate"), "{said}");
    assert_eq!(stage.receiver.requests().len(), 0);
    trusting(own.cert.pem()).with(0);
    stage.check("over TLS");
}
