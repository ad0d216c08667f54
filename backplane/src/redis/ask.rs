//! A tenant's question as a call of a script, and the script's reply as the answer.

use protocol::limits::REMEMBER_MS;
use protocol::presence::Takeover;
use protocol::{BootId, BotId, ErrorCode};
use redis::Value;
use router_core::store::{
    Assert, Claim, DirectoryQuery, DirectoryReply, PolicyQuery, PolicyReply, Release, StoreQuery,
    StoreReply,
};

use super::error::Fail;
use super::pages::Page;
use crate::directory;
use crate::scripts::{self, Script};

/// A script, which of the tenant's keys it has, and what else it is given.
pub(super) struct Call {
    pub(super) script: &'static Script,
    pub(super) keys: &'static [&'static str],
    pub(super) args: Vec<String>,
}

impl Call {
    /// Of the directory and its counter.
    fn new(script: &'static Script, args: Vec<String>) -> Self {
        let keys = &["dir", "ver"];
        Self { script, keys, args }
    }

    /// Of the policy too.
    fn with_policy(script: &'static Script, args: Vec<String>) -> Self {
        let keys = &["dir", "ver", "policy"];
        Self { script, keys, args }
    }

    /// Of the client ids too.
    fn with_seen(script: &'static Script, args: Vec<String>) -> Self {
        let keys = &["dir", "ver", "seen"];
        Self { script, keys, args }
    }

    /// Of all.
    fn with_all(script: &'static Script, args: Vec<String>) -> Self {
        let keys = &["dir", "ver", "policy", "seen"];
        Self { script, keys, args }
    }
}

/// The call that asks; the caller adds what every script of a tenant takes last. `page`: which part,
/// of what is read in parts.
pub(super) fn call(query: &StoreQuery, page: &Page) -> Call {
    match query {
        StoreQuery::Directory(request) => directory_call(&request.query, page),
        StoreQuery::Policy(request) => {
            let word = match request.query {
                PolicyQuery::Revoke => "revoke",
                PolicyQuery::Suspend(true) => "suspend",
                PolicyQuery::Suspend(false) => "resume",
            };
            Call::with_policy(&scripts::POLICY, vec![word.into()])
        }
    }
}

fn directory_call(query: &DirectoryQuery, page: &Page) -> Call {
    match query {
        DirectoryQuery::Load { dead } => {
            let Page { part, cursor } = page.clone();
            let args = vec![words(dead), REMEMBER_MS.to_string(), part, cursor];
            Call::with_all(&scripts::LOAD, args)
        }
        DirectoryQuery::Version => Call::new(&scripts::VERSION, vec![]),
        DirectoryQuery::Enter { conn, record } => {
            let args = vec![
                conn.to_string(),
                record.boot.to_string(),
                record.client.to_string(),
            ];
            Call::new(&scripts::ENTER, args)
        }
        DirectoryQuery::Claim(claim) => Call::new(&scripts::CLAIM, claim_args(claim)),
        DirectoryQuery::Assert(assert) => Call::with_policy(&scripts::ASSERT, assert_args(assert)),
        DirectoryQuery::Release(release) => {
            Call::with_seen(&scripts::RELEASE, release_args(release))
        }
        DirectoryQuery::Reap { dead } => {
            let args = vec![words(dead), page.cursor.clone()];
            Call::with_seen(&scripts::REAP, args)
        }
        DirectoryQuery::Forget { bot, fence } => {
            let (epoch, conn) = match fence {
                Some(fence) => (fence.epoch.to_string(), fence.conn.to_string()),
                None => ("-".into(), "-".into()),
            };
            Call::new(&scripts::FORGET, vec![bot.to_string(), epoch, conn])
        }
    }
}

fn words(boots: &[BootId]) -> String {
    let words: Vec<_> = boots.iter().map(BootId::to_string).collect();
    words.join(" ")
}

fn claim_args(claim: &Claim) -> Vec<String> {
    let takeover = match claim.takeover {
        Takeover::Replace => "replace",
        Takeover::Reject => "reject",
    };
    vec![
        claim.bot.id.to_string(),
        claim.holder.boot.to_string(),
        claim.holder.conn.to_string(),
        directory::meta(&claim.bot, claim.instance.as_ref()),
        takeover.into(),
        words(&claim.dead),
    ]
}

fn assert_args(assert: &Assert) -> Vec<String> {
    let held = assert.bots.iter();
    let bots: Vec<_> = held
        .filter_map(|bot| Some((bot, bot.holder.as_ref()?)))
        .collect();
    let mut args = vec![
        assert.generation.to_string(),
        bots.len().to_string(),
        assert.conns.len().to_string(),
    ];
    for (bot, holder) in bots {
        args.extend([
            bot.info.id.to_string(),
            bot.epoch.to_string(),
            bot.info.since.to_string(),
            holder.boot.to_string(),
            holder.conn.to_string(),
            directory::meta(&bot.info, bot.instance.as_ref()),
        ]);
    }
    for (conn, record) in &assert.conns {
        let client = record.client.to_string();
        args.extend([conn.to_string(), record.boot.to_string(), client]);
    }
    args
}

fn release_args(release: &Release) -> Vec<String> {
    let mut args = vec![
        release.bots.len().to_string(),
        release.conns.len().to_string(),
        release.seen.len().to_string(),
    ];
    for (bot, fence) in &release.bots {
        let (epoch, conn) = (fence.epoch.to_string(), fence.conn.to_string());
        args.extend([bot.to_string(), epoch, conn]);
    }
    args.extend(release.conns.iter().map(ToString::to_string));
    args.extend(release.seen.iter().map(ToString::to_string));
    args
}

/// The answer. `None`: it is no answer to this question.
pub(super) fn reply(query: &StoreQuery, value: Value) -> Option<Result<StoreReply, Fail>> {
    let reply = match query {
        StoreQuery::Directory(request) => {
            directory_reply(&request.query, value)?.map(StoreReply::Directory)
        }
        StoreQuery::Policy(_) => {
            let (generation, suspended): (String, String) = redis::from_redis_value(value).ok()?;
            let policy = directory::policy(&generation, &suspended)?;
            Ok(StoreReply::Policy(PolicyReply::Changed(policy)))
        }
    };
    Some(reply)
}

/// What was done, or why not.
type Outcome = Result<DirectoryReply, Fail>;

const fn refused(code: ErrorCode) -> Outcome {
    Err(Fail::Refused(code))
}

fn directory_reply(query: &DirectoryQuery, value: Value) -> Option<Outcome> {
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

fn done(value: Value) -> Option<Outcome> {
    let said: String = redis::from_redis_value(value).ok()?;
    match said.as_str() {
        "done" => Some(Ok(DirectoryReply::Done)),
        "full" => Some(refused(ErrorCode::QuotaExceeded)),
        _ => None,
    }
}

fn claimed(value: Value) -> Option<Outcome> {
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
        .map(|[bot, boot, conn]| Some((BotId::parse(bot).ok()?, directory::holder(boot, conn)?)));
    refused.collect::<Option<_>>().map(DirectoryReply::Asserted)
}
