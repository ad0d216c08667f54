//! Certificates are read again when their files change.
//!
//! | who renews | does |
//! | --- | --- |
//! | kubelet, for a mounted secret of cert-manager | leads the symlink `..data` to another folder |
//! | certbot and others | write or replace the files, one after the other |
//!
//! So the content counts, not a time or an inode: the files are small, and are read whole twice a second.
//! Between two writes they may not fit. Then the listener keeps what it has, and the next look finds them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;

use super::files::PemFiles;
use crate::config::TlsFiles;
use crate::metrics::Metrics;
use crate::start::StartError;

/// Between two looks at the files.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// TLS of one listener.
pub(crate) struct ListenerTls {
    /// Its name in the log and in metrics.
    listener: &'static str,
    files: TlsFiles,
    current: ArcSwap<ServerConfig>,
    seen: Mutex<SeenContent>,
}

/// Hashes of what the files held.
struct SeenContent {
    /// Is in use.
    used: u64,
    /// Cannot be used, and was logged.
    told: Option<u64>,
}

impl ListenerTls {
    /// For a new connection: one that is open keeps what it began with.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }

    /// Errors: the files cannot be used.
    fn open(
        listener: &'static str,
        files: &TlsFiles,
        metrics: &Metrics,
    ) -> Result<Self, StartError> {
        let read = PemFiles::read(files)?;
        let setup = read.setup(files)?;
        metrics.set_tls_expiry(listener, setup.expiry_s);
        Ok(Self {
            listener,
            files: files.clone(),
            current: ArcSwap::new(setup.config),
            seen: Mutex::new(SeenContent {
                used: hash(&read),
                told: None,
            }),
        })
    }

    fn seen(&self) -> MutexGuard<'_, SeenContent> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reload(&self, metrics: &Metrics) -> Result<bool, StartError> {
        // Held to the end: two callers at once would log twice.
        let mut seen = self.seen();
        let read = PemFiles::read(&self.files);
        let content = match &read {
            Ok(read) => hash(read),
            Err(error) => hash(&error.to_string()),
        };
        if content == seen.used {
            return Ok(false);
        }
        let listener = self.listener;
        match read.and_then(|read| read.setup(&self.files)) {
            Ok(setup) => {
                self.current.store(setup.config);
                metrics.set_tls_expiry(listener, setup.expiry_s);
                *seen = SeenContent {
                    used: content,
                    told: None,
                };
                let expiry_s = setup.expiry_s;
                tracing::info!(listener, expiry_s, "the TLS certificate is replaced");
                Ok(true)
            }
            Err(error) => {
                if seen.told.replace(content) != Some(content) {
                    tracing::warn!(
                        listener, %error,
                        "the changed TLS files cannot be used: the listener keeps its certificate"
                    );
                }
                Err(error)
            }
        }
    }
}

fn hash(content: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

/// Reads the certificates of all listeners again.
pub(crate) struct TlsReloader {
    listeners: Vec<Arc<ListenerTls>>,
    metrics: Arc<Metrics>,
}

impl TlsReloader {
    pub(crate) fn new(metrics: &Arc<Metrics>) -> Self {
        Self {
            listeners: Vec::new(),
            metrics: Arc::clone(metrics),
        }
    }

    /// TLS of one more listener; none: it has none. Errors: the files cannot be used.
    pub(crate) fn open(
        &mut self,
        listener: &'static str,
        files: Option<&TlsFiles>,
    ) -> Result<Option<Arc<ListenerTls>>, StartError> {
        let Some(files) = files else { return Ok(None) };
        let tls = Arc::new(ListenerTls::open(listener, files, &self.metrics)?);
        self.listeners.push(Arc::clone(&tls));
        Ok(Some(tls))
    }

    /// Takes what changed, and says whether anything did. It blocks. Errors: changed files cannot be used, which
    /// the log has once; that listener keeps what it has.
    pub(crate) fn reload(&self) -> Result<bool, StartError> {
        let done = self.listeners.iter().map(|tls| tls.reload(&self.metrics));
        let done: Vec<_> = done.collect();
        done.into_iter()
            .try_fold(false, |changed, one| Ok(changed | one?))
    }

    /// Reloads for as long as it is polled.
    pub(crate) async fn watch(self: Arc<Self>) {
        let mut looks = interval(LOOK_AGAIN);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            if self.listeners.is_empty() {
                continue;
            }
            let reloader = Arc::clone(&self);
            // The log has what failed.
            let _ = tokio::task::spawn_blocking(move || reloader.reload()).await;
        }
    }
}
