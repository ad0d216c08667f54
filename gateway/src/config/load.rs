//! From texts to values: every key is read once, and what is wrong is said with its place.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use backplane::Redis;
use protocol::error::Since;
use protocol::{Limits, Secret};
use router_core::auth::Keyring;

use super::effective::Line;
use super::keys::KEYS;
use super::raw::{ConfigError, Place, Raw, Setting};
use super::secrets::{ADMIN_TOKEN_FILE, SECRET_FILE, kept_in, lines_of};
use super::sources::Sources;
use super::units::{parse_duration, parse_size, size_text};
use super::{Cidr, Config, FILES_RESERVED, LogFormat, TlsFiles, default_state_dir};
use crate::machine;
use crate::memory::{MEMORY_BYTES_MIN, MEMORY_BYTES_UNKNOWN, MemoryDivision};

/// Where a collector is named. Source: the OpenTelemetry specification.
const OTLP_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// What this service is called there.
const OTLP_SERVICE: &str = "OTEL_SERVICE_NAME";
/// Fewest bytes of an admin token: more than anybody tries over a network.
const ADMIN_TOKEN_BYTES_MIN: usize = 16;

pub(super) fn load(sources: Sources) -> Result<Config, ConfigError> {
    let file_limit = sources.file_limit;
    let home = default_state_dir(&sources.environment);
    let said = |name| sources.environment.get(name).cloned();
    let said = |name| said(name).filter(|text| !text.is_empty());
    let (otlp_endpoint, otlp_service) = (said(OTLP_ENDPOINT), said(OTLP_SERVICE));
    let raw = sources.merge()?;
    refuse_reserved(&raw)?;
    let said = Said(&raw);

    let listen: SocketAddr = said.required("listen", address)?;
    let admin_listen: SocketAddr = said.required("admin_listen", address)?;
    if listen == admin_listen && listen.port() != 0 {
        return Err(said.wrong("admin_listen", "is the same as listen"));
    }
    let state_dir = match said.one("state_dir", path)?.or(home) {
        Some(dir) => dir,
        None => return Err(said.wrong("state_dir", "is not set, and there is no HOME")),
    };
    let heartbeat = said.required("heartbeat", at_least_a_second)?;
    let handshake_timeout = said.required("handshake_timeout", at_least_a_second)?;
    let limits = super::limits::overlay(&Limits::default(), &raw.limits, "limits")?;
    let tenants = super::limits::tenants(&limits, &raw.tenants)?;
    let tls = tls(&said)?;
    let memory_max = memory_max(&said)?;
    let memory = MemoryDivision::of(memory_max);
    let sockets_max = sockets_max(&said, file_limit, &memory)?;

    let mut config = Config {
        listen,
        admin_listen,
        admin_token: None,
        secrets: Vec::new(),
        secret_made_in: None,
        state_dir,
        redis_url: said.one("redis_url", redis_url)?.map(Secret::new),
        redis_prefix: said.required("redis_prefix", redis_prefix)?,
        redis_insecure: said.required("redis_insecure", switch)?,
        ready_when_degraded: said.required("ready_when_degraded", switch)?,
        base_path: said.one("base_path", base_path)?.unwrap_or_default(),
        tls,
        allowed_origins: said.list("allowed_origins", origin)?,
        allowed_hosts: said.list("allowed_hosts", |text| Ok(text.to_ascii_lowercase()))?,
        trusted_proxies: said.list("trusted_proxies", Cidr::from_str)?,
        query_keys: said.required("query_keys", switch)?,
        sockets_max,
        log: said.required("log", |text| Ok(text.to_owned()))?,
        trace_sample: said.required("trace_sample", fraction)?,
        otlp_endpoint,
        otlp_service,
        log_format: said.required("log_format", log_format)?,
        handshake_timeout,
        heartbeat,
        start_grace: said.required("start_grace", parse_duration)?,
        memory_max,
        store_bytes: store_bytes(&said, memory_max, &memory)?,
        limits,
        tenants,
        effective: Vec::new(),
    };
    // Last, as they may make files: nothing is made for a configuration that is wrong elsewhere.
    secrets(&said, &mut config)?;
    config.admin_token = admin_token(&said, &config)?;
    config.effective = effective(&raw, &config);
    Ok(config)
}

/// A key of a later version may be given its default and nothing else.
fn refuse_reserved(raw: &Raw) -> Result<(), ConfigError> {
    for key in KEYS {
        let Since::Reserved(_) = key.since else {
            continue;
        };
        if let Some(setting) = raw.settings.get(key.name)
            && setting.texts != [key.default]
        {
            let problem = "is not supported yet";
            return Err(ConfigError::new(key.name, &setting.place, problem));
        }
    }
    Ok(())
}

