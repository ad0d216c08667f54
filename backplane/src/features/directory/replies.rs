//! The reply of a script as the answer to a query.

use protocol::{BotId, ErrorCode};
use redis::Value;
use router_core::store::{DirectoryQuery, DirectoryReply};

use super::codec::holder;
use crate::redis::error::CommandFailure;

/// What was done, or why not.
pub(super) type QueryOutcome = Result<DirectoryReply, CommandFailure>;

const fn refused(code: ErrorCode) -> QueryOutcome {
    Err(CommandFailure::Refused(code))
}

/// The answer. `None`: it is no answer to this query.
pub(super) fn reply(query: &DirectoryQuery, value: Value) -> Option<QueryOutcome> {
    match query {
        // Read in pages, see `pages.rs`.
        DirectoryQuery::Load { .. } | DirectoryQuery::Reap { .. } => None,
        DirectoryQuery::Version => {
            let ver = redis::from_redis_value(value).ok()?;
            Some(Ok(DirectoryReply::Version(ver)))
        }
        DirectoryQuery::Enter { .. } | DirectoryQuery::Release(_) => done(value),
        DirectoryQuery::Forget { .. } => {
            let said: String = redis::from_redis_value(value).ok()?;
            match said.as_str() {
                "done" => Some(Ok(DirectoryReply::Done)),
                "held" => Some(refused(ErrorCode::NotYourIdentity)),
                _ => None,
            }
        }
        DirectoryQuery::Claim(_) => claimed(value),
        DirectoryQuery::Assert(_) => asserted(value).map(Ok),
    }
}

fn done(value: Value) -> Option<QueryOutcome> {
    let said: String = redis::from_redis_value(value).ok()?;
    match said.as_str() {
        "done" => Some(Ok(DirectoryReply::Done)),
        "full" => Some(refused(ErrorCode::QuotaExceeded)),
        _ => None,
    }
}

fn claimed(value: Value) -> Option<QueryOutcome> {
    let said: Vec<String> = redis::from_redis_value(value).ok()?;
    match said.as_slice() {
        [newer, epoch] if newer == "newer" => Some(Ok(DirectoryReply::Newer(epoch.parse().ok()?))),
        [full] if full == "full" => Some(refused(ErrorCode::QuotaExceeded)),
        [held] if held == "held" => Some(refused(ErrorCode::AlreadyRegistered)),
        [epoch, since_ms] => Some(Ok(DirectoryReply::Claimed {
            epoch: epoch.parse().ok()?,
            since_ms: since_ms.parse().ok()?,
        })),
        _ => None,
    }
}

fn asserted(value: Value) -> Option<DirectoryReply> {
    let said: Vec<String> = redis::from_redis_value(value).ok()?;
    let (refused, rest) = said.as_chunks::<3>();
    if !rest.is_empty() {
        return None;
    }
    let refused = refused
        .iter()
        .map(|[bot, boot, conn]| Some((BotId::parse(bot).ok()?, holder(boot, conn)?)));
    refused.collect::<Option<_>>().map(DirectoryReply::Asserted)
}
