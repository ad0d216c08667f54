//! No process ever prints a credential, whatever it logs.

use std::thread;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::harness::{TestHome, http};

const WRONG_KEY: &str = "t2b_mallory_0123456789abcdef";
const WRONG_TOKEN: &str =
    "eyJhbGciOiJIUzI1NiJ9.eyJ0ZW5hbnQiOiJhbGljZSJ9.c2lnbmF0dXJlLW9mLW5vYm9keQ";

/// The text and its base64, whatever stands before it: the inner letters at each of three offsets.
fn forms(credential: &str) -> Vec<String> {
    let mut forms = vec![credential.to_owned()];
    for offset in 0..3 {
        let text = [&" ".repeat(offset), credential].concat();
        for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
            forms.push(encoded[4..encoded.len() - 4].to_owned());
        }
    }
    forms
}

fn upgrade(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=={headers}"
    )
}

/// Requests with a credential in every place, to the admin listener or the public one.
fn requests(good_key: &str) -> impl Iterator<Item = (bool, String)> {
    [good_key, WRONG_KEY, WRONG_TOKEN]
        .into_iter()
        .flat_map(move |credential| {
            let encoded = URL_SAFE_NO_PAD.encode(credential);
            let query = format!("/ws?token={credential}");
            let bearer = format!("\r\nAuthorization: Bearer {credential}");
            let origin = format!("\r\nOrigin: https://{credential}.example");
            let subprotocol = format!("\r\nSec-WebSocket-Protocol: t2b.v1, t2b.auth.{encoded}");
            let mut requests = vec![
                (false, format!("GET {query} HTTP/1.1")),
                (false, upgrade(&query, &origin)),
                (true, format!("GET /admin/v1/status HTTP/1.1{bearer}")),
            ];
            // A good one would stay open.
            if credential != good_key {
                requests.push((false, upgrade("/ws", &subprotocol)));
                requests.push((false, upgrade("/ws", &bearer)));
                requests.push((false, upgrade(&query, "")));
            }
            requests
        })
}

/// Everything that a gateway and its peers print in a life with every kind of credential.
fn all_output(home: &TestHome, log_format: &str, good_key: &str) -> String {
    let gateway = home.gateway(&[("T2B_LOG", "trace"), ("T2B_LOG_FORMAT", log_format)]);
    let url = ["--url", gateway.url.as_str()];
    let admin = ["--admin-listen", gateway.admin.as_str()];
    let mut out = String::new();

    let bot = home.echo_bot("bot_clawra", &gateway.url, &[("T2B_KEY", good_key)]);
    let chat = [
        &["chat", "bot_clawra", "--text", "hi", "--key", good_key][..],
        &url,
    ]
    .concat();
    out += &home.run(&chat).with(0);
    out += &home.run(&[&chat[..], &["--json"]].concat()).with(0);
    let wrong = [("T2B_KEY", WRONG_KEY)];
    out += &home
        .run_with(&[&["bots"][..], &url].concat(), &wrong)
        .with(77);

    let (public, admin_door) = (gateway.public.as_str(), gateway.admin.as_str());
    // At once, as a refused socket waits two seconds for its peer's close.
    out += &thread::scope(|scope| {
        let asked = requests(good_key).map(|(is_admin, head)| {
            let address = if is_admin { admin_door } else { public };
            scope.spawn(move || http(address, &head))
        });
        let asked: Vec<_> = asked.collect();
        let answers = asked.into_iter().map(|answer| answer.join().unwrap());
        answers.collect::<String>()
    });
    out += &home
        .run(&[&["gateway", "status"][..], &admin].concat())
        .with(0);
    out += &home
        .run(&[&["keys", "revoke", "alice"][..], &admin].concat())
        .with(0);
    out += &bot.wait().with(77);
    out += &http(&gateway.admin, "GET /metrics HTTP/1.1");
    out += &home.run(&["gateway", "config"]).with(0);
    out + &gateway.process.terminate().with(0)
}

#[track_caller]
fn check(log_format: &str) {
    let home = TestHome::new();
    let key = home.run(&["keys", "issue", "alice"]).with(0);
    let key = key.trim();
    let out = all_output(&home, log_format, key);
    for expected in [
        "policy changed",
        "t2b_",
        "HTTP/1.1 101",
        "HTTP/1.1 403",
        "HTTP/1.1 401",
    ] {
        assert!(out.contains(expected), "nothing was searched: {expected}");
    }
    let (secret, admin_token) = (home.state("secret"), home.state("admin-token"));
    for credential in [key, WRONG_KEY, WRONG_TOKEN, &secret, &admin_token] {
        for form in forms(credential) {
            let found = out.lines().find(|line| line.contains(&form));
            assert_eq!(found, None, "a credential was printed");
        }
    }
}

#[test]
fn all_output_is_free_of_credentials_as_text() {
    check("text");
}

#[test]
fn all_output_is_free_of_credentials_as_json() {
    check("json");
}
