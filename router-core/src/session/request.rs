//! What an open session asks: each frame becomes one permitted request, or one refusal.

use protocol::envelope::Envelope;
use protocol::limits::{LIST_DEFAULT, LIST_MAX};
use protocol::message::{Send, SendKind};
use protocol::presence::{BotInfo, BotRef, BotState, ListBots, RegisterBot};
use protocol::request::ClientRequest;
use protocol::status::{StatusOf, StatusRequest};
use protocol::{BotId, ConnectionId, ErrorCode, FrameId, Name, Refusal, Rule};
use smol_str::SmolStr;

use super::Session;
use super::input::CallRequest;
use super::phase::{OpenSession, SessionPhase};
use crate::effect::{SessionEffect, SessionEffects};
use crate::env::Env;
use crate::gcra::Rate;
use crate::permit::{Action, Permit, authorize};
use crate::request::{
    BotRegistration, ListRequest, RouteRequest, SurveyRequest, TenantCommand, TenantRequest,
};

impl Session {
    /// What a call asks.
    pub(super) fn call(&mut self, env: &Env<'_>, call: CallRequest, fx: &mut SessionEffects) {
        let outcome = match call {
            CallRequest::Send(send) => {
                let request = ClientRequest::Send(send);
                self.usage.note_request(&request);
                self.request(env, None, request, fx)
            }
            CallRequest::List(list) => {
                self.request(env, None, ClientRequest::ListBots(Box::new(list)), fx)
            }
            CallRequest::Find(bot) => self.find(&bot, fx),
        };
        if let Err(refusal) = outcome {
            self.refuse(None, refusal, fx);
        }
    }

    fn find(&mut self, bot: &str, fx: &mut SessionEffects) -> Result<(), Refusal> {
        let (permit, command) = (self.look()?, TenantCommand::Find(parse_bot(bot)?));
        let id = None;
        fx.push(SessionEffect::Request(Box::new(TenantRequest {
            permit,
            id,
            command,
            frame_bytes: self.usage.hand_over(),
        })));
        Ok(())
    }

    pub(super) fn request(
        &mut self,
        env: &Env<'_>,
        id: Option<FrameId>,
        request: ClientRequest,
        fx: &mut SessionEffects,
    ) -> Result<(), Refusal> {
        let (permit, command) = match request {
            ClientRequest::Send(send) => return self.send(env, id, send, fx),
            ClientRequest::RegisterBot(register) => self.register(env, *register)?,
            ClientRequest::UnregisterBot(BotRef { bot_id }) => {
                let bot = parse_bot(&bot_id)?;
                let permit = self.hold(env, &bot)?;
                (permit, TenantCommand::Unregister(bot))
            }
            ClientRequest::Subscribe(BotRef { bot_id }) => {
                (self.look()?, TenantCommand::Subscribe(parse_bot(&bot_id)?))
            }
            ClientRequest::Unsubscribe(BotRef { bot_id }) => (
                self.look()?,
                TenantCommand::Unsubscribe(parse_bot(&bot_id)?),
            ),
            ClientRequest::ListBots(list) => {
                let (permit, list) = (self.look()?, parse_list(*list)?);
                self.charge_list(env, list.limit);
                (permit, TenantCommand::List(list))
            }
            ClientRequest::Status(status) => self.status(env, *status)?,
            ClientRequest::Later => return Err(ErrorCode::NotSupported.into()),
            ClientRequest::Auth(_) => {
                return Err(Refusal::over(ErrorCode::BadFrame, Rule::AuthOnce));
            }
            // Answered before the phase is asked.
            ClientRequest::Ping => return Err(ErrorCode::BadFrame.into()),
        };
        fx.push(SessionEffect::Request(Box::new(TenantRequest {
            permit,
            id,
            command,
            frame_bytes: self.usage.hand_over(),
        })));
        Ok(())
    }

    fn status(
        &mut self,
        env: &Env<'_>,
        status: StatusRequest,
    ) -> Result<(Permit, TenantCommand), Refusal> {
        let StatusRequest {
            request,
            limit,
            cursor,
        } = status;
        if request == StatusOf::Bots {
            let list = ListBots {
                limit,
                cursor,
                request_id: None,
            };
            let (permit, list) = (self.look()?, parse_list(list)?);
            self.charge_list(env, list.limit);
            return Ok((permit, TenantCommand::List(list)));
        }
        let permit = authorize(&self.open()?.grant, self.key, Action::Survey)?;
        let after = cursor.as_deref().map(ConnectionId::parse).transpose();
        let survey = SurveyRequest {
            limit: parse_limit(limit)?,
            after: after.map_err(|_| Refusal::over(ErrorCode::InvalidId, Rule::Cursor))?,
            is_full: request == StatusOf::Full,
        };
        // A full one has two pages: connections and bots.
        self.charge_list(env, survey.limit << usize::from(survey.is_full));
        Ok((permit, TenantCommand::Survey(survey)))
    }

