//! TLS of the admin listener, and of the commands that ask it.

use fixtures::{CertificateFiles, TestAuthority};

use crate::harness::{LOOPBACK, RunningGateway, TestHome};

type Variable<'a> = (&'a str, &'a str);

const STATUS: [&str; 2] = ["gateway", "status"];

fn path(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

fn start(home: &TestHome, own: &CertificateFiles, more: &[Variable<'_>]) -> RunningGateway {
    let tls = [
        ("T2B_ADMIN_TLS_CERT", path(&own.cert)),
        ("T2B_ADMIN_TLS_KEY", path(&own.key)),
    ];
    let args = [&["gateway", "run"][..], &LOOPBACK].concat();
    let mut process = home.start(&args, &[&tls[..], more].concat());
    let line = process.wait_for("listening");
    assert!(line.contains(", admin https://127.0.0.1:"), "{line}");
    RunningGateway::of(&line.replace("https://", "http://"), process)
}

#[test]
fn commands_accept_the_certificate_of_the_file_or_of_an_authority() {
    let home = TestHome::new();
    let authority = TestAuthority::default();
    let ca = authority.write(home.path());
    let by_name = authority.issue(&home.path().join("name"), &["gateway.example"]);
    let by_address = authority.issue(&home.path().join("address"), &["127.0.0.1"]);
    let [named, addressed] = [&by_name, &by_address].map(|own| start(&home, own, &[]));
    let status = |gateway: &RunningGateway, cert, more: &[Variable<'_>]| {
        let own = [
            ("T2B_ADMIN_LISTEN", gateway.admin.as_str()),
            ("T2B_ADMIN_TLS_CERT", cert),
        ];
        home.run_with(&STATUS, &[&own[..], more].concat())
    };
    let (name_cert, address_cert) = (path(&by_name.cert), path(&by_address.cert));
    assert!(status(&named, name_cert, &[]).with(0).contains("serving"));
    status(&addressed, address_cert, &[]).with(0);
    // One that was renewed: not that of the file, and issued for the address.
    status(&addressed, path(&ca), &[]).with(0);
    status(&addressed, name_cert, &[("SSL_CERT_FILE", path(&ca))]).with(0);
    let said = status(&named, path(&ca), &[]).with(69);
    assert!(said.contains("not valid for name"), "{said}");
    let said = status(&named, address_cert, &[]).with(69);
    assert!(said.contains("UnknownIssuer"), "{said}");
    status(&named, "", &[]).with(69);
    status(&named, "/nonexistent.pem", &[]).with(64);
}

#[test]
fn only_clients_of_the_authority_are_answered() {
    let home = TestHome::new();
    let authority = TestAuthority::default();
    let ca = authority.write(home.path());
    let own = authority.issue(&home.path().join("own"), &["gateway.example"]);
    let operator = authority.issue(&home.path().join("operator"), &["operator"]);
    let stranger = TestAuthority::default().issue(&home.path().join("stranger"), &["operator"]);
    let gateway = start(&home, &own, &[("T2B_ADMIN_CLIENT_CA", path(&ca))]);
    let status = |client: Option<(&str, &str)>| {
        let mut variables = vec![
            ("T2B_ADMIN_LISTEN", gateway.admin.as_str()),
            ("T2B_ADMIN_TLS_CERT", path(&own.cert)),
        ];
        if let Some((cert, key)) = client {
            variables.push(("T2B_ADMIN_CLIENT_CERT", cert));
            variables.push(("T2B_ADMIN_CLIENT_KEY", key));
        }
        home.run_with(&STATUS, &variables)
    };
    // What it says is the alert of TLS, or, if that is lost, that the connection was reset.
    status(None).with(69);
    status(Some((path(&stranger.cert), path(&stranger.key)))).with(69);
    status(Some((path(&operator.cert), path(&operator.key)))).with(0);
    let said = status(Some((path(&operator.cert), ""))).with(64);
    assert!(said.contains("admin_client_key"), "{said}");
    let said = status(Some((path(&operator.cert), path(&stranger.key)))).with(64);
    assert!(said.contains(path(&operator.cert)), "{said}");
    gateway.process.terminate().with(0);
}

#[test]
fn files_that_do_not_fit_are_named_before_a_port_is_bound() {
    let home = TestHome::new();
    let authority = TestAuthority::default();
    let own = authority.issue(home.path(), &["gateway.example"]);
    let run = [&["gateway", "run"][..], &LOOPBACK].concat();
    let (cert, key) = (path(&own.cert), path(&own.key));
    for (variables, rule) in [
        (
            vec![("T2B_ADMIN_TLS_CERT", cert)],
            "admin_tls_key (default): is needed with admin_tls_cert",
        ),
        (
            vec![("T2B_ADMIN_CLIENT_CA", cert)],
            "admin_client_ca (T2B_ADMIN_CLIENT_CA): needs admin_tls_cert",
        ),
        (
            vec![
                ("T2B_ADMIN_TLS_CERT", cert),
                ("T2B_ADMIN_TLS_KEY", key),
                ("T2B_ADMIN_CLIENT_CA", key),
            ],
            "key.pem: ",
        ),
    ] {
        let said = home.run_with(&run, &variables).with(64);
        assert!(said.contains(rule), "{said}");
    }
}
