//! Reads `INFO` of a Redis, over a connection without TLS.
//!
//! Not a client: one command, asked once a second. What the product asks of Redis is elsewhere.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use protocol::Secret;

use crate::target;

/// Longest wait for each step of an answer.
const WAIT: Duration = Duration::from_millis(500);
/// Most bytes of an answer.
const BYTES_MAX: usize = 1 << 20;

/// Where Redis is, and how one logs in.
#[derive(Debug, Clone)]
pub struct RedisTarget {
    host: String,
    address: SocketAddr,
    login: Option<Secret<String>>,
}

impl RedisTarget {
    /// Reads `redis://[user:password@]host[:port]`.
    pub fn parse(url: &str) -> Result<Self> {
        // A URL with a password is not repeated.
        let rest = url.strip_prefix("redis://");
        let rest = rest.context("--redis: expected redis://HOST:PORT")?;
        let (authority, _) = target::split(rest);
        let (login, host) = match authority.rsplit_once('@') {
            Some((login, host)) => (Some(Secret::new(login.to_owned())), host),
            None => (None, authority),
        };
        let host = match host.contains(':') {
            true => host.to_owned(),
            false => format!("{host}:6379"),
        };
        Ok(Self {
            address: target::look_up(&host).with_context(|| format!("redis {host}"))?,
            host,
            login,
        })
    }

    /// Every number of `INFO`.
    pub fn info(&self) -> Result<BTreeMap<String, f64>> {
        let text = self.ask().with_context(|| format!("redis {}", self.host))?;
        Ok(numbers(&text))
    }

    fn ask(&self) -> Result<String> {
        let stream = TcpStream::connect_timeout(&self.address, WAIT)?;
        stream.set_read_timeout(Some(WAIT))?;
        stream.set_write_timeout(Some(WAIT))?;
        let mut reader = BufReader::new(stream);
        if let Some(login) = &self.login {
            let parts = login
                .reveal()
                .splitn(2, ':')
                .filter(|part| !part.is_empty());
            let words: Vec<_> = ["AUTH"].into_iter().chain(parts).collect();
            reader.get_mut().write_all(&command(&words))?;
            let answer = line(&mut reader)?;
            ensure!(answer.starts_with('+'), "it refuses the password");
        }
        reader.get_mut().write_all(&command(&["INFO"]))?;
        let head = line(&mut reader)?;
        let Some(length) = head.strip_prefix('$') else {
            bail!("{head}");
        };
        let length: usize = length.parse()?;
        ensure!(length <= BYTES_MAX, "an answer of {length} bytes");
        let mut text = vec![0; length];
        reader.read_exact(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// A command in Redis' form. Source: the RESP specification, arrays of bulk strings.
fn command(words: &[&str]) -> Vec<u8> {
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    text.into_bytes()
}

fn line(reader: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    reader.take(1024).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

fn numbers(text: &str) -> BTreeMap<String, f64> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    let numbers = pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
    numbers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_and_texts_left() {
        let info = "# CPU\r\nused_cpu_sys:1.5\r\nredis_version:7.0.15\r\npubsub_channels:3\r\n";
        let found = numbers(info);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found["used_cpu_sys"], found["pubsub_channels"]),
            (1.5, 3.0)
        );
    }

    #[test]
    fn urls_and_passwords() {
        let redis = RedisTarget::parse("redis://:pass@127.0.0.1/0").unwrap();
        assert_eq!(redis.host, "127.0.0.1:6379");
        assert!(!format!("{redis:?}").contains("pass"));
        assert!(RedisTarget::parse("rediss://:pass@127.0.0.1").is_err());
        assert_eq!(command(&["AUTH", "x"]), b"*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n");
    }
}
