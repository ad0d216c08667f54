//! `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, against a proxy that speaks CONNECT and SOCKS5.
//!
//! The proxy leads every name to one gateway, so a name that nobody can resolve proves who resolved it.

use std::io::{Read, Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::harness::{RunningGateway, TestHome};

/// What a proxy wants to hear from whoever uses it; none: nothing.
type ProxyLogin = Option<(&'static str, &'static str)>;

const LOGIN: ProxyLogin = Some(("anna", "p@ss"));

/// A proxy, and the targets that it was asked for.
struct TestProxy {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl TestProxy {
    fn start(gateway: &str, login: ProxyLogin) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (log, gateway) = (Arc::clone(&asked), gateway.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, gateway) = (Arc::clone(&log), gateway.clone());
                thread::spawn(move || serve(stream, &gateway, login, &log));
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// One connection; it ends with an error as soon as its peer does.
fn serve(mut stream: TcpStream, gateway: &str, login: ProxyLogin, log: &Mutex<Vec<String>>) {
    let mut first = [0];
    if stream.read_exact(&mut first).is_err() {
        return;
    }
    let target = match first[0] {
        5 => socks(&mut stream, login),
        _ => connect(&mut stream, login),
    };
    let Some(target) = target else { return };
    log.lock().unwrap().push(target);
    let there = TcpStream::connect(gateway).unwrap();
    let (mut from, mut to) = (stream.try_clone().unwrap(), there.try_clone().unwrap());
    let up = thread::spawn(move || copy(&mut from, &mut to).is_ok());
    let (mut from, mut to) = (there, stream);
    let _ = copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
    let _ = up.join();
}

fn connect(stream: &mut TcpStream, login: ProxyLogin) -> Option<String> {
    let mut head = vec![b'C'];
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let known = login.is_none_or(|(user, password)| {
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        head.to_lowercase()
            .contains(&format!("proxy-authorization: basic {encoded}").to_lowercase())
    });
    if !known {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
        let _ = stream.write_all(refusal.as_bytes());
        return None;
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    head.split(' ').nth(1).map(str::to_owned)
}

/// RFC 1928 and 1929.
fn socks(stream: &mut TcpStream, login: ProxyLogin) -> Option<String> {
    let offered = counted(stream)?;
    let method = if login.is_some() { 2 } else { 0 };
    if !offered.contains(&method) {
        let _ = stream.write_all(&[5, 0xff]);
        return None;
    }
    stream.write_all(&[5, method]).ok()?;
    if let Some((user, password)) = login {
        stream.read_exact(&mut [0]).ok()?;
        let said = (counted(stream)?, counted(stream)?);
        let known = said == (user.into(), password.into());
        stream.write_all(&[1, u8::from(!known)]).ok()?;
        if !known {
            return None;
        }
    }
    let mut request = [0; 4];
    stream.read_exact(&mut request).ok()?;
    let host = match request[3] {
        1 => {
            let mut ip = [0; 4];
            stream.read_exact(&mut ip).ok()?;
            std::net::Ipv4Addr::from(ip).to_string()
        }
        _ => String::from_utf8(counted(stream)?).unwrap(),
    };
    let mut port = [0; 2];
    stream.read_exact(&mut port).ok()?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    Some(format!("{host}:{}", u16::from_be_bytes(port)))
}

/// Bytes behind their number.
fn counted(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut len = [0];
    stream.read_exact(&mut len).ok()?;
    let mut bytes = vec![0; len[0].into()];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// A gateway that nobody finds by its name, and the key of one of its users.
fn far() -> (TestHome, RunningGateway, String) {
    let home = TestHome::new();
    let gateway = home.gateway(&[("T2B_ALLOWED_HOSTS", "far.invalid,192.0.2.7")]);
    let key = home.run(&["keys", "issue", "alice"]).with(0);
    (home, gateway, key.trim().to_owned())
}

#[track_caller]
fn check(
    login: ProxyLogin,
    url: &str,
    variable: &str,
    proxy: impl Fn(&str) -> String,
    target: &str,
) {
    let (home, gateway, key) = far();
    let server = TestProxy::start(&gateway.public, login);
    let variables = [(variable, &*proxy(&server.address)), ("T2B_KEY", &*key)];
    let said = home.run_with(&["bots", "--url", url], &variables).with(0);
    assert!(said.contains("no bots yet"), "{said}");
    assert_eq!(server.asked(), [target], "{variable}");
}

#[test]
fn connect_leads_to_a_gateway_that_only_the_proxy_finds() {
    let http = |address: &str| format!("http://{address}");
    let url = "ws://far.invalid/ws";
    check(None, url, "HTTP_PROXY", http, "far.invalid:80");
    check(None, url, "all_proxy", http, "far.invalid:80");
    let login = |address: &str| format!("http://anna:p%40ss@{address}");
    check(LOGIN, url, "ALL_PROXY", login, "far.invalid:80");
    // Without a scheme it is an HTTP proxy, as curl has it.
    check(
        None,
        "ws://far.invalid:81/ws",
        "ALL_PROXY",
        str::to_owned,
        "far.invalid:81",
    );
}

#[test]
fn socks5_leads_there_too() {
    let url = "ws://far.invalid/ws";
    let by_name = |address: &str| format!("socks5h://{address}");
    check(None, url, "ALL_PROXY", by_name, "far.invalid:80");
    let login = |address: &str| format!("socks5h://anna:p%40ss@{address}");
    check(LOGIN, url, "ALL_PROXY", login, "far.invalid:80");
    let by_address = |address: &str| format!("socks5://{address}");
    check(
        None,
        "ws://192.0.2.7/ws",
        "ALL_PROXY",
        by_address,
        "192.0.2.7:80",
    );
}

/// The proxy leads to a gateway without TLS, which is enough to see that TLS begins.
#[test]
fn tls_goes_through_the_proxy_of_https() {
    let (home, gateway, key) = far();
    let server = TestProxy::start(&gateway.public, None);
    let proxy = format!("http://{}", server.address);
    let variables = [
        ("HTTPS_PROXY", &*proxy),
        ("HTTP_PROXY", "http://127.0.0.1:1"),
        ("T2B_KEY", &*key),
    ];
    let url = ["bots", "--url", "wss://far.invalid/ws"];
    let said = home.run_with(&url, &variables).with(69);
    assert!(said.contains("does not speak TLS"), "{said}");
    assert_eq!(server.asked(), ["far.invalid:443"]);
}

#[test]
fn no_proxy_names_what_is_reached_directly() {
    let (home, gateway, key) = far();
    for no_proxy in ["127.0.0.1", "10.0.0.1, 127.0.0.0/8", "*"] {
        let variables = [
            ("ALL_PROXY", "http://127.0.0.1:1"),
            ("NO_PROXY", no_proxy),
            ("T2B_KEY", &*key),
        ];
        home.run_with(&["bots", "--url", &gateway.url], &variables)
            .with(0);
    }
}

#[test]
fn a_proxy_that_cannot_be_used_is_named() {
    let (home, gateway, key) = far();
    let bots = ["bots", "--url", &gateway.url];
    let said = |proxy: &str, code: i32| {
        let variables = [("ALL_PROXY", proxy), ("T2B_KEY", &*key)];
        home.run_with(&bots, &variables).with(code)
    };
    for wrong in ["ftp://127.0.0.1:1", "https://127.0.0.1:1", "http://", "a b"] {
        let said = said(wrong, 64);
        assert!(
            said.contains("ALL_PROXY") && said.contains("socks5h://"),
            "{said}"
        );
    }
    let said_gone = said("http://anna:secret@127.0.0.1:1", 69);
    assert!(said_gone.contains("error: proxy_failed: "), "{said_gone}");
    assert!(said_gone.contains("http://127.0.0.1:1"), "{said_gone}");
    assert!(!said_gone.contains("secret"), "{said_gone}");
    for scheme in ["http", "socks5h"] {
        let server = TestProxy::start(&gateway.public, LOGIN);
        let refused = said(&format!("{scheme}://anna:wrong@{}", server.address), 69);
        assert!(refused.contains("error: proxy_failed: "), "{refused}");
        assert!(!refused.contains("wrong"), "{refused}");
        assert_eq!(server.asked(), [""; 0]);
    }
}