fn secrets(said: &Said<'_>, config: &mut Config) -> Result<(), ConfigError> {
    let (texts, file) = (said.get("secrets"), said.one("secrets_file", path)?);
    let place_of = match (texts, file) {
        (Some(_), Some(_)) => return Err(said.wrong("secrets_file", "secrets is set too")),
        (Some(setting), None) => {
            config.secrets = setting.texts.iter().cloned().map(Secret::new).collect();
            "secrets"
        }
        (None, Some(file)) => {
            config.secrets = lines_of(&file).map_err(|e| said.wrong("secrets_file", e))?;
            "secrets_file"
        }
        (None, None) if config.redis_url.is_some() => {
            let problem =
                "is needed with redis_url: every node has the same; `t2b keys secret` makes one";
            return Err(said.wrong("secrets", problem));
        }
        (None, None) if config.listen.ip().is_loopback() => {
            let kept = kept_in(&config.state_dir, SECRET_FILE);
            config.secrets = vec![kept.map_err(|e| in_state_dir(config, SECRET_FILE, e))?];
            config.secret_made_in = Some(config.state_dir.join(SECRET_FILE));
            "secrets"
        }
        (None, None) => {
            let problem = "is needed, as listen is not loopback; `t2b keys secret` makes one";
            return Err(said.wrong("secrets", problem));
        }
    };
    Keyring::new(&config.secrets).map_err(|weak| said.wrong(place_of, weak))?;
    Ok(())
}

fn admin_token(said: &Said<'_>, config: &Config) -> Result<Option<Secret<String>>, ConfigError> {
    let (text, file) = (said.get("admin_token"), said.one("admin_token_file", path)?);
    let (token, key) = match (text, file) {
        (Some(_), Some(_)) => return Err(said.wrong("admin_token_file", "admin_token is set too")),
        (Some(setting), None) => (
            setting.texts.first().cloned().map(Secret::new),
            "admin_token",
        ),
        (None, Some(file)) => {
            let lines = lines_of(&file).map_err(|e| said.wrong("admin_token_file", e))?;
            (lines.into_iter().next(), "admin_token_file")
        }
        (None, None) if config.admin_listen.ip().is_loopback() => {
            let kept = kept_in(&config.state_dir, ADMIN_TOKEN_FILE);
            let token = kept.map_err(|e| in_state_dir(config, ADMIN_TOKEN_FILE, e))?;
            (Some(token), "admin_token")
        }
        (None, None) => return Ok(None),
    };
    match token {
        Some(token) if token.reveal().len() >= ADMIN_TOKEN_BYTES_MIN => Ok(Some(token)),
        Some(_) | None => Err(said.wrong(key, "an admin token needs at least 16 bytes")),
    }
}

fn in_state_dir(config: &Config, name: &str, error: std::io::Error) -> ConfigError {
    let path = config.state_dir.join(name);
    let problem = format!("{}: {error}", path.display());
    ConfigError::new("state_dir", &Place::Default, problem)
}

fn tls(said: &Said<'_>) -> Result<Option<TlsFiles>, ConfigError> {
    match (
        said.one("tls_cert", readable)?,
        said.one("tls_key", readable)?,
    ) {
        (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert, key })),
        (Some(_), None) => Err(said.wrong("tls_key", "is needed with tls_cert")),
        (None, Some(_)) => Err(said.wrong("tls_cert", "is needed with tls_key")),
        (None, None) => Ok(None),
    }
}

/// What this process may take, if it says so or the system does.
fn memory_max(said: &Said<'_>) -> Result<u64, ConfigError> {
    let there = || machine::memory_bytes().unwrap_or(MEMORY_BYTES_UNKNOWN);
    let wanted = said.one("memory_max", parse_size)?;
    if wanted.is_some_and(|wanted| wanted < MEMORY_BYTES_MIN) {
        let least = MEMORY_BYTES_MIN / 1024 / 1024;
        return Err(said.wrong("memory_max", format!("must be at least {least}MiB")));
    }
    Ok(wanted.unwrap_or_else(|| there().max(MEMORY_BYTES_MIN)))
}

fn store_bytes(
    said: &Said<'_>,
    memory_max: u64,
    memory: &MemoryDivision,
) -> Result<u64, ConfigError> {
    let wanted = said.one("store_bytes", parse_size)?;
    if wanted.is_some_and(|wanted| wanted > memory_max / 2) {
        let problem = format!("must be at most half of memory_max, which is {memory_max} bytes");
        return Err(said.wrong("store_bytes", problem));
    }
    Ok(wanted.unwrap_or(memory.store))
}

