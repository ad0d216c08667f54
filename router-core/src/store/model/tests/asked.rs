//! Short forms of what is asked.

use protocol::presence::{BotInfo, BotState, Takeover};
use protocol::{BootId, BotId, ClientId, ConnectionId, TenantId};

use crate::env::Millis;
use crate::store::{
    BotClaim, BotHolder, DirectoryCaps, DirectoryEvent, DirectoryQuery, DirectoryReply,
    DirectoryRequest, DirectorySnapshot, EntryRelease, Fence, Model, StoreQuery, StoreReply,
    StoreRequest, StoreResult,
};

/// What the store says of a query.
pub type Answer = StoreResult<DirectoryReply>;

/// A request of a tenant: what it asks, at what time, knowing what, under what caps.
pub fn request(
    tenant: &str,
    query: DirectoryQuery,
    (now_ms, known_ver): (Millis, u64),
    caps: DirectoryCaps,
) -> StoreRequest {
    StoreRequest {
        tenant: TenantId::parse(tenant).unwrap(),
        now_ms,
        query: StoreQuery::Directory(DirectoryRequest {
            query,
            known_ver,
            caps,
        }),
    }
}

pub fn execute(model: &mut Model, request: StoreRequest) -> (Answer, Option<DirectoryEvent>) {
    let (reply, event) = model.execute(request);
    (reply.and_then(StoreReply::into_directory), event)
}

pub fn step(
    model: &mut Model,
    query: DirectoryQuery,
    now_ms: Millis,
) -> (Answer, Option<DirectoryEvent>) {
    let caps = DirectoryCaps::default();
    execute(model, request("alice", query, (now_ms, 0), caps))
}

pub fn ask(model: &mut Model, query: DirectoryQuery, now_ms: Millis) -> Answer {
    step(model, query, now_ms).0
}

/// A query of a tenant under given caps.
pub fn ask_of(
    model: &mut Model,
    tenant: &str,
    query: DirectoryQuery,
    caps: DirectoryCaps,
    now_ms: Millis,
) -> Answer {
    execute(model, request(tenant, query, (now_ms, 0), caps)).0
}

/// Takes a bot over from its present holder.
pub fn take(model: &mut Model, bot: &str, by: u8, now_ms: Millis) -> u64 {
    let known_ver = snapshot(model, 0).ver;
    let caps = DirectoryCaps::default();
    let request = request("alice", claim(bot, by), (now_ms, known_ver), caps);
    epoch(execute(model, request).0)
}

pub fn conn(i: u8) -> ConnectionId {
    ConnectionId::from_ulid(&format!("{i:026}")).unwrap()
}

/// Connections 1 to 9 are on the first node, 10 to 19 on the second, ….
pub fn holder(i: u8) -> BotHolder {
    let boot = BootId::from_bits(u128::from(i / 10));
    BotHolder {
        boot,
        conn: conn(i),
    }
}

pub fn bot(name: &str) -> BotId {
    BotId::parse(name).unwrap()
}

pub fn info(name: &str) -> BotInfo {
    BotInfo {
        id: bot(name),
        name: "Bot".into(),
        kind: "bot".into(),
        description: String::new(),
        capabilities: vec![],
        status: BotState::Offline,
        since: 0,
    }
}

pub fn claim_with(bot: &str, by: u8, takeover: Takeover, dead: &[BootId]) -> DirectoryQuery {
    DirectoryQuery::Claim(Box::new(BotClaim {
        holder: holder(by),
        bot: info(bot),
        instance: None,
        takeover,
        dead: dead.into(),
    }))
}

pub fn claim(bot: &str, by: u8) -> DirectoryQuery {
    claim_with(bot, by, Takeover::Replace, &[])
}

pub fn release(by: u8, bots: &[(&str, u64)], seen: &[&str]) -> DirectoryQuery {
    let fence = |epoch| Fence {
        conn: conn(by),
        epoch,
    };
    DirectoryQuery::Release(Box::new(EntryRelease {
        conns: vec![conn(by)],
        bots: bots.iter().map(|(id, it)| (bot(id), fence(*it))).collect(),
        seen: seen.iter().map(|id| ClientId::parse(id).unwrap()).collect(),
    }))
}

pub fn epoch(reply: Answer) -> u64 {
    let Ok(DirectoryReply::Claimed { epoch, .. }) = reply else {
        panic!("{reply:?}")
    };
    epoch
}

pub fn load(dead: &[BootId]) -> DirectoryQuery {
    DirectoryQuery::Load { dead: dead.into() }
}

pub fn snapshot(model: &mut Model, now_ms: Millis) -> DirectorySnapshot {
    let Ok(DirectoryReply::Loaded(snapshot)) = ask(model, load(&[]), now_ms) else {
        panic!()
    };
    *snapshot
}
