//! `gateway run`, `config`.

use gateway::config::{Config, ConfigPurpose, LogFormat};
use gateway::{GatewayShutdown, ListenAddresses, StartingGateway, telemetry};

use crate::args::InspectArgs;
use crate::config_args::AllKeys;
use crate::failure::CommandFailure;
use crate::out::{self, say};
use crate::report;
use crate::signals::{self, SignalRequests};
use crate::supervisor::{self, Supervisor};

/// The commit that this program was built from; `unknown`, if the build did not know it.
pub const COMMIT: &str = env!("BUILD_COMMIT");

/// Serves until SIGTERM or Ctrl-C; a second one ends it now. Redis is waited for as long as it takes.
pub async fn run(config: AllKeys) -> Result<(), CommandFailure> {
    let signals = signals::handle()?;
    let Some(config) = loaded(config, &signals.shutdown).await? else {
        return Ok(());
    };
    if config.log_format == LogFormat::Json {
        report::in_json();
    }
    let telemetry =
        telemetry::init(&config).map_err(|error| CommandFailure::usage("config", error))?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let ended = serve(config, signals).await;
    telemetry.end().await;
    ended
}

async fn serve(config: Config, signals: SignalRequests) -> Result<(), CommandFailure> {
    let said = StartFacts::of(&config);
    let supervisor = Supervisor::find(&signals.shutdown);
    let starting = StartingGateway::begin(config, signals.shutdown, COMMIT)?;
    let Some(mut gateway) = starting.finish().await? else {
        return Ok(());
    };
    gateway.reload_at(signals.reloads);
    // The log has the reason, if the line cannot be printed: it serves on.
    if let Err(failure) = said.announce(gateway.addresses()) {
        tracing::warn!("the line that says where it listens cannot be printed: {failure}");
    }
    supervisor.tell(supervisor::READY);
    let ended = gateway.run().await;
    ended.map_err(|error| CommandFailure::failed("gateway", error))
}

/// The checked configuration; none: it was shut down before. Files are read beside the runtime, as one
/// of them may be a pipe or on a disk that is away.
async fn loaded(
    config: AllKeys,
    shutdown: &GatewayShutdown,
) -> Result<Option<Config>, CommandFailure> {
    let load = tokio::task::spawn_blocking(move || config.load_silently(ConfigPurpose::Serve));
    tokio::select! {
        loaded = load => match loaded {
            Ok(loaded) => loaded.map(Some),
            Err(error) => Err(CommandFailure::failed("config", error)),
        },
        () = shutdown.begun() => Ok(None),
    }
}

/// Prints the configuration that holds.
pub fn show_config(inspect: InspectArgs) -> Result<(), CommandFailure> {
    let text = inspect.config.load(ConfigPurpose::Show)?.effective_toml();
    if inspect.output.json {
        let facts = toml::from_str(&text).map_err(|error| CommandFailure::failed("json", error))?;
        out::json(&facts)?;
        return Ok(());
    }
    out::raw(format_args!("{text}"))
}

/// What the start line needs of a configuration that the gateway takes over.
struct StartFacts {
    scheme: &'static str,
    admin_scheme: &'static str,
    base_path: String,
    secret_file: Option<String>,
    json: bool,
}

impl StartFacts {
    fn of(config: &Config) -> Self {
        let path = config.secret_made_in.as_ref();
        Self {
            scheme: if config.tls.is_some() { "wss" } else { "ws" },
            admin_scheme: if config.admin_tls.is_some() {
                "https"
            } else {
                "http"
            },
            base_path: config.base_path.clone(),
            secret_file: path.map(|path| path.display().to_string()),
            json: config.log_format == LogFormat::Json,
        }
    }

    /// One line for a person, or one event for a collector of logs.
    fn announce(&self, addresses: ListenAddresses) -> Result<(), CommandFailure> {
        let ListenAddresses { public, admin } = addresses;
        let url = format!("{}://{public}{}/ws", self.scheme, self.base_path);
        let secret_file = self.secret_file.as_deref();
        if self.json {
            tracing::info!(%url, %admin, secret_file, "listening");
            return Ok(());
        }
        let secret = secret_file.map_or(String::new(), |path| format!(", secret in {path}"));
        let scheme = self.admin_scheme;
        say!("listening: {url}, admin {scheme}://{admin}{secret}")
    }
}
