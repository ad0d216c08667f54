//! `wss://`: which certificate is refused why, and what is tried next.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use crate::harness::{LOOPBACK, RunningGateway, TestHome};

const HERE: &str = "next: t2b gateway run";

/// A gateway with a certificate that signs itself, in `cert.pem` of the home.
fn gateway(home: &TestHome, name: &str, is_ca: IsCa) -> RunningGateway {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.is_ca = is_ca;
    let key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&key).unwrap();
    let write = |name: &str, text: String| {
        let path = home.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (cert, key) = (
        write("cert.pem", cert.pem()),
        write("key.pem", key.serialize_pem()),
    );
    let variables = [("T2B_TLS_CERT", cert.as_str()), ("T2B_TLS_KEY", &key)];
    let args = [&["gateway", "run"][..], &LOOPBACK].concat();
    let mut process = home.start(&args, &variables);
    let line = process.wait_for("listening");
    RunningGateway::of(&line.replace("wss://", "ws://"), process)
}

#[track_caller]
fn check(home: &TestHome, url: &str, trusts: bool, expected: &str) -> String {
    let cert = home.path().join("cert.pem").display().to_string();
    let variables: &[(&str, &str)] = match trusts {
        true => &[("SSL_CERT_FILE", &cert)],
        false => &[],
    };
    let said = home.run_with(&["bots", "--url", url], variables).with(69);
    assert!(said.contains("error: not_reachable: "), "{said}");
    assert!(said.contains(expected), "{said}");
    assert!(!said.contains(HERE) && !said.contains("Error"), "{said}");
    said
}

#[test]
fn a_certificate_that_is_refused_says_what_to_do() {
    let home = TestHome::new();
    let gateway = gateway(&home, "localhost", IsCa::NoCa);
    let (_, port) = gateway.public.split_once(':').unwrap();
    let named = format!("wss://localhost:{port}/ws");
    let said = check(&home, &named, false, "next: SSL_CERT_FILE=ca.pem t2b ");
    assert!(said.contains("authority"), "{said}");
    let bots = ["bots", "--url", named.as_str()];
    let cert = home.path().join("cert.pem").display().to_string();
    home.run_with(&bots, &[("SSL_CERT_FILE", &cert)]).with(0);
    let other = format!("wss://127.0.0.1:{port}/ws");
    let said = check(&home, &other, true, "not valid for");
    assert!(
        said.contains("localhost") && !said.contains("next: "),
        "{said}"
    );
    let plain = format!("ws://localhost:{port}/ws");
    let said = check(&home, &plain, true, "a TLS port needs wss://");
    assert!(!said.contains("next: "), "{said}");
}

#[test]
fn a_certificate_of_an_authority_is_refused_in_plain_words() {
    let home = TestHome::new();
    let is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let gateway = gateway(&home, "localhost", is_ca);
    let (_, port) = gateway.public.split_once(':').unwrap();
    let url = format!("wss://localhost:{port}/ws");
    check(&home, &url, true, "is that of a certificate authority");
}
