//! Every configuration key as a flag, made from the gateway's table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};
use gateway::config::{
    Config, ConfigPurpose, ConfigSources, GivenSettings, KEYS, raise_file_limit,
};

use crate::failure::CommandFailure;
use crate::out;

/// The flags of `gateway …`, listed in its help.
pub type AllKeys = ConfigArgs<false>;
/// The same flags, hidden from the help.
pub type HiddenKeys = ConfigArgs<true>;

const CONFIG: &str = "config";

/// `--config FILE`, and one flag for every key.
pub struct ConfigArgs<const HIDDEN: bool> {
    file: Option<PathBuf>,
    flags: GivenSettings,
}

impl<const HIDDEN: bool> ConfigArgs<HIDDEN> {
    /// The checked configuration; its warnings are told on stderr. Errors: exit 64.
    pub fn load(self, purpose: ConfigPurpose) -> Result<Config, CommandFailure> {
        let config = self.load_silently(purpose)?;
        for warning in &config.warnings {
            out::tell_warning(warning);
        }
        Ok(config)
    }

    /// The checked configuration, for a caller that tells its warnings. Errors: exit 64.
    pub fn load_silently(self, purpose: ConfigPurpose) -> Result<Config, CommandFailure> {
        let Self { file, flags } = self;
        load(file, flags, purpose)
    }
}

/// Flags over this process's environment over the file. Errors: exit 64.
pub fn load(
    file: Option<PathBuf>,
    flags: GivenSettings,
    purpose: ConfigPurpose,
) -> Result<Config, CommandFailure> {
    Ok(Config::load(ConfigSources {
        flags,
        environment: environment()?,
        file,
        file_limit: raise_file_limit(),
        purpose,
    })?)
}

/// Errors: a variable of ours is no UTF-8. Others are left out.
fn environment() -> Result<BTreeMap<String, String>, CommandFailure> {
    let mut environment = BTreeMap::new();
    for (name, text) in std::env::vars_os() {
        let Ok(name) = name.into_string() else {
            continue;
        };
        match text.into_string() {
            Ok(text) => {
                environment.insert(name, text);
            }
            Err(_) if name.starts_with("T2B_") => {
                return Err(CommandFailure::usage(
                    "config",
                    format!("{name}: is not UTF-8"),
                ));
            }
            Err(_) => {}
        }
    }
    Ok(environment)
}

impl<const HIDDEN: bool> Args for ConfigArgs<HIDDEN> {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(CONFIG)
            .long(CONFIG)
            .value_name("PATH")
            .value_parser(value_parser!(PathBuf))
            .help("The configuration file, in TOML [env: T2B_CONFIG]");
        let keys = KEYS.iter().map(|key| {
            let default = match key.default {
                "" => String::new(),
                text => format!(" [default: {text}]"),
            };
            let (alias, placeholder) = match key.name {
                "redis_url" => (Some("redis"), "URL"),
                _ => (None, key.kind.placeholder()),
            };
            Arg::new(key.name)
                .long(key.flag())
                .visible_aliases(alias)
                .value_name(placeholder)
                .help(format!("{}{default}", key.help))
                // A key of a later version is an error if it is set, so it is not offered.
                .hide(HIDDEN || key.since != protocol::error::Since::Now)
        });
        command.arg(file).args(keys)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const HIDDEN: bool> FromArgMatches for ConfigArgs<HIDDEN> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = GivenSettings::default();
        for key in KEYS {
            if let Some(text) = matches.get_one::<String>(key.name) {
                flags.set_flag(key, text);
            }
        }
        let file = matches.get_one(CONFIG).cloned();
        Ok(Self { file, flags })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
