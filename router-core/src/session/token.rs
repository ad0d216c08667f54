//! What a client token may claim: decided here, signed by the shell, which has the secrets.

use std::collections::BTreeSet;

use protocol::limits::{TOKEN_TTL_DEFAULT_S, TOKEN_TTL_MAX_S};
use protocol::token::TokenRequest;
use protocol::{BotId, ClientId, ErrorCode, Fault, Refusal, Rule, TenantId};

use super::Session;
use crate::auth::{TokenClaims, TokenScope};
use crate::env::Env;
use crate::permit::{Action, authorize};

impl Session {
    /// The claims of the token that is asked for: of this session's tenant, under the generation of
    /// its own credential, which was the tenant's when the session joined it.
    ///
    /// Errors: `unauthorized` before it has joined, `forbidden_scope` with a token, `invalid_id`,
    /// `bad_request` for a lifetime or a scope that no token has, `missing_field` for scope `bot`
    /// without `bots`; with the member that is to blame.
    pub fn claims(
        &self,
        env: &Env<'_>,
        asked: TokenRequest,
    ) -> Result<TokenClaims, (ErrorCode, Option<Fault>)> {
        let claims = self.judge_claims(env, asked);
        claims.map_err(|refusal| (refusal.code, refusal.fault))
    }

    /// The tenant, for whoever may know all of it.
    ///
    /// Errors: `unauthorized` before it has joined, `forbidden_scope` with a token.
    pub fn account(&self) -> Result<TenantId, ErrorCode> {
        let grant = &self.open()?.grant;
        let permit = authorize(grant, self.key, Action::Survey)?;
        Ok(permit.tenant().clone())
    }

    fn judge_claims(&self, env: &Env<'_>, asked: TokenRequest) -> Result<TokenClaims, Refusal> {
        let invalid = |rule| move |_| Refusal::over(ErrorCode::InvalidId, rule);
        let bad = |rule| Refusal::over(ErrorCode::BadRequest, rule);
        let grant = &self.open()?.grant;
        let permit = authorize(grant, self.key, Action::Issue)?;
        let client = ClientId::parse(&asked.client).map_err(invalid(Rule::Client))?;
        let bots = asked.bots.map(|bots| {
            let bots = bots.iter().map(|bot| BotId::parse(bot));
            bots.collect::<Result<BTreeSet<_>, _>>()
        });
        let bots = bots.transpose().map_err(invalid(Rule::Bots))?;
        let scope = match asked.scope.as_deref() {
            None | Some([TokenScope::Chat]) => TokenScope::Chat,
            Some([TokenScope::Bot]) if bots.is_some() => TokenScope::Bot,
            Some([TokenScope::Bot]) => {
                return Err(Refusal::over(ErrorCode::MissingField, Rule::BotsOfScope));
            }
            Some(_) => return Err(bad(Rule::Scope)),
        };
        let ttl_s = asked.ttl_seconds.unwrap_or(TOKEN_TTL_DEFAULT_S);
        if !(1..=TOKEN_TTL_MAX_S).contains(&ttl_s) {
            return Err(bad(Rule::TtlSeconds));
        }
        let now_s = env.unix_ms / 1000;
        Ok(TokenClaims {
            tenant: permit.tenant().clone(),
            client,
            scope: vec![scope],
            g: grant.generation,
            iat: now_s,
            exp: now_s + ttl_s,
            bots,
        })
    }
}
