//! The options of a connection.

use std::time::Duration;

use protocol::connect::Acks;
use protocol::{ClientId, Secret};

use crate::proxy::ProxyRules;

/// How and as whom to connect.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// `ws://` or `wss://`; usually ends in `/ws`.
    pub url: String,
    /// An API key or a client token, sent as `Authorization: Bearer`.
    pub credential: Secret<String>,
    /// The client id that others send to. None: `client_<userId>`.
    pub client_id: Option<ClientId>,
    /// Whether successful messages are acknowledged; with `Errors`, [`Client::send`] has nothing to
    /// wait for, and [`Client::post`] is the one to use.
    ///
    /// [`Client::send`]: crate::Client::send
    /// [`Client::post`]: crate::Client::post
    pub acks: Acks,
    /// How long opening a connection, and how long one answer, may take.
    pub timeout: Duration,
    /// By which way the gateway is reached.
    pub proxy: ProxyRules,
    /// How many events wait for [`EventStream::next`](crate::EventStream::next) before the newest are lost.
    pub events_max: usize,
}

impl ConnectOptions {
    /// Connects to `url` with a credential, through the proxy that the environment names; everything else as most programs want it.
    pub fn new(url: impl Into<String>, credential: Secret<String>) -> Self {
        Self {
            url: url.into(),
            credential,
            client_id: None,
            acks: Acks::All,
            timeout: Duration::from_secs(10),
            proxy: ProxyRules::from_env(),
            events_max: 1024,
        }
    }
}
