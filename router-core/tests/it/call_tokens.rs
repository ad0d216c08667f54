//! Client tokens over HTTP: what their claims are, and who may ask for them.

use protocol::token::TokenRequest;
use protocol::{CloseCode, ErrorCode};
use router_core::auth::{TokenClaims, TokenScope};
use router_core::store::PolicyQuery;
use router_core::{Capabilities, ConnKey, Env};

use crate::talk::{alice, key, token};
use crate::world::{START_MS, World};

impl World {
    fn claims(&self, conn: ConnKey, asked: TokenRequest) -> Result<TokenClaims, ErrorCode> {
        let env = Env {
            now_ms: self.now_ms,
            unix_ms: self.unix_ms(),
            entropy: 0,
            settings: &self.settings,
            nodes: &self.nodes,
            round_ms: 0,
        };
        let claims = self.conns[&conn].session.claims(&env, asked);
        claims.map_err(|(code, _)| code)
    }
}

fn asked() -> TokenRequest {
    TokenRequest {
        client: "phone".to_owned(),
        bots: None,
        scope: None,
        ttl_seconds: None,
    }
}

#[test]
fn a_token_claims_what_was_asked_under_the_present_generation() {
    let mut w = World::plain();
    w.policy(&alice(), PolicyQuery::Revoke);
    let conn = w.calls_with(key("alice", 1), Capabilities::call(), None);
    let claims = w.claims(conn, asked()).unwrap();
    let now_s = START_MS / 1000;
    assert_eq!((claims.g, claims.iat, claims.exp), (1, now_s, now_s + 3600));
    assert_eq!((claims.scope, claims.bots), (vec![TokenScope::Chat], None));
    assert_eq!((claims.tenant, claims.client.as_str()), (alice(), "phone"));

    let day = 24 * 60 * 60;
    let ttl = |s| TokenRequest {
        ttl_seconds: Some(s),
        ..asked()
    };
    let scope = |scope: &[TokenScope], bots: Option<&str>| TokenRequest {
        scope: Some(scope.to_vec()),
        bots: bots.map(|bot| vec![bot.to_owned()]),
        ..asked()
    };
    use TokenScope::{Bot, Chat};
    for (asked, outcome) in [
        (ttl(0), Err(ErrorCode::BadRequest)),
        (ttl(1), Ok(())),
        (ttl(30 * day), Ok(())),
        (ttl(30 * day + 1), Err(ErrorCode::BadRequest)),
        (scope(&[], None), Err(ErrorCode::BadRequest)),
        (
            scope(&[Chat, Bot], Some("bot_a")),
            Err(ErrorCode::BadRequest),
        ),
        (scope(&[Bot], None), Err(ErrorCode::MissingField)),
        (scope(&[Bot], Some("bot_a")), Ok(())),
        (scope(&[Chat], Some("-")), Err(ErrorCode::InvalidId)),
        (
            TokenRequest {
                client: "conn_x".to_owned(),
                ..asked()
            },
            Err(ErrorCode::InvalidId),
        ),
    ] {
        assert_eq!(
            w.claims(conn, asked.clone()).map(drop),
            outcome,
            "{asked:?}"
        );
    }
    w.policy(&alice(), PolicyQuery::Suspend(true));
    assert_eq!(w.closed(conn), Some(CloseCode::Suspended));
}

#[test]
fn only_a_key_makes_tokens() {
    let mut w = World::plain();
    for scope in [TokenScope::Chat, TokenScope::Bot] {
        let conn = w.calls_with(
            token(scope, Some(&["bot_a"]), START_MS, 60),
            Capabilities::call(),
            None,
        );
        assert_eq!(w.claims(conn, asked()), Err(ErrorCode::ForbiddenScope));
    }
    let strange = w.calls_with(key("alice", 7), Capabilities::call(), None);
    assert_eq!(w.claims(strange, asked()), Err(ErrorCode::Unauthorized));
}
