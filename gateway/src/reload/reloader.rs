//! Reads the configuration again and applies what can be applied.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::effects::{ReloadEffect, effect_of};
use super::report::{ReloadRefusal, ReloadReport, ReloadTrigger};
use super::requests::ReloadRequests;
use crate::config::{Config, ConfigFacts, KeptSources};
use crate::http::request_settings::LiveRequestSettings;
use crate::metrics::ReloadResult;
use crate::node::Node;
use crate::telemetry;
use crate::tls::TlsReloader;

/// Longest wait for the files.
const READ: Duration = Duration::from_secs(5);
/// The name in a report of what the TLS files hold.
const CERTIFICATES: &str = "certificates";

/// Reloads the configuration of a gateway that serves.
pub(crate) struct Reloader {
    sources: KeptSources,
    node: Arc<Node>,
    requests: LiveRequestSettings,
    certificates: Arc<TlsReloader>,
    /// What holds now. Held for the time of a reload, so that one follows the other.
    facts: Mutex<ConfigFacts>,
}

impl Reloader {
    /// `config`: what the node was started with.
    pub(crate) fn new(
        config: &Config,
        node: Arc<Node>,
        requests: LiveRequestSettings,
        certificates: Arc<TlsReloader>,
    ) -> Self {
        Self {
            sources: config.sources(),
            facts: Mutex::new(ConfigFacts::of(config)),
            node,
            requests,
            certificates,
        }
    }

    /// Reloads at each request, for as long as the gateway lives.
    pub(crate) async fn serve(self: Arc<Self>, requests: ReloadRequests) {
        loop {
            requests.requested().await;
            // The log says what came of it.
            let _ = self.reload(ReloadTrigger::Signal).await;
        }
    }

    /// Reads the configuration again and applies what can be applied. Errors: nothing changed.
    pub(crate) async fn reload(
        &self,
        trigger: ReloadTrigger,
    ) -> Result<ReloadReport, ReloadRefusal> {
        let by = trigger.by();
        let reloaded = self.try_reload(trigger.is_forced()).await;
        let result = match &reloaded {
            Ok(ReloadReport {
                changed,
                needs_restart,
            }) => {
                tracing::info!(
                    %by, changed = changed.join(","), needs_restart = needs_restart.join(","),
                    "the configuration is read again"
                );
                match changed.is_empty() {
                    true => ReloadResult::Unchanged,
                    false => ReloadResult::Changed,
                }
            }
            Err(refusal) => {
                tracing::warn!(%by, %refusal, "the configuration is not reloaded: what held still holds");
                ReloadResult::Refused
            }
        };
        self.node.metrics.reloads.count(result);
        reloaded
    }

    async fn try_reload(&self, is_forced: bool) -> Result<ReloadReport, ReloadRefusal> {
        let mut facts = self.facts.lock().await;
        let config = self.read().await?;
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let new = ConfigFacts::of(&config);
        let mut report = ReloadReport::default();
        for name in facts.differences(&new) {
            match effect_in(&config, &name) {
                ReloadEffect::Applies => report.changed.push(name),
                ReloadEffect::NeedsRestart => report.needs_restart.push(name),
            }
        }
        let has_secrets = !config.secrets.is_empty();
        if has_secrets
            && !is_forced
            && let Some(problem) = self.node.cut_off_by(&config.lane_keys())
        {
            return Err(ReloadRefusal::CutsOff(problem));
        }
        let are_renewed = self.renew_certificates().await?;
        if !report.changed.is_empty() {
            self.apply(&config);
        }
        for name in &report.changed {
            facts.adopt(name, &new);
        }
        if are_renewed {
            report.changed.push(CERTIFICATES.to_owned());
        }
        Ok(report)
    }

    /// Reads it beside the runtime, as a file may be a pipe or on a disk that is away.
    async fn read(&self) -> Result<Config, ReloadRefusal> {
        let sources = self.sources.again();
        let read = tokio::task::spawn_blocking(move || Config::load(sources));
        match timeout(READ, read).await {
            Ok(Ok(config)) => Ok(config?),
            // It took too long, or the runtime ends.
            Ok(Err(_)) | Err(_) => Err(ReloadRefusal::Slow),
        }
    }

    /// Takes over the TLS files of the listeners if what they hold has changed, and says whether it has.
    async fn renew_certificates(&self) -> Result<bool, ReloadRefusal> {
        let certificates = Arc::clone(&self.certificates);
        let renewed = tokio::task::spawn_blocking(move || certificates.reload());
        match timeout(READ, renewed).await {
            Ok(Ok(renewed)) => Ok(renewed?),
            // As for the configuration.
            Ok(Err(_)) | Err(_) => Err(ReloadRefusal::Slow),
        }
    }

    fn apply(&self, config: &Config) {
        if let Err(error) = telemetry::set_filter(&config.log) {
            tracing::warn!(%error, "the filter of the log stays as it was");
        }
        self.requests.replace(config);
        self.node.reconfigure(config);
    }
}

/// What a change of a key or table does. Credentials that nobody gives any more would be those of the state directory:
/// these are read and made by a start.
fn effect_in(config: &Config, name: &str) -> ReloadEffect {
    match name {
        "secrets" | "secrets_file" if config.secrets.is_empty() => ReloadEffect::NeedsRestart,
        "admin_token" | "admin_token_file" if config.admin_token.is_none() => {
            ReloadEffect::NeedsRestart
        }
        name => effect_of(name),
    }
}
