//! Reads `/metrics` of a gateway, over a connection without TLS.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::target;
use crate::wire::{head_end, status_of};

/// Longest wait for each step of an answer.
const WAIT: Duration = Duration::from_millis(500);
/// Most bytes of an answer.
const BYTES_MAX: u64 = 8 << 20;

/// Where to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsEndpoint {
    host: String,
    address: SocketAddr,
    path: String,
}

impl MetricsEndpoint {
    /// Reads `http://host:port[/metrics]` and looks the host up.
    pub fn parse(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("http://");
        let rest = rest.with_context(|| format!("{url}: expected http://HOST:PORT/metrics"))?;
        let (host, path) = target::split(rest);
        let address = target::look_up(host).with_context(|| url.to_owned())?;
        let path = if path.len() > 1 { path } else { "/metrics" };
        Ok(Self {
            host: host.to_owned(),
            address,
            path: path.to_owned(),
        })
    }

    /// All series with their values.
    pub fn read(&self) -> Result<BTreeMap<String, f64>> {
        let body = self.get();
        let body = body.with_context(|| format!("http://{}{}", self.host, self.path))?;
        Ok(parse(&body))
    }

    fn get(&self) -> Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.address, WAIT)?;
        stream.set_read_timeout(Some(WAIT))?;
        stream.set_write_timeout(Some(WAIT))?;
        // HTTP/1.0: the answer ends with the connection and comes in one piece.
        let request = format!("GET {} HTTP/1.0\r\nHost: {}\r\n\r\n", self.path, self.host);
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.take(BYTES_MAX).read_to_end(&mut answer)?;
        let end = head_end(&answer).context("no HTTP")?;
        let line = String::from_utf8_lossy(&answer[..end]).replacen("HTTP/1.0", "HTTP/1.1", 1);
        let status = status_of(line.as_bytes());
        ensure!(status == Some(200), "status {}", status.unwrap_or(0));
        Ok(String::from_utf8_lossy(&answer[end..]).into_owned())
    }
}

/// Reads Prometheus' text form: series with their labels, and their values.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let values = lines.filter_map(|line| {
        let (series, value) = line.trim().rsplit_once(' ')?;
        Some((series.to_owned(), value.parse().ok()?))
    });
    values.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_have_their_labels() {
        let text = "# HELP a b\n# TYPE a gauge\na 2\nb_total{x=\"1 2\"} 3.5\nbad\nc NaN\n";
        let series = parse(text);
        assert_eq!(series["a"], 2.0);
        assert_eq!(series["b_total{x=\"1 2\"}"], 3.5);
        assert!(series["c"].is_nan());
        assert_eq!(series.len(), 3);
    }

    #[test]
    fn urls() {
        let endpoint = MetricsEndpoint::parse("http://127.0.0.1:9464").unwrap();
        assert_eq!(endpoint.path, "/metrics");
        assert!(MetricsEndpoint::parse("https://127.0.0.1:9464").is_err());
        assert!(MetricsEndpoint::parse("127.0.0.1:9464").is_err());
    }
}
