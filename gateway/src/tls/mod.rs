//! TLS of the listeners: from files to what a listener speaks TLS with, again and again.

mod files;
mod reload;

pub(crate) use reload::{ListenerTls, TlsReloader};
