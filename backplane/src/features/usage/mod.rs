//! The usage ledger in Redis.

mod codec;
mod keys;
mod scripts;

use std::sync::Arc;

use protocol::limits::USAGE_CLOSE_MS;
use protocol::{TenantId, UsageHour};
use router_core::Millis;
use router_core::store::usage::{TenantIndex, first_open_hour};
use router_core::store::{StoreFeature, UsageIndexQuery, UsageQuery, UsageRecord, UsageReply};

use self::codec::BookAnswer;
use self::keys::LATE_PREFIX;
use super::tenants;
use crate::redis::error::CommandFailure;
use crate::redis::session::RedisSession;
use crate::redis::shared::RedisShared;
use crate::script::{LuaScript, ScriptCall};

/// Hours of one call that reads.
const READ_HOURS: u32 = 128;
/// Milliseconds of an hour.
const HOUR_MS: u64 = 60 * 60 * 1000;

/// The scripts.
pub(super) fn scripts() -> Vec<&'static LuaScript> {
    scripts::all()
}

/// Answers a request.
pub(super) async fn execute(
    store: &RedisShared,
    tenant: &TenantId,
    now_ms: Millis,
    query: &UsageQuery,
) -> Result<UsageReply, CommandFailure> {
    let queue = StoreFeature::Usage.queue();
    let _turn = store.turns.stand(queue, tenant, false).turn().await;
    let ledger = TenantLedger {
        store,
        session: store.session()?,
        tenant,
        now: store.script_ms(now_ms).to_string(),
    };
    match query {
        UsageQuery::Book {
            record,
            is_first_of_day,
        } => ledger.book(record, *is_first_of_day).await,
        UsageQuery::Read { from, to } => ledger.read(*from, *to).await,
        UsageQuery::Seen => ledger.seen().await,
    }
}

/// Answers a query of the index.
pub(crate) async fn execute_index(
    store: &RedisShared,
    query: &UsageIndexQuery,
) -> Result<TenantIndex, CommandFailure> {
    let session = store.session()?;
    let key = keys::index(store.names(), query);
    let call = ScriptCall {
        script: &scripts::TENANTS,
        keys: vec![key.clone()],
        args: Vec::new(),
    };
    let value = session.run(&call).await?;
    codec::tenants(value).ok_or_else(|| store.misread_key(&key))
}

/// The ledger of one tenant.
struct TenantLedger<'a> {
    store: &'a RedisShared,
    session: Arc<RedisSession>,
    tenant: &'a TenantId,
    /// What time it is, as scripts take it.
    now: String,
}

impl TenantLedger<'_> {
    /// Books a record into its hour, or if that is closed, into the first one that is open.
    async fn book(
        &self,
        record: &UsageRecord,
        is_first_of_day: bool,
    ) -> Result<UsageReply, CommandFailure> {
        // First the index: an hour that no export finds would never be billed.
        if is_first_of_day {
            self.index(record.hour).await?;
        }
        let now_ms = match self.book_into(record, record.hour).await? {
            BookAnswer::Seen => return Ok(UsageReply::Booked { is_late: false }),
            BookAnswer::Booked { was_empty } => {
                // The day has an index already, unless Redis lost it.
                if was_empty && !is_first_of_day {
                    self.index(record.hour).await?;
                }
                return Ok(UsageReply::Booked { is_late: false });
            }
            BookAnswer::Closed { now_ms } => now_ms,
        };
        let open = first_open_hour(now_ms);
        self.index(open).await?;
        match self.book_into(record, open).await? {
            BookAnswer::Booked { .. } | BookAnswer::Seen => {
                Ok(UsageReply::Booked { is_late: true })
            }
            // It was closed between the two calls: the record is repeated.
            BookAnswer::Closed { .. } => Err(CommandFailure::UNAVAILABLE),
        }
    }

    async fn book_into(
        &self,
        record: &UsageRecord,
        hour: UsageHour,
    ) -> Result<BookAnswer, CommandFailure> {
        let names = self.store.names();
        let late = match hour == record.hour {
            true => "",
            false => LATE_PREFIX,
        };
        let expires_s = hour.plus(self.store.usage_keep_hours() + 1).end_ms() / 1000;
        let head = [
            record.boot.to_string(),
            record.seq.to_string(),
            (hour.end_ms() + USAGE_CLOSE_MS).to_string(),
            expires_s.to_string(),
            late.to_owned(),
            record.counts.check_number().to_string(),
            self.now.clone(),
        ];
        let args = head.map(String::into_bytes).into_iter();
        let call = ScriptCall {
            script: &scripts::BOOK,
            keys: vec![
                keys::seen(names, self.tenant),
                keys::hour(names, self.tenant, hour),
            ],
            args: args.chain(codec::amounts(&record.counts)).collect(),
        };
        let value = self.session.run(&call).await?;
        codec::book_answer(value).ok_or_else(|| self.store.misread(self.tenant))
    }

    /// Writes the tenant into the index of the day of an hour, and into the list of tenants.
    async fn index(&self, hour: UsageHour) -> Result<(), CommandFailure> {
        let query = UsageIndexQuery {
            day: hour.day(),
            part: UsageIndexQuery::part_of(self.tenant),
        };
        let kept_ms = u64::from(self.store.usage_keep_hours() + 2 * UsageHour::PER_DAY) * HOUR_MS;
        let call = ScriptCall {
            script: &scripts::INDEX,
            keys: vec![keys::index(self.store.names(), &query)],
            args: vec![
                self.tenant.as_str().as_bytes().to_vec(),
                kept_ms.to_string().into_bytes(),
            ],
        };
        self.session.run(&call).await?;
        tenants::note(self.store, &self.session, self.tenant, Some(hour.day())).await
    }

    async fn read(&self, from: UsageHour, to: UsageHour) -> Result<UsageReply, CommandFailure> {
        let names = self.store.names();
        let (mut hours, mut as_of_ms) = (Vec::new(), u64::MAX);
        let mut first = from;
        while first < to {
            let last = first.plus(READ_HOURS).min(to);
            let numbers = (first.number()..last.number()).filter_map(UsageHour::from_number);
            let call = ScriptCall {
                script: &scripts::READ,
                keys: numbers
                    .map(|hour| keys::hour(names, self.tenant, hour))
                    .collect(),
                args: vec![self.now.clone().into_bytes()],
            };
            let value = self.session.run(&call).await?;
            let read = codec::hours(value, first);
            let (now_ms, some) = read.ok_or_else(|| self.store.misread(self.tenant))?;
            for (hour, _) in some.iter().filter(|(_, usage)| usage.is_damaged) {
                let key = keys::hour(names, self.tenant, *hour);
                self.store.note_misread_key(&key);
            }
            as_of_ms = as_of_ms.min(now_ms);
            hours.extend(some);
            first = last;
        }
        Ok(UsageReply::Hours { as_of_ms, hours })
    }

    async fn seen(&self) -> Result<UsageReply, CommandFailure> {
        let call = ScriptCall {
            script: &scripts::SEEN,
            keys: vec![keys::seen(self.store.names(), self.tenant)],
            args: Vec::new(),
        };
        let value = self.session.run(&call).await?;
        let seen = codec::seen(value).ok_or_else(|| self.store.misread(self.tenant))?;
        Ok(UsageReply::Seen(seen))
    }
}
