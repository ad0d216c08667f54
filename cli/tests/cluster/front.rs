//! haproxy in front of the nodes, from the file that is shipped.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use fixtures::{LoggedProcess, free_port, until};
use tempfile::TempDir;

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../deploy/balancers/haproxy.cfg"
);
/// The lines of the file that name addresses.
const BIND: &str = "bind :443 ssl crt /etc/t2b/tls/both.pem alpn http/1.1";
const CHECKS: &str = "check port 9464 ";
const SERVERS: &str = "  server one 10.77.0.11:3000\n  server two 10.77.0.12:3000\n";

/// A running haproxy.
pub struct HaproxyFront {
    address: String,
    process: LoggedProcess,
    _place: TempDir,
}

impl HaproxyFront {
    /// Starts it in front of nodes, by the ports of their public and admin listeners. `None`: there is no haproxy.
    pub async fn start(nodes: &[(u16, u16)]) -> Option<Self> {
        let program = ["/usr/sbin/haproxy", "/usr/bin/haproxy"].map(PathBuf::from);
        let Some(program) = program.into_iter().find(|path| path.exists()) else {
            fixtures::skip("haproxy is not installed");
            return None;
        };
        let place = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let mut servers = String::new();
        for (number, (public, admin)) in nodes.iter().enumerate() {
            let server = format!("node-{number} 127.0.0.1:{public} check port {admin}");
            writeln!(servers, "  server {server}").unwrap();
        }
        let mut text = std::fs::read_to_string(FILE).unwrap();
        let bind = format!("bind {address}");
        for (old, new) in [(BIND, bind.as_str()), (CHECKS, ""), (SERVERS, &servers)] {
            assert!(text.contains(old), "no {old:?} in {FILE}");
            text = text.replace(old, new);
        }
        let file = place.path().join("haproxy.cfg");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(program);
        command.args(["-db", "-f"]).arg(&file).stdin(Stdio::null());
        let front = Self {
            process: LoggedProcess::spawn(command, &place.path().join("log")),
            address,
            _place: place,
        };
        until("haproxy listens", async || {
            let connected = tokio::net::TcpStream::connect(&front.address).await;
            connected.is_ok().then_some(())
        })
        .await;
        Some(front)
    }

    /// Where WebSockets connect.
    pub fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// The last lines that it printed.
    pub fn last_lines(&self) -> String {
        self.process.last_lines(10)
    }
}