/// As many as there are files for; if nobody says, no more than there is memory for.
fn sockets_max(
    said: &Said<'_>,
    file_limit: u64,
    memory: &MemoryDivision,
) -> Result<usize, ConfigError> {
    let possible = file_limit.saturating_sub(FILES_RESERVED).max(1);
    let wanted = said.one("sockets_max", count)?;
    let wanted: u64 = wanted.unwrap_or(possible.min(memory.sockets));
    if wanted == 0 || wanted > possible {
        let problem = format!(
            "must be from 1 to {possible}: the limit of open files is {file_limit}, and \
             {FILES_RESERVED} are kept for other things"
        );
        return Err(said.wrong("sockets_max", problem));
    }
    Ok(usize::try_from(wanted).unwrap_or(usize::MAX))
}

/// What was said, plus what was worked out for the keys that say "unset". Reserved keys do nothing,
/// so they are left out.
fn effective(raw: &Raw, config: &Config) -> Vec<Line> {
    let worked_out = BTreeMap::from([
        ("memory_max", size_text(config.memory_max)),
        ("store_bytes", size_text(config.store_bytes)),
        ("sockets_max", config.sockets_max.to_string()),
        ("state_dir", config.state_dir.display().to_string()),
    ]);
    let built = KEYS.iter().filter(|key| key.since == Since::Now);
    let lines = built.filter_map(|key| {
        if let Some(setting) = raw.settings.get(key.name) {
            return Some(Line::of(key, setting));
        }
        let text = worked_out.get(key.name)?;
        Some(Line::of(
            key,
            &Setting::from_text(key, text, Place::Default),
        ))
    });
    lines.collect()
}

/// Everything that was said, to be read key by key.
struct Said<'a>(&'a Raw);

impl<'a> Said<'a> {
    fn get(&self, key: &'static str) -> Option<&'a Setting> {
        self.0.settings.get(key)
    }

    fn wrong(&self, key: &'static str, problem: impl std::fmt::Display) -> ConfigError {
        let place = self.get(key).map_or(&Place::Default, |s| &s.place);
        ConfigError::new(key, place, problem)
    }

    fn one<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(setting) = self.get(key) else {
            return Ok(None);
        };
        let [text] = setting.texts.as_slice() else {
            return Err(self.wrong(key, "expected one value"));
        };
        parse(text)
            .map(Some)
            .map_err(|problem| self.wrong(key, problem))
    }

    fn required<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        self.one(key, parse)?
            .ok_or_else(|| self.wrong(key, "expected a value"))
    }

    fn list<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, ConfigError> {
        let texts = self.get(key).map_or(&[][..], |setting| &setting.texts);
        let items = texts.iter().map(|text| parse(text));
        items
            .collect::<Result<_, _>>()
            .map_err(|problem| self.wrong(key, problem))
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let text = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    text.parse()
        .map_err(|_| "expected an address and a port, like 127.0.0.1:3000 or [::]:3000".to_owned())
}

fn at_least_a_second(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text)?;
    if time < Duration::from_secs(1) {
        return Err("must be at least 1s".to_owned());
    }
    Ok(time)
}

fn path(text: &str) -> Result<PathBuf, String> {
    Ok(PathBuf::from(text))
}

fn readable(text: &str) -> Result<PathBuf, String> {
    std::fs::File::open(text).map_err(|e| format!("cannot be read: {e}"))?;
    path(text)
}

fn switch(text: &str) -> Result<bool, String> {
    text.parse()
        .map_err(|_| "expected true or false".to_owned())
}

/// Errors say nothing of the text: it may hold a password.
fn redis_url(text: &str) -> Result<String, String> {
    let checked = Redis::check_url(text);
    checked.map(|()| text.to_owned()).map_err(|e| e.to_string())
}

fn redis_prefix(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    if (1..=64).contains(&text.len()) && text.chars().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err("expected 1 to 64 of letters, digits, . _ : -".to_owned())
}

fn base_path(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let is_part =
        |part: &str| !part.is_empty() && part != "." && part != ".." && part.chars().all(is_plain);
    match text.strip_prefix('/') {
        Some(parts) if parts.split('/').all(is_part) => Ok(text.to_owned()),
        Some(_) | None => Err(
            "expected a path like /t2b, without a slash at its end: letters, digits, - . _ ~"
                .to_owned(),
        ),
    }
}

fn count(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| "expected a whole number".to_owned())
}

fn origin(text: &str) -> Result<String, String> {
    let is_origin = |(scheme, host): (&str, &str)| {
        !scheme.is_empty() && !host.is_empty() && !host.contains(['/', ' '])
    };
    if text == "*" || text.split_once("://").is_some_and(is_origin) {
        return Ok(text.to_ascii_lowercase());
    }
    Err("expected an origin, like https://app.example.org, or *".to_owned())
}

fn fraction(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    let number = number.filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("expected text or json".to_owned()),
    }
}
