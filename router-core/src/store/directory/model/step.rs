//! One step of a tenant's directory: what each query changes.

use protocol::presence::{BotInfo, BotState, Takeover};
use protocol::{BootId, BotId, ClientId, ConnectionId, ErrorCode};

use super::tenant::TenantDirectory;
use super::weights::{bot_bytes, client_bytes, conn_bytes};
use crate::env::Millis;
use crate::store::directory::counter::latest_known_ver;
use crate::store::directory::event::DirectoryChange;
use crate::store::directory::records::{BotRecord, ConnRecord, DirectoryCaps, Fence};
use crate::store::directory::reply::DirectoryReply;
use crate::store::directory::request::{BotClaim, DirectoryQuery, EntryRelease, HeldEntries};
use crate::store::policy::TenantPolicy;
use crate::store::reply::{StoreFailure, StoreResult};

/// A step that is being taken: what it changed so far.
pub(in crate::store) struct DirectoryStep<'a> {
    pub(super) tenant: &'a mut TenantDirectory,
    pub(in crate::store) policy: &'a mut TenantPolicy,
    /// By how much the tenant could grow before.
    pub(super) room: u64,
    pub(super) changes: Vec<DirectoryChange>,
    /// The step's number, if it changes anything.
    pub(super) ver: u64,
    /// The highest number that the asker has seen.
    pub(super) known_ver: u64,
    pub(super) now_ms: Millis,
    pub(super) caps: DirectoryCaps,
}

