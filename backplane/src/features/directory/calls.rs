//! A query of the directory as a call of its script.

use protocol::BootId;
use protocol::limits::REMEMBER_MS;
use protocol::presence::Takeover;
use router_core::store::{BotClaim, DirectoryQuery, EntryRelease, HeldEntries};

use super::codec::meta;
use super::keys::SEEN;
use super::scripts;
use crate::features::policy::keys::POLICY;
use crate::features::step::StepCall;

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PageCursor {
    pub(super) part: String,
    pub(super) cursor: String,
}

impl PageCursor {
    pub(super) fn first() -> Self {
        Self {
            part: "dir".into(),
            cursor: "0".into(),
        }
    }
}

/// The call of a query. `page`: which part, of what is read in parts.
pub(super) fn call(query: &DirectoryQuery, page: &PageCursor) -> StepCall {
    match query {
        DirectoryQuery::Load { dead } => {
            let PageCursor { part, cursor } = page.clone();
            let args = vec![words(dead), REMEMBER_MS.to_string(), part, cursor];
            StepCall::new(&scripts::LOAD, &[POLICY, SEEN], args)
        }
        DirectoryQuery::Version => StepCall::new(&scripts::VERSION, &[], vec![]),
        DirectoryQuery::Enter { conn, record } => {
            let args = vec![
                conn.to_string(),
                record.boot.to_string(),
                record.client.to_string(),
            ];
            StepCall::new(&scripts::ENTER, &[], args)
        }
        DirectoryQuery::Claim(claim) => StepCall::new(&scripts::CLAIM, &[], claim_args(claim)),
        DirectoryQuery::Assert(assert) => {
            StepCall::new(&scripts::ASSERT, &[POLICY], assert_args(assert))
        }
        DirectoryQuery::Release(release) => {
            StepCall::new(&scripts::RELEASE, &[SEEN], release_args(release))
        }
        DirectoryQuery::Reap { dead } => {
            let args = vec![words(dead), page.cursor.clone()];
            StepCall::new(&scripts::REAP, &[SEEN], args)
        }
        DirectoryQuery::Forget { bot, fence } => {
            let (epoch, conn) = match fence {
                Some(fence) => (fence.epoch.to_string(), fence.conn.to_string()),
                None => ("-".into(), "-".into()),
            };
            StepCall::new(&scripts::FORGET, &[], vec![bot.to_string(), epoch, conn])
        }
    }
}

fn words(boots: &[BootId]) -> String {
    let words: Vec<_> = boots.iter().map(BootId::to_string).collect();
    words.join(" ")
}

fn claim_args(claim: &BotClaim) -> Vec<String> {
    let takeover = match claim.takeover {
        Takeover::Replace => "replace",
        Takeover::Reject => "reject",
    };
    vec![
        claim.bot.id.to_string(),
        claim.holder.boot.to_string(),
        claim.holder.conn.to_string(),
        meta(&claim.bot, claim.instance.as_ref()),
        takeover.into(),
        words(&claim.dead),
    ]
}

fn assert_args(assert: &HeldEntries) -> Vec<String> {
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
            meta(&bot.info, bot.instance.as_ref()),
        ]);
    }
    for (conn, record) in &assert.conns {
        let client = record.client.to_string();
        args.extend([conn.to_string(), record.boot.to_string(), client]);
    }
    args
}

fn release_args(release: &EntryRelease) -> Vec<String> {
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
