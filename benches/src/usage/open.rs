//! A gateway with a socket of each tenant.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use loadtest::wire::BlockingSocket;
use tempfile::TempDir;

use crate::idle::open_sockets;
use crate::process::{ServerProcess, free_addresses};
use crate::servers::gateway::{GatewayText, key_of, start_with};

/// Longest wait for a page.
const PAGE_WAIT: Duration = Duration::from_secs(30);

/// A gateway and its sockets.
pub(super) struct OpenGateway {
    pub process: ServerProcess,
    pub admin: SocketAddr,
    /// Each of its own tenant.
    pub sockets: Vec<BlockingSocket>,
    _folder: TempDir,
}

impl OpenGateway {
    /// Starts a gateway on the servers' core, and opens the sockets. `more`: lines of its configuration.
    pub fn start(tenants: usize, redis: Option<SocketAddr>, more: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let [admin] = free_addresses()?;
        let text = GatewayText { redis, admin, more };
        let program = std::env::current_exe()?;
        let (process, address) = start_with(&program, &folder, "node", &text)?;
        let keys: Vec<String> = (0..tenants)
            .map(|owner| key_of(&format!("owner-{owner:06}")))
            .collect::<Result<_>>()?;
        Ok(Self {
            process,
            admin,
            sockets: open_sockets(address, tenants, &keys)?,
            _folder: folder,
        })
    }

    /// A page of the admin listener: head and body. `encodings`: the value of `Accept-Encoding`.
    pub fn page(&self, path: &str, encodings: &str) -> Result<(String, Vec<u8>)> {
        let mut stream = TcpStream::connect(self.admin)?;
        stream.set_read_timeout(Some(PAGE_WAIT))?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {encodings}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let body = answer.split_off(end.context("an answer without a head")? + 4);
        let head = String::from_utf8(answer)?;
        ensure!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        Ok((head, body))
    }

    /// The value of a series of `/metrics`.
    pub fn metric(&self, series: &str) -> Result<f64> {
        let (_, page) = self.page("/metrics", "identity")?;
        let page = String::from_utf8(page)?;
        let mut lines = page.lines();
        let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        Ok(value.context("no such series")?.parse()?)
    }
}