impl DirectoryStep<'_> {
    /// Takes the step that the query asks for.
    pub(super) fn take(&mut self, query: DirectoryQuery) -> StoreResult<DirectoryReply> {
        match query {
            // What is loaded is read after the step.
            DirectoryQuery::Load { dead } | DirectoryQuery::Reap { dead } => {
                self.reap(&dead);
                Ok(DirectoryReply::Done)
            }
            DirectoryQuery::Version => Ok(DirectoryReply::Version(self.tenant.ver)),
            DirectoryQuery::Enter { conn, record } => self.enter(conn, record),
            DirectoryQuery::Claim(claim) => self.claim(*claim),
            DirectoryQuery::Assert(assert) => Ok(self.assert(*assert)),
            DirectoryQuery::Release(release) => {
                self.release(*release);
                Ok(DirectoryReply::Done)
            }
            DirectoryQuery::Forget { bot, fence } => self.forget(&bot, fence.as_ref()),
        }
    }

    /// Whether the directory takes no further bot or connection.
    fn is_full(&self) -> bool {
        self.tenant.bots.len() + self.tenant.conns.len() >= self.caps.entries as usize
    }

    fn enter(&mut self, conn: ConnectionId, record: ConnRecord) -> StoreResult<DirectoryReply> {
        let known = self.tenant.conns.get(&conn);
        if known == Some(&record) {
            return Ok(DirectoryReply::Done);
        }
        let bytes = conn_bytes(&record);
        if known.is_none() && (bytes > self.room || self.is_full()) {
            return refused(ErrorCode::QuotaExceeded);
        }
        self.put_conn(conn, record);
        Ok(DirectoryReply::Done)
    }

    fn claim(&mut self, claim: BotClaim) -> StoreResult<DirectoryReply> {
        let BotClaim {
            holder,
            bot,
            instance,
            takeover,
            dead,
        } = claim;
        let held = self.tenant.bots.get(&bot.id);
        let freed = held.map_or(0, |held| bot_bytes(&held.info));
        let is_full = held.is_none() && self.is_full();
        if is_full || bot_bytes(&bot) > self.room + freed {
            return refused(ErrorCode::QuotaExceeded);
        }
        let other = held.and_then(|held| held.holder.as_ref());
        let other = other.filter(|other| other.conn != holder.conn && !dead.contains(&other.boot));
        if other.is_some() && takeover == Takeover::Reject {
            return refused(ErrorCode::AlreadyRegistered);
        }
        // A query that was on its way for long must not undo a later one.
        let latest = latest_known_ver(self.now_ms);
        let newer = held.filter(|held| other.is_some() && held.epoch.min(latest) > self.known_ver);
        if let Some(newer) = newer {
            return Ok(DirectoryReply::Newer(newer.epoch));
        }
        let own = held.filter(|held| held.holder.as_ref() == Some(&holder));
        let (epoch, since_ms) =
            own.map_or((self.ver, self.now_ms), |own| (own.epoch, own.info.since));
        let info = BotInfo {
            status: BotState::Online,
            since: since_ms,
            ..bot
        };
        self.put_bot(BotRecord {
            info,
            holder: Some(holder),
            epoch,
            instance,
        });
        Ok(DirectoryReply::Claimed { epoch, since_ms })
    }

    fn assert(&mut self, assert: HeldEntries) -> DirectoryReply {
        let mut refused = Vec::new();
        for record in assert.bots {
            let Some(holder) = &record.holder else {
                continue;
            };
            let stored = self.tenant.bots.get(&record.info.id);
            let gives_way = stored.is_none_or(|stored| {
                let other = stored.holder.as_ref();
                let same_conn = other.is_some_and(|other| other.conn == holder.conn);
                stored.epoch < record.epoch || (stored.epoch == record.epoch && same_conn)
            });
            match gives_way {
                true => self.put_bot(record),
                false => {
                    let other = stored.and_then(|stored| stored.holder.clone());
                    refused.push((record.info.id, other));
                }
            }
        }
        for (conn, record) in assert.conns {
            self.put_conn(conn, record);
        }
        if assert.generation > self.policy.generation {
            self.set_policy(TenantPolicy {
                generation: assert.generation,
                ..self.policy.clone()
            });
        }
        DirectoryReply::Asserted(refused)
    }

    fn release(&mut self, release: EntryRelease) {
        for (bot, fence) in release.bots {
            let held = self.tenant.bots.get(&bot);
            if let Some(held) = held.filter(|held| is_held_by(held, &fence)) {
                let record = (**held).clone();
                self.release_bot(record);
            }
        }
        for conn in release.conns {
            if let Some(gone) = self.tenant.conns.remove(&conn) {
                self.tenant.bytes -= conn_bytes(&gone);
                self.changes.push(DirectoryChange::Left(conn));
            }
        }
        for client in release.seen {
            self.see(client);
        }
    }

    fn reap(&mut self, dead: &[BootId]) {
        let bots = self.tenant.bots.values();
        let held = bots.filter(|bot| {
            bot.holder
                .as_ref()
                .is_some_and(|it| dead.contains(&it.boot))
        });
        for record in held.cloned().collect::<Vec<_>>() {
            self.release_bot(*record);
        }
        let conns = self.tenant.conns.iter();
        let gone = conns.filter(|(_, record)| dead.contains(&record.boot));
        let gone: Vec<_> = gone.map(|(id, it)| (*id, it.clone())).collect();
        for (conn, record) in gone {
            self.tenant.conns.remove(&conn);
            self.tenant.bytes -= conn_bytes(&record);
            self.changes.push(DirectoryChange::Left(conn));
            self.see(record.client);
        }
    }

    fn forget(&mut self, bot: &BotId, fence: Option<&Fence>) -> StoreResult<DirectoryReply> {
        let held = self.tenant.bots.get(bot);
        let held = held.filter(|held| held.holder.is_some());
        if held.is_some_and(|held| !fence.is_some_and(|fence| is_held_by(held, fence))) {
            return refused(ErrorCode::NotYourIdentity);
        }
        if let Some(gone) = self.tenant.bots.remove(bot) {
            self.tenant.bytes -= bot_bytes(&gone.info);
            self.changes.push(DirectoryChange::Forgotten(bot.clone()));
        }
        Ok(DirectoryReply::Done)
    }

    /// Replaces the tenant's policy.
    pub(in crate::store) fn set_policy(&mut self, policy: TenantPolicy) {
        if *self.policy != policy {
            *self.policy = policy.clone();
            self.changes.push(DirectoryChange::Policy(policy));
        }
    }

    fn release_bot(&mut self, mut record: BotRecord) {
        record.holder = None;
        record.info.status = BotState::Offline;
        record.info.since = self.now_ms;
        self.put_bot(record);
    }

    fn put_bot(&mut self, record: BotRecord) {
        let old = self.tenant.bots.get(&record.info.id);
        if old.is_some_and(|old| **old == record) {
            return;
        }
        self.tenant.bytes -= old.map_or(0, |old| bot_bytes(&old.info));
        self.tenant.bytes += bot_bytes(&record.info);
        let id = record.info.id.clone();
        let record = Box::new(record);
        self.tenant.bots.insert(id, record.clone());
        self.changes.push(DirectoryChange::Bot(record));
    }

    fn put_conn(&mut self, conn: ConnectionId, record: ConnRecord) {
        let old = self.tenant.conns.get(&conn);
        if old == Some(&record) {
            return;
        }
        self.tenant.bytes -= old.map_or(0, conn_bytes);
        self.tenant.bytes += conn_bytes(&record);
        self.tenant.conns.insert(conn, record.clone());
        self.changes.push(DirectoryChange::Entered(conn, record));
    }

    /// Notes that a client left. A new one takes the place of the least recently seen when the
    /// tenant has too many, or no room. It is no event: every node bounds its own replica.
    fn see(&mut self, client: ClientId) {
        let bytes = client_bytes(&client);
        let clients = &mut self.tenant.clients;
        if !clients.has(&client) {
            let most = self.caps.clients as usize;
            while (clients.len() >= most || bytes > self.room)
                && let Some(oldest) = clients.forget_oldest()
            {
                self.tenant.bytes -= client_bytes(&oldest);
                self.room += client_bytes(&oldest);
            }
            if most == 0 || bytes > self.room {
                return;
            }
            self.tenant.bytes += bytes;
            self.room -= bytes;
        }
        clients.see(client.clone(), self.now_ms);
        self.changes
            .push(DirectoryChange::Seen(client, self.now_ms));
    }
}

fn is_held_by(held: &BotRecord, fence: &Fence) -> bool {
    let conn = held.holder.as_ref().map(|holder| &holder.conn);
    (conn, held.epoch) == (Some(&fence.conn), fence.epoch)
}

fn refused<T>(code: ErrorCode) -> StoreResult<T> {
    Err(StoreFailure::Refused(code))
}
