//! The way to an open session: credential, verification, tenant.

use std::sync::Arc;

use protocol::connect::{Auth, AuthError as AuthErrorData, Connected, ConnectedWord};
use protocol::{
    Answer, ClientId, CloseCode, ErrorCode, Fault, FrameId, Limits, Refusal, Rule, TenantId,
};

use super::Session;
use super::input::OpenedConnection;
use super::phase::{OpenSession, PendingAuth, SessionPhase};
use crate::auth::{AuthError, Credential};
use crate::check;
use crate::effect::{SessionEffect, SessionEffects};
use crate::env::{Env, Millis};
use crate::invariant::Invariant;
use crate::permit::Grant;
use crate::request::JoinRequest;

impl Session {
    pub(super) fn opened(
        &mut self,
        env: &Env<'_>,
        opened: OpenedConnection,
        fx: &mut SessionEffects,
    ) {
        self.capabilities = opened.capabilities;
        if self.capabilities.greeting {
            let connected = Connected {
                status: ConnectedWord::Connected,
                connection_id: self.id,
                timestamp: self.stamps.stamp(env.unix_ms),
            };
            fx.answer(None, Answer::Connected(connected));
        }
        let Some(credential) = opened.credential else {
            return;
        };
        match parse_client(opened.client.as_deref()) {
            Ok(client) => {
                self.wait(
                    PendingAuth {
                        client,
                        acks: opened.acks,
                        ..PendingAuth::default()
                    },
                    credential,
                    fx,
                );
            }
            Err(refusal) => self.refuse(None, refusal, fx),
        }
    }

    pub(super) fn auth(
        &mut self,
        id: Option<FrameId>,
        auth: Auth,
        fx: &mut SessionEffects,
    ) -> Result<(), Refusal> {
        let credential = match (auth.api_key, auth.token) {
            (Some(key), None) => Credential::ApiKey(key),
            (None, Some(token)) => Credential::Token(token),
            (None, None) => return Err(Refusal::over(ErrorCode::MissingField, Rule::ApiKey)),
            (Some(_), Some(_)) => return Err(Refusal::over(ErrorCode::BadFrame, Rule::Token)),
        };
        let asked = PendingAuth {
            id,
            client: parse_client(auth.client_id.as_deref())?,
            acks: auth.acks.unwrap_or_default(),
            resume: auth.resume.is_some(),
            ..PendingAuth::default()
        };
        self.wait(asked, credential, fx);
        Ok(())
    }

    fn wait(&mut self, asked: PendingAuth, credential: Credential, fx: &mut SessionEffects) {
        let SessionPhase::Opening { until_ms } = self.phase else {
            return;
        };
        self.phase = SessionPhase::Waiting {
            until_ms,
            asked: Box::new(asked),
        };
        fx.push(SessionEffect::Verify(credential));
    }

    pub(super) fn verified(&mut self, verdict: Result<Grant, AuthError>, fx: &mut SessionEffects) {
        let SessionPhase::Waiting { asked, .. } = &mut self.phase else {
            return;
        };
        match verdict {
            Ok(grant) => {
                asked.tenant = Some(grant.tenant.clone());
                asked.grant = Some(grant.clone());
                fx.push(SessionEffect::Join(Box::new(JoinRequest {
                    grant,
                    conn: self.key,
                    id: self.id,
                    request_id: asked.id.clone(),
                    client: asked.client.take(),
                    acks: asked.acks,
                    resume: asked.resume,
                    capabilities: self.capabilities,
                    kept: 0,
                })));
            }
            Err(AuthError::Invalid) => {
                let refusal = Refusal::from(ErrorCode::Unauthorized);
                self.expel("Invalid API key", refusal, CloseCode::Unauthorized, fx);
            }
            Err(AuthError::Expired) => {
                let refusal = Refusal::from(ErrorCode::Unauthorized);
                self.expel("Token expired", refusal, CloseCode::TokenExpired, fx);
            }
            Err(AuthError::Later) => {
                let refusal = Refusal::from(ErrorCode::StoreUnavailable);
                let text = "This node cannot check that credential yet";
                self.expel(text, refusal, CloseCode::TryLater, fx);
            }
            Err(AuthError::Throttled { retry_after_ms }) => {
                let refusal = Refusal::rate(retry_after_ms);
                self.expel("Too many failures", refusal, CloseCode::TooManyRefusals, fx);
            }
        }
    }

    pub(super) fn joined(
        &mut self,
        env: &Env<'_>,
        client: ClientId,
        (tenant, limits): (TenantId, Arc<Limits>),
    ) {
        let SessionPhase::Waiting { asked, .. } = &mut self.phase else {
            return;
        };
        let Some(grant) = asked.grant.take() else {
            return;
        };
        check!(
            Invariant::Isolation,
            grant.tenant == tenant,
            "a session of {} was let in by {tenant}",
            grant.tenant
        );
        let grant = Grant { tenant, ..grant };
        self.limits = limits;
        if self.capabilities.lasts {
            // The first ping comes at a random time, so that sockets that came together do not ping together.
            let wait_ms = env.settings.heartbeat_ms as f64 * env.jitter();
            self.ping_ms = env.now_ms + wait_ms as Millis;
        }
        self.bad_frames = 0;
        let mut open = OpenSession {
            grant,
            client,
            expires_at_ms: Millis::MAX,
        };
        open.look_at_clock(env);
        self.phase = SessionPhase::Open(open);
    }

    pub(super) fn refused_by_tenant(&mut self, refusal: Refusal, fx: &mut SessionEffects) {
        let SessionPhase::Waiting { until_ms, asked } = &mut self.phase else {
            return;
        };
        let code = refusal.code;
        match code.status() {
            // The credential is good; the client may try another client id.
            400 => {
                let (id, until_ms) = (asked.id.take(), *until_ms);
                let refusal = Refusal {
                    fault: Some(Fault::of(Rule::ClientIdFree)),
                    ..refusal
                };
                self.gone(fx);
                self.phase = SessionPhase::Opening { until_ms };
                self.refuse(id.as_ref(), refusal, fx);
            }
            401 => self.expel("Invalid API key", refusal, CloseCode::Unauthorized, fx),
            403 => {
                self.expel("Account suspended", refusal, CloseCode::Suspended, fx);
            }
            500 => {
                self.expel("Internal error", refusal, CloseCode::Internal, fx);
            }
            _ => self.expel(code.text(), refusal, CloseCode::TryLater, fx),
        }
    }

    /// `auth_error`, `error`, close: a browser cannot read an HTTP status, so it is told in-band.
    fn expel(&mut self, text: &str, refusal: Refusal, close: CloseCode, fx: &mut SessionEffects) {
        let SessionPhase::Waiting { asked, .. } = &mut self.phase else {
            return;
        };
        let id = asked.id.take();
        let auth_error = AuthErrorData {
            message: text.to_owned(),
        };
        fx.answer(id.as_ref(), Answer::AuthError(auth_error));
        fx.refuse(self.key, id.as_ref(), refusal);
        self.close(close, fx);
    }
}

fn parse_client(client: Option<&str>) -> Result<Option<ClientId>, Refusal> {
    client
        .map(ClientId::parse)
        .transpose()
        .map_err(|_| Refusal::over(ErrorCode::InvalidId, Rule::ClientId))
}
