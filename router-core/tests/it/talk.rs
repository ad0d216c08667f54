//! How a test speaks with a world: people come, say something, and take what they are told.

use protocol::connect::Acks;
use protocol::{BotId, ClientId, CloseCode, Limits, TenantId};
use router_core::auth::{Credential, TokenClaims, TokenScope};
use router_core::session::{OpenedConnection, SessionInput};
use router_core::{ConnKey, Settings};
use serde_json::{Value, json};

use crate::world::{Event, KEYRING, World};

/// The tenant of most tests.
pub fn alice() -> TenantId {
    TenantId::parse("alice").unwrap()
}

/// A credential: the key of a tenant's generation.
pub fn key(tenant: &str, generation: u64) -> Credential {
    let tenant = TenantId::parse(tenant).unwrap();
    Credential::ApiKey(KEYRING.issue_key(&tenant, generation))
}

/// A credential: a token of alice's client `phone`.
pub fn token(scope: TokenScope, bots: Option<&[&str]>, iat_ms: u64, ttl_s: u64) -> Credential {
    let bots = bots.map(|ids| ids.iter().map(|id| BotId::parse(id).unwrap()).collect());
    Credential::Token(KEYRING.issue_token(&TokenClaims {
        tenant: alice(),
        client: ClientId::parse("phone").unwrap(),
        scope: vec![scope],
        g: 0,
        iat: iat_ms / 1000,
        exp: iat_ms / 1000 + ttl_s,
        bots,
    }))
}

/// A `message` with a frame id.
pub fn message(to: &str, text: &str) -> Value {
    json!({"type": "message", "data": {"to": to, "text": text}, "id": "m"})
}

/// A `register_bot` with a frame id.
pub fn register(bot: &str) -> Value {
    json!({"type": "register_bot", "data": {"botId": bot}, "id": "r"})
}

/// Any frame about one bot, with a frame id.
pub fn about(kind: &str, bot: &str) -> Value {
    json!({"type": kind, "data": {"botId": bot}, "id": "a"})
}

/// The `type` of each frame; of errors their reason, of acks their status, of messages their text.
pub fn gist(frames: &[Value]) -> Vec<&str> {
    let words = frames.iter().map(|frame| {
        let data = &frame["data"];
        let word = match frame["type"].as_str() {
            Some("error") => data["reason"].as_str(),
            Some("message_ack" | "bot_status") => data["status"].as_str(),
            Some("message" | "message_partial") => data["text"].as_str(),
            Some("status") => data["type"].as_str().or(data["status"].as_str()),
            kind => kind,
        };
        word.expect("every frame has these")
    });
    words.collect()
}

impl World {
    /// A world with the default settings.
    pub fn plain() -> Self {
        Self::new(Settings::default())
    }

    /// A world with these limits.
    pub fn limited(limits: Limits) -> Self {
        Self::new(Settings {
            limits: limits.into(),
            ..Settings::default()
        })
    }

    /// A socket opens with this in its upgrade; nothing is taken from it yet.
    pub fn arrive(&mut self, credential: Option<Credential>, client: Option<&str>) -> ConnKey {
        let last = self.conns.last_key_value().map_or(0, |(key, _)| key.0);
        let key = ConnKey(last + 2);
        let opened = OpenedConnection {
            credential,
            client: client.map(str::to_owned),
            acks: Acks::All,
            ..OpenedConnection::default()
        };
        self.open(key, 0, opened);
        key
    }

    /// A socket of alice's opens with her key and is told the usual three frames.
    pub fn join(&mut self, client: Option<&str>) -> ConnKey {
        let key = self.arrive(Some(key("alice", 0)), client);
        let told = self.take(key);
        assert_eq!(gist(&told), ["connected", "auth_ok", "bots_list"]);
        key
    }

    /// A socket of alice's that registered these bots.
    pub fn join_bot(&mut self, bots: &[&str]) -> ConnKey {
        let key = self.join(None);
        for bot in bots {
            assert_eq!(self.ask(key, register(bot)), ["bot_registered"]);
        }
        key
    }

    /// Says something; the gist of what its socket is told since it last took.
    pub fn ask(&mut self, key: ConnKey, frame: Value) -> Vec<String> {
        self.text(key, frame.to_string());
        self.told(key)
    }

    /// The gist of what a socket is told since it last took.
    pub fn told(&mut self, key: ConnKey) -> Vec<String> {
        let frames = self.take(key);
        gist(&frames).into_iter().map(str::to_owned).collect()
    }

    /// The frames that a socket is told since it last took.
    pub fn take(&mut self, key: ConnKey) -> Vec<Value> {
        let conn = self.conns.get_mut(&key).expect("it was opened");
        let from = std::mem::replace(&mut conn.taken, self.log.len());
        let frames = self.log[from..].iter().filter_map(|event| match event {
            Event::Frame(to, frame) if *to == key => Some(&frame.text),
            Event::Frame(..)
            | Event::Fed(..)
            | Event::Ping(_)
            | Event::Closed(..)
            | Event::Gone(_) => None,
        });
        frames
            .map(|text| serde_json::from_slice(text).unwrap())
            .collect()
    }

    /// How a socket was closed.
    pub fn closed(&self, key: ConnKey) -> Option<CloseCode> {
        self.conns[&key].closed
    }

    /// Time passes while every open socket gives signs of life.
    pub fn pass_alive(&mut self, ms: u64) {
        let until_ms = self.now_ms + ms;
        while self.now_ms < until_ms {
            let open = self.conns.iter().filter(|(_, conn)| conn.open);
            for key in open.map(|(key, _)| *key).collect::<Vec<_>>() {
                self.input(key, SessionInput::Alive);
            }
            self.pass((until_ms - self.now_ms).min(20_000));
        }
    }
}
