//! From texts to values: every key is read once, and what is wrong is said with its place.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;

use protocol::Limits;
use protocol::error::Since;
use protocol::units::{parse_duration, parse_size, size_text};

use super::bootstrap;
use super::checked::Config;
use super::cidr::Cidr;
use super::drain::DrainTimes;
use super::effective_line::EffectiveLine;
use super::environment::{default_state_dir, raise_file_limit};
use super::hosts::{HostPattern, OriginPattern};
use super::kept_sources::KeptSources;
use super::keys::{ConfigKey, KEYS};
use super::log_filter::log_filter;
use super::otlp::OtlpExport;
use super::raw::{ConfigError, GivenSettings, Setting, SettingPlace};
use super::setting_reader::SettingReader;
use super::sources::{ConfigPurpose, ConfigSources};
use super::tls;
use super::values::{
    address, base_path, cluster_name, count, fraction, log_format, path, patience, redis_prefix,
    switch, usage_flush, usage_journal, usage_keep_hours,
};
use crate::machine;
use crate::memory::{MEMORY_BYTES_MIN, MEMORY_BYTES_UNKNOWN, MemoryDivision};

/// Open files that are not sockets of clients: listeners, log, state files, probes.
const FILES_RESERVED: u64 = 256;

impl Config {
    /// Reads and checks everything; makes the state directory's credentials if the purpose needs them.
    ///
    /// Errors: the first key that is wrong, with its place.
    pub fn load(sources: ConfigSources) -> Result<Config, ConfigError> {
        load(sources)
    }

    /// A gateway for tests: free ports on loopback, everything else as by default, state in `dir`.
    ///
    /// Errors: the credentials cannot be made in `dir`.
    pub fn for_test(dir: &Path) -> Result<Config, ConfigError> {
        let mut flags = GivenSettings::default();
        let state_dir = dir.to_string_lossy();
        for (name, text) in [
            ("listen", "127.0.0.1:0"),
            ("admin_listen", "127.0.0.1:0"),
            ("state_dir", &state_dir),
            ("start_grace", "0"),
        ] {
            flags.set_flag(ConfigKey::of(name).expect("a row of KEYS"), text);
        }
        Config::load(ConfigSources {
            flags,
            file_limit: raise_file_limit(),
            ..ConfigSources::default()
        })
    }
}