    fn send(
        &mut self,
        env: &Env<'_>,
        id: Option<FrameId>,
        send: Send,
        fx: &mut SessionEffects,
    ) -> Result<(), Refusal> {
        let stamp_ms = self.stamps.stamp(env.unix_ms);
        let OpenSession { grant, client, .. } = self.open()?;
        let Send {
            from,
            timestamp_given,
            durable,
            mut message,
        } = send;
        let is_message = message.kind == SendKind::Message;
        let idempotent = is_message && message.message_id.is_some();
        let refused = |code| Refusal::from(code).of(message.message_id);
        let action = Action::Send {
            from: from.as_ref(),
            own: client,
        };
        let permit = authorize(grant, self.key, action).map_err(|code| {
            // Whoever may not send may not send as this sender.
            Refusal::over(code, Rule::FromOfToken).of(message.message_id)
        })?;
        if durable {
            let refusal = Refusal::over(ErrorCode::NotSupported, Rule::DurableLater);
            return Err(refusal.of(message.message_id));
        }
        if self.draining && is_message {
            return Err(refused(ErrorCode::Draining));
        }
        if !idempotent {
            message.message_id = is_message.then(|| env.message_id());
        }
        let mut route = RouteRequest::new(permit, id, |tenant| Envelope {
            tenant,
            from: from.unwrap_or_else(|| Name::from(client.clone())),
            connection: self.id,
            idempotent,
            stamped_ms: (is_message && !timestamp_given).then_some(stamp_ms),
            trace: None,
            message,
        });
        route.frame_bytes = self.usage.hand_over();
        fx.push(SessionEffect::Route(Box::new(route)));
        Ok(())
    }

    fn register(
        &mut self,
        env: &Env<'_>,
        register: RegisterBot,
    ) -> Result<(Permit, TenantCommand), Refusal> {
        let bot = parse_bot(&register.bot_id)?;
        let permit = self.hold(env, &bot)?;
        let info = BotInfo {
            name: register.name.unwrap_or_else(|| bot.to_string()),
            kind: register.kind.unwrap_or_else(|| "bot".to_owned()),
            description: register.description.unwrap_or_default(),
            capabilities: register.capabilities,
            status: BotState::Offline,
            since: 0,
            id: bot,
        };
        let registration = BotRegistration {
            info,
            takeover: register.takeover.unwrap_or_default(),
            instance: register.instance.map(SmolStr::new),
            confirm: register.confirm.unwrap_or_default(),
        };
        Ok((permit, TenantCommand::Register(registration)))
    }

    /// A permit to register or unregister, within the socket's rate for these.
    fn hold(&mut self, env: &Env<'_>, bot: &BotId) -> Result<Permit, Refusal> {
        let permit = authorize(&self.open()?.grant, self.key, Action::Hold(bot))?;
        let rate = Rate {
            per_second: self.limits.registers_per_second,
            burst: self.limits.registers_burst,
        };
        self.registers
            .take(env.now_ms, rate)
            .map_err(Refusal::rate)?;
        Ok(permit)
    }

    /// A list of more bots than usual weighs more than one frame.
    fn charge_list(&mut self, env: &Env<'_>, limit: usize) {
        let pages = limit.div_ceil(LIST_DEFAULT as usize);
        let more = u32::try_from(pages.saturating_sub(1)).unwrap_or(u32::MAX);
        self.frames.charge(env.now_ms, self.frame_rate(), more);
    }

    fn look(&self) -> Result<Permit, Refusal> {
        Ok(authorize(&self.open()?.grant, self.key, Action::Look)?)
    }

    pub(super) fn open(&self) -> Result<&OpenSession, ErrorCode> {
        match &self.phase {
            SessionPhase::Open(open) => Ok(open),
            SessionPhase::Opening { .. }
            | SessionPhase::Waiting { .. }
            | SessionPhase::Closed(_) => Err(ErrorCode::Unauthorized),
        }
    }
}

fn parse_bot(bot: &str) -> Result<BotId, Refusal> {
    BotId::parse(bot).map_err(|_| Refusal::over(ErrorCode::InvalidId, Rule::BotId))
}

fn parse_limit(limit: Option<u32>) -> Result<usize, Refusal> {
    let limit = limit.unwrap_or(LIST_DEFAULT);
    if !(1..=LIST_MAX).contains(&limit) {
        return Err(Refusal::over(ErrorCode::BadFrame, Rule::Limit));
    }
    Ok(limit as usize)
}

fn parse_list(list: ListBots) -> Result<ListRequest, Refusal> {
    let after = list.cursor.as_deref().map(BotId::parse).transpose();
    Ok(ListRequest {
        limit: parse_limit(list.limit)?,
        after: after.map_err(|_| Refusal::over(ErrorCode::InvalidId, Rule::Cursor))?,
        request_id: list.request_id,
    })
}
