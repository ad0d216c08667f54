//! What a connection asks of its tenant, besides carrying messages.

use protocol::presence::{BotInfo, Subscription};
use protocol::status::FullStatus;
use protocol::{Answer, BotId, FrameId, Refusal};

use super::Tenant;
use super::bots::claims::ClaimKind;
use super::context::unknown_code;
use super::members::survey::as_count;
use super::quota::QuotaUse;
use crate::effect::TenantEffects;
use crate::env::{Env, Millis};
use crate::ids::ConnKey;
use crate::permit::may_see;
use crate::request::{ListRequest, SurveyRequest, TenantCommand, TenantRequest};

/// A request whose answer is awaited: of which connection, with which id.
type Asker = (ConnKey, Option<FrameId>);

impl Tenant {
    pub(crate) fn request(
        &mut self,
        env: &Env<'_>,
        request: TenantRequest,
        fx: &mut TenantEffects,
    ) {
        let TenantRequest {
            permit,
            id,
            command,
            frame_bytes,
        } = request;
        self.count_frame(env, frame_bytes);
        let conn = permit.conn();
        // A connection that was expelled meanwhile is owed no answer: its close is on the way.
        if self.members.connection(conn).is_none() {
            return;
        }
        if let Err(retry_ms) = self.take_cost(env, conn, &command) {
            let refusal = Refusal::rate(retry_ms);
            return match claimed_bot(&command) {
                Some(bot) => fx.refuse_claim((conn, bot), id.as_ref(), refusal),
                None => fx.refuse(conn, id.as_ref(), refusal),
            };
        }
        let asker = (conn, id);
        match command {
            TenantCommand::Register(registration) => {
                let bot = registration.info.id.clone();
                if let Some(spent) = self.spent(env, QuotaUse::BotSocket) {
                    let refusal = Refusal::quota(spent);
                    return fx.refuse_claim((conn, &bot), asker.1.as_ref(), refusal);
                }
                self.claim(env, bot, asker, ClaimKind::Register(registration), fx);
            }
            TenantCommand::Unregister(bot) => {
                self.claim(env, bot, asker, ClaimKind::Unregister, fx)
            }
            TenantCommand::Subscribe(bot) => self.subscribe(env, asker, bot, true, fx),
            TenantCommand::Unsubscribe(bot) => self.subscribe(env, asker, bot, false, fx),
            TenantCommand::List(list) => self.list(env, asker, list, fx),
            TenantCommand::Find(bot) => self.find(env, asker, &bot, fx),
            TenantCommand::Survey(survey) => self.survey(env, asker, &survey, fx),
        }
    }

    /// Takes what a command costs from its tenant's rate: one that makes a step of the directory from
    /// that for joins. Lists and surveys are charged for their answer too. A call paid when it joined.
    fn take_cost(
        &mut self,
        env: &Env<'_>,
        conn: ConnKey,
        command: &TenantCommand,
    ) -> Result<(), Millis> {
        let (members, limits) = (&mut self.members, &*self.limits);
        match command {
            TenantCommand::Register(_) | TenantCommand::Unregister(_) => {
                members.take_join(env, limits, conn)
            }
            TenantCommand::Subscribe(_)
            | TenantCommand::Unsubscribe(_)
            | TenantCommand::Survey(_) => members.take_unit(env, limits, conn),
            TenantCommand::List(_) => members.take_list(env, limits, conn),
            TenantCommand::Find(_) => Ok(()),
        }
    }

    fn subscribe(
        &mut self,
        env: &Env<'_>,
        (key, id): Asker,
        bot: BotId,
        wanted: bool,
        fx: &mut TenantEffects,
    ) {
        let known = self.bots.get(bot.as_str()).is_some();
        let Some(conn) = self.members.connection_mut(key) else {
            return;
        };
        if !known || !may_see(&conn.grant, &bot) {
            return fx.refuse(key, id.as_ref(), unknown_code(env).into());
        }
        let watch = &mut conn.watch;
        let subscribed = self.presence.subscribe(&self.limits, watch, &bot, wanted);
        if let Err(code) = subscribed {
            return fx.refuse(key, id.as_ref(), code.into());
        }
        let done = Subscription { bot_id: bot };
        let answer = match wanted {
            true => Answer::Subscribed(done),
            false => Answer::Unsubscribed(done),
        };
        fx.answer(key, id.as_ref(), answer);
    }

    fn list(&mut self, env: &Env<'_>, (key, id): Asker, list: ListRequest, fx: &mut TenantEffects) {
        let Some(conn) = self.members.connection(key) else {
            return;
        };
        let (page, bytes) = self.bots.page(&conn.grant, list);
        self.members.charge_list(env, &self.limits, key, bytes);
        fx.answer(key, id.as_ref(), Answer::Bots(page));
    }

    fn find(&mut self, env: &Env<'_>, (key, id): Asker, bot: &BotId, fx: &mut TenantEffects) {
        let Some(conn) = self.members.connection(key) else {
            return;
        };
        match self.bots.page_of(&conn.grant, bot) {
            Some(page) => fx.answer(key, id.as_ref(), Answer::Bots(page)),
            None => fx.refuse(key, id.as_ref(), unknown_code(env).into()),
        }
    }

    fn survey(
        &mut self,
        env: &Env<'_>,
        (key, id): Asker,
        survey: &SurveyRequest,
        fx: &mut TenantEffects,
    ) {
        let Some(conn) = self.members.connection(key) else {
            return;
        };
        let (page, mut bytes) = self.members.page(survey, &self.bots);
        let answer = match survey.is_full {
            false => Answer::Connections(page),
            true => {
                let first = ListRequest {
                    limit: survey.limit,
                    after: None,
                    request_id: None,
                };
                let (page_of_bots, bytes_of_bots) = self.bots.page(&conn.grant, first);
                bytes += bytes_of_bots;
                let bots = page_of_bots.bots.iter();
                Answer::Full(FullStatus {
                    bot_count: as_count(self.bots.len()),
                    bots: bots.map(|bot| BotInfo::clone(bot)).collect(),
                    next_bots: page_of_bots.next_cursor.map(|bot| bot.to_string()),
                    connection_count: page.count,
                    connections: page.connections,
                    next_connections: page.next_cursor,
                })
            }
        };
        self.members.charge_list(env, &self.limits, key, bytes);
        fx.answer(key, id.as_ref(), answer);
    }
}

/// The bot that a command registers or unregisters.
fn claimed_bot(command: &TenantCommand) -> Option<&BotId> {
    match command {
        TenantCommand::Register(registration) => Some(&registration.info.id),
        TenantCommand::Unregister(bot) => Some(bot),
        TenantCommand::Subscribe(_)
        | TenantCommand::Unsubscribe(_)
        | TenantCommand::List(_)
        | TenantCommand::Find(_)
        | TenantCommand::Survey(_) => None,
    }
}