fn load(sources: ConfigSources) -> Result<Config, ConfigError> {
    let kept = KeptSources::new(&sources);
    let (file_limit, purpose) = (sources.file_limit, sources.purpose);
    let home = default_state_dir(&sources.environment);
    let otlp = OtlpExport::of(&sources.environment);
    let raw = sources.merge()?;
    refuse_reserved(&raw)?;
    let said = SettingReader(&raw);

    let listen: SocketAddr = said.required("listen", address)?;
    let admin_listen: SocketAddr = said.required("admin_listen", address)?;
    if listen == admin_listen && listen.port() != 0 {
        return Err(said.wrong("admin_listen", "is the same as listen"));
    }
    let state_dir = said.one("state_dir", path)?.or(home);
    let heartbeat = said.required("heartbeat", patience)?;
    let handshake_timeout = said.required("handshake_timeout", patience)?;
    let limits = super::limits::read(&Limits::default(), &raw.limits, "limits")?;
    let limits = limits.over(&Limits::default());
    let plans = super::plans::read(&limits, &raw.plans)?;
    let default_plan = said.one("default_plan", |text| super::plans::named(&plans, text))?;
    let terms = super::tenants::TermsBelow {
        limits: &limits,
        plans: &plans,
        default_plan: default_plan.as_ref(),
    };
    let tenants = super::tenants::read(&terms, &raw.tenants)?;
    let tls = tls::public(&said)?;
    let (admin_tls, admin_peer) = match purpose {
        ConfigPurpose::Serve | ConfigPurpose::Show | ConfigPurpose::Reload => {
            (tls::admin(&said)?, None)
        }
        ConfigPurpose::Admin => (None, tls::admin_peer(&said)?),
        ConfigPurpose::Keys => (None, None),
    };
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
        redis_url: None,
        redis_prefix: said.required("redis_prefix", redis_prefix)?,
        redis_insecure: said.required("redis_insecure", switch)?,
        redis_client: None,
        ready_when_degraded: said.required("ready_when_degraded", switch)?,
        base_path: said.one("base_path", base_path)?.unwrap_or_default(),
        tls,
        admin_tls,
        admin_peer,
        allowed_origins: said.list("allowed_origins", OriginPattern::from_str)?,
        allowed_hosts: said.list("allowed_hosts", HostPattern::from_str)?,
        trusted_proxies: said.list("trusted_proxies", Cidr::from_str)?,
        query_keys: said.required("query_keys", switch)?,
        sockets_max,
        log: said.required("log", log_filter)?,
        trace_sample: said.required("trace_sample", fraction)?,
        otlp,
        log_format: said.required("log_format", log_format)?,
        handshake_timeout,
        heartbeat,
        cluster_name: said.required("cluster_name", cluster_name)?,
        usage_flush: said.required("usage_flush", usage_flush)?,
        usage_keep_hours: said.required("usage_keep", usage_keep_hours)?,
        usage_journal: said.required("usage_journal", usage_journal)?,
        tenant_series_max: usize::try_from(said.required("tenant_series_max", count)?)
            .unwrap_or(usize::MAX),
        isolate_after: said.required("isolate_after", parse_duration)?,
        rebalance: said.required("rebalance", switch)?,
        drain: DrainTimes::read(&said)?,
        start_grace: said.required("start_grace", parse_duration)?,
        memory_max,
        store_bytes: store_bytes(&said, memory_max, &memory)?,
        limits,
        plans,
        default_plan,
        tenants,
        warnings: Vec::new(),
        effective: Vec::new(),
        sources: kept,
    };
    config.redis_url = bootstrap::redis_url(&said, purpose, &mut config.warnings)?;
    config.redis_client = tls::redis_client(&said, config.redis_url.as_ref())?;
    // Last, as they may make files: nothing is made for a configuration that is wrong elsewhere.
    bootstrap::secrets(&said, purpose, &mut config)?;
    config.admin_token = bootstrap::admin_token(&said, purpose, &mut config)?;
    config.effective = effective(&raw, &config);
    Ok(config)
}

/// A key of a later version may be given its default and nothing else.
fn refuse_reserved(raw: &GivenSettings) -> Result<(), ConfigError> {
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

/// What this process may take, if it says so or the system does.
fn memory_max(said: &SettingReader<'_>) -> Result<u64, ConfigError> {
    let there = || machine::memory_bytes().unwrap_or(MEMORY_BYTES_UNKNOWN);
    let wanted = said.one("memory_max", parse_size)?;
    if wanted.is_some_and(|wanted| wanted < MEMORY_BYTES_MIN) {
        let least = MEMORY_BYTES_MIN / 1024 / 1024;
        return Err(said.wrong("memory_max", format!("must be at least {least}MiB")));
    }
    Ok(wanted.unwrap_or_else(|| there().max(MEMORY_BYTES_MIN)))
}

fn store_bytes(
    said: &SettingReader<'_>,
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
    said: &SettingReader<'_>,
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
fn effective(raw: &GivenSettings, config: &Config) -> Vec<EffectiveLine> {
    let state_dir = config.state_dir.as_ref();
    let state_dir = state_dir.map(|dir| ("state_dir", dir.display().to_string()));
    let worked_out: BTreeMap<_, _> = [
        ("memory_max", size_text(config.memory_max)),
        ("store_bytes", size_text(config.store_bytes)),
        ("sockets_max", config.sockets_max.to_string()),
    ]
    .into_iter()
    .chain(state_dir)
    .collect();
    let built = KEYS.iter().filter(|key| key.since == Since::Now);
    let lines = built.filter_map(|key| {
        if let Some(setting) = raw.settings.get(key.name) {
            return Some(EffectiveLine::of(key, setting));
        }
        let text = worked_out.get(key.name)?;
        Some(EffectiveLine::of(
            key,
            &Setting::from_text(key, text, SettingPlace::Default),
        ))
    });
    lines.collect()
}
