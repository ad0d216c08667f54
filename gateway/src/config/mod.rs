//! Configuration: from settings given in four places to values that are ready to use.
//!
//! ```text
//!  flags ─┐
//!  T2B_… ─┼─▶ GivenSettings (texts, and where they stood) ──load──▶ Config (checked; nothing is parsed later)
//!  TOML  ─┤                                                    └──▶ ConfigError: exit 64, no port was bound
//!  KEYS  ─┘
//! ```
//!
//! `keys.rs` is the one table of keys. Nobody else in the product reads the environment.

mod bootstrap;
mod bounded_file;
mod checked;
mod cidr;
mod config_file;
mod credential_file;
mod credentials;
mod drain;
mod effective;
mod effective_line;
mod environment;
mod facts;
mod hosts;
mod kept_sources;
mod keys;
mod limits;
mod load;
mod log_filter;
mod log_format;
mod otlp;
mod plans;
mod raw;
mod secrets;
mod setting_reader;
mod sources;
mod tenants;
mod tls;
mod values;

#[cfg(test)]
mod tests;

pub use bounded_file::{PEM_BYTES_MAX, read_bytes};
pub use checked::{AdminPeer, Config, TlsFiles};
pub use cidr::Cidr;
pub use credentials::{KeyError, KeyOwner, local_key};
pub(crate) use drain::DrainTimes;
pub use environment::{default_state_dir, raise_file_limit};
pub(crate) use facts::ConfigFacts;
pub use hosts::{HostPattern, OriginPattern};
pub(crate) use kept_sources::KeptSources;
pub use keys::{ConfigKey, KEYS, KeyKind};
pub use log_format::LogFormat;
pub use otlp::OtlpExport;
pub use raw::{ConfigError, GivenSettings, SettingPlace};
pub use router_core::auth::WeakSecret;
pub use secrets::{ADMIN_TOKEN_FILE, SECRET_FILE, random as new_secret};
pub use sources::{ConfigPurpose, ConfigSources};
