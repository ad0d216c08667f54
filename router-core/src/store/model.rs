//! The reference meaning of the store, and the store of a single node.

use std::collections::{BTreeMap, BTreeSet};

use protocol::limits::{REMEMBER_MS, STORE_SHARE};
use protocol::presence::{BotInfo, BotState, Takeover};
use protocol::{BootId, BotId, ClientId, ConnectionId, ErrorCode, TenantId};

use super::{
    Ask, Assert, BotRecord, Change, Claim, ConnRecord, DirectoryCaps, Event, Fence, Policy,
    REPAIRED_VER, Release, Reply, Request, Snapshot, latest_known_ver, latest_stored_ver,
    latest_time_ms,
};
use crate::env::Millis;
use crate::small::SmallMap;

/// Charged for each record besides its texts: map nodes and allocations.
const RECORD_BYTES: u64 = 256;

/// One tenant's directory.
#[derive(Debug, Clone, Default)]
struct Tenant {
    ver: u64,
    born: u64,
    policy: Policy,
    bots: SmallMap<BotId, Box<BotRecord>, 1>,
    conns: BTreeMap<ConnectionId, ConnRecord>,
    clients: Clients,
    /// What it holds of the store.
    bytes: u64,
}

/// When client ids were last seen.
#[derive(Debug, Clone, Default)]
struct Clients {
    seen: BTreeMap<ClientId, Millis>,
    /// The same, the least recently seen first.
    by_age: BTreeSet<(Millis, ClientId)>,
}

impl Clients {
    fn len(&self) -> usize {
        self.seen.len()
    }

    fn has(&self, client: &ClientId) -> bool {
        self.seen.contains_key(client)
    }

    fn see(&mut self, client: ClientId, now_ms: Millis) {
        if let Some(was_ms) = self.seen.insert(client.clone(), now_ms) {
            self.by_age.remove(&(was_ms, client.clone()));
        }
        self.by_age.insert((now_ms, client));
    }

    /// Forgets the least recently seen.
    fn forget_oldest(&mut self) -> Option<ClientId> {
        let (_, oldest) = self.by_age.pop_first()?;
        self.seen.remove(&oldest);
        Some(oldest)
    }

    /// Forgets those seen at a time or before; returns the bytes they took.
    fn forget_until(&mut self, then_ms: Millis) -> u64 {
        let mut freed = 0;
        while self.by_age.first().is_some_and(|(at, _)| *at <= then_ms) {
            freed += self.forget_oldest().map_or(0, |id| client_bytes(&id));
        }
        freed
    }

    /// Forgets those seen later than this, which is no time; the bytes that become free.
    fn forget_after(&mut self, then_ms: Millis) -> u64 {
        let mut freed = 0;
        while let Some((at_ms, client)) = self.by_age.last().cloned()
            && at_ms > then_ms
        {
            self.by_age.pop_last();
            self.seen.remove(&client);
            freed += client_bytes(&client);
        }
        freed
    }
}

/// A step that is being taken: what it changed so far.
struct Step<'a> {
    tenant: &'a mut Tenant,
    /// What the tenant holds now.
    bytes: u64,
    /// By how much it could grow before.
    room: u64,
    changes: Vec<Change>,
    now_ms: Millis,
    caps: DirectoryCaps,
}

/// A store in memory, bounded in bytes. A tenant may hold as much as an eighth of what is free
/// ([`STORE_SHARE`]): beyond that, `quota_exceeded` for what would grow it. So the store is never
/// full for a tenant that holds little.
#[derive(Debug, Clone)]
pub struct Model {
    tenants: BTreeMap<TenantId, Tenant>,
    bytes: u64,
    bytes_max: u64,
    swept: Option<TenantId>,
}

impl Model {
    /// An empty store of at most `bytes_max` bytes.
    pub fn new(bytes_max: u64) -> Self {
        Self {
            tenants: BTreeMap::new(),
            bytes: 0,
            bytes_max,
            swept: None,
        }
    }

    /// Bytes in use, by an estimate that counts every text and a fixed overhead a record.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sets a tenant's policy as it was before a restart. The highest generation counts.
    pub fn restore(&mut self, tenant: TenantId, policy: Policy) {
        let own = &mut self.tenants.entry(tenant).or_default().policy;
        own.generation = own.generation.max(policy.generation);
        own.suspended |= policy.suspended;
    }

    /// Every tenant whose policy differs from the default one.
    pub fn policies(&self) -> impl Iterator<Item = (&TenantId, Policy)> {
        let all = self.tenants.iter().map(|(id, tenant)| (id, tenant.policy));
        all.filter(|(_, policy)| *policy != Policy::default())
    }

    /// Loses everything, as a store does that restarts empty.
    pub fn lose_all(&mut self) {
        self.tenants.clear();
        self.bytes = 0;
        self.swept = None;
    }

    /// Answers one request, and says what the nodes with the tenant must be told.
    pub fn execute(&mut self, request: Request) -> (Reply, Option<Event>) {
        let Request {
            tenant: id,
            ask,
            known_ver,
            now_ms,
            caps,
        } = request;
        let is_load = matches!(ask, Ask::Load { .. });
        if is_load {
            self.sweep_tenant(&id, now_ms);
        }
        let share = self.bytes_max.saturating_sub(self.bytes) / STORE_SHARE;
        let tenant = self.tenants.entry(id.clone()).or_default();
        let held = tenant.bytes;
        let mut step = Step {
            bytes: held,
            room: share.saturating_sub(held),
            tenant,
            changes: Vec::new(),
            now_ms,
            caps,
        };
        let known_ver = known_ver.min(latest_known_ver(now_ms));
        let is_repair = step.tenant.ver > latest_stored_ver(now_ms);
        let prev = match is_repair {
            true => REPAIRED_VER,
            false => step.tenant.ver,
        };
        let ver = (prev + 1).max(known_ver + 1).max(now_ms * 1000);
        if is_repair {
            step.tenant.ver = ver;
        }
        let mut reply = step.take(ask, ver, known_ver);
        let Step {
            tenant,
            changes,
            bytes,
            ..
        } = step;
        tenant.bytes = bytes;
        self.bytes = self.bytes - held + bytes;
        let event = (is_repair || !changes.is_empty()).then_some(Event { prev, ver, changes });
        if event.is_some() {
            tenant.ver = ver;
            if tenant.born == 0 {
                tenant.born = ver;
            }
        }
        if is_load {
            reply = Reply::Loaded(Box::new(tenant.snapshot()));
        }
        if tenant.is_new() {
            self.tenants.remove(&id);
        }
        (reply, event)
    }

    /// Forgets what is older than 24 h in the next `tenants_max` tenants, round and round.
    pub fn sweep(&mut self, now_ms: Millis, tenants_max: usize) {
        let from = self.swept.take();
        let ids: Vec<TenantId> = match from {
            None => self.tenants.keys().take(tenants_max).cloned().collect(),
            Some(from) => self
                .tenants
                .range(from..)
                .skip(1)
                .map(|(id, _)| id)
                .take(tenants_max)
                .cloned()
                .collect(),
        };
        if ids.len() == tenants_max {
            self.swept = ids.last().cloned();
        }
        for id in ids {
            self.sweep_tenant(&id, now_ms);
            if self.tenants.get(&id).is_some_and(Tenant::is_idle) {
                self.tenants.remove(&id);
            }
        }
    }

    fn sweep_tenant(&mut self, id: &TenantId, now_ms: Millis) {
        let Some(tenant) = self.tenants.get_mut(id) else {
            return;
        };
        let keeps = |since_ms: Millis| {
            let is_young = now_ms.saturating_sub(since_ms) < REMEMBER_MS;
            is_young && since_ms <= latest_time_ms(now_ms)
        };
        let mut freed = 0;
        tenant.bots.retain(|_, bot| {
            let keep = bot.holder.is_some() || keeps(bot.info.since);
            freed += if keep { 0 } else { bot_bytes(&bot.info) };
            keep
        });
        if let Some(then_ms) = now_ms.checked_sub(REMEMBER_MS) {
            freed += tenant.clients.forget_until(then_ms);
        }
        freed += tenant.clients.forget_after(latest_time_ms(now_ms));
        tenant.bytes -= freed;
        self.bytes -= freed;
    }
}

impl Tenant {
    fn is_idle(&self) -> bool {
        let nothing = self.bots.is_empty() && self.conns.is_empty() && self.clients.len() == 0;
        nothing && self.policy == Policy::default()
    }

    fn is_new(&self) -> bool {
        self.ver == 0 && self.is_idle()
    }

    fn snapshot(&self) -> Snapshot {
        let conns = self.conns.iter();
        let clients = self.clients.seen.iter();
        Snapshot {
            ver: self.ver,
            born: self.born,
            policy: self.policy,
            bots: self.bots.values().map(|bot| (**bot).clone()).collect(),
            conns: conns.map(|(id, it)| (*id, it.clone())).collect(),
            clients: clients.map(|(id, seen)| (id.clone(), *seen)).collect(),
        }
    }
}

impl Step<'_> {
    fn take(&mut self, ask: Ask, ver: u64, known_ver: u64) -> Reply {
        match ask {
            Ask::Load { dead } | Ask::Reap { dead } => self.reap(&dead),
            Ask::Version => Reply::Version(self.tenant.ver),
            Ask::Enter { conn, record } => self.enter(conn, record),
            Ask::Claim(claim) => self.claim(*claim, ver, known_ver),
            Ask::Assert(assert) => self.assert(*assert),
            Ask::Release(release) => self.release(*release),
            Ask::Forget { bot, fence } => self.forget(&bot, fence.as_ref()),
            Ask::Revoke => {
                let generation = self.tenant.policy.generation + 1;
                self.set_policy(Policy {
                    generation,
                    ..self.tenant.policy
                })
            }
            Ask::Suspend(suspended) => self.set_policy(Policy {
                suspended,
                ..self.tenant.policy
            }),
        }
    }

    /// Whether the directory takes no further bot or connection.
    fn is_full(&self) -> bool {
        self.tenant.bots.len() + self.tenant.conns.len() >= self.caps.entries as usize
    }

    fn enter(&mut self, conn: ConnectionId, record: ConnRecord) -> Reply {
        let known = self.tenant.conns.get(&conn);
        if known == Some(&record) {
            return Reply::Done;
        }
        let bytes = conn_bytes(&record);
        if known.is_none() && (bytes > self.room || self.is_full()) {
            return Reply::Refused(ErrorCode::QuotaExceeded);
        }
        self.put_conn(conn, record);
        Reply::Done
    }

    fn claim(&mut self, claim: Claim, ver: u64, known_ver: u64) -> Reply {
        let Claim {
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
            return Reply::Refused(ErrorCode::QuotaExceeded);
        }
        let other = held.and_then(|held| held.holder.as_ref());
        let other = other.filter(|other| other.conn != holder.conn && !dead.contains(&other.boot));
        if other.is_some() && takeover == Takeover::Reject {
            return Reply::Refused(ErrorCode::AlreadyRegistered);
        }
        // A question that was on its way for long must not undo what came after it.
        let latest = latest_known_ver(self.now_ms);
        let newer = held.filter(|held| other.is_some() && held.epoch.min(latest) > known_ver);
        if let Some(newer) = newer {
            return Reply::Newer(newer.epoch);
        }
        let own = held.filter(|held| held.holder.as_ref() == Some(&holder));
        let (epoch, since_ms) = own.map_or((ver, self.now_ms), |own| (own.epoch, own.info.since));
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
        Reply::Claimed { epoch, since_ms }
    }

    fn assert(&mut self, assert: Assert) -> Reply {
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
        if assert.generation > self.tenant.policy.generation {
            self.set_policy(Policy {
                generation: assert.generation,
                ..self.tenant.policy
            });
        }
        Reply::Asserted(refused)
    }

    fn release(&mut self, release: Release) -> Reply {
        for (bot, fence) in release.bots {
            let held = self.tenant.bots.get(&bot);
            if let Some(held) = held.filter(|held| is_held_by(held, &fence)) {
                let record = (**held).clone();
                self.let_go(record);
            }
        }
        for conn in release.conns {
            if let Some(gone) = self.tenant.conns.remove(&conn) {
                self.bytes -= conn_bytes(&gone);
                self.changes.push(Change::Left(conn));
            }
        }
        for client in release.seen {
            self.see(client);
        }
        Reply::Done
    }

    fn reap(&mut self, dead: &[BootId]) -> Reply {
        let bots = self.tenant.bots.values();
        let held = bots.filter(|bot| {
            bot.holder
                .as_ref()
                .is_some_and(|it| dead.contains(&it.boot))
        });
        for record in held.cloned().collect::<Vec<_>>() {
            self.let_go(*record);
        }
        let conns = self.tenant.conns.iter();
        let gone = conns.filter(|(_, record)| dead.contains(&record.boot));
        let gone: Vec<_> = gone.map(|(id, it)| (*id, it.clone())).collect();
        for (conn, record) in gone {
            self.tenant.conns.remove(&conn);
            self.bytes -= conn_bytes(&record);
            self.changes.push(Change::Left(conn));
            self.see(record.client);
        }
        Reply::Done
    }

    fn forget(&mut self, bot: &BotId, fence: Option<&Fence>) -> Reply {
        let held = self.tenant.bots.get(bot);
        let held = held.filter(|held| held.holder.is_some());
        if held.is_some_and(|held| !fence.is_some_and(|fence| is_held_by(held, fence))) {
            return Reply::Refused(ErrorCode::NotYourIdentity);
        }
        if let Some(gone) = self.tenant.bots.remove(bot) {
            self.bytes -= bot_bytes(&gone.info);
            self.changes.push(Change::Forgotten(bot.clone()));
        }
        Reply::Done
    }

    fn set_policy(&mut self, policy: Policy) -> Reply {
        if self.tenant.policy != policy {
            self.tenant.policy = policy;
            self.changes.push(Change::Policy(policy));
        }
        Reply::Policy(policy)
    }

    fn let_go(&mut self, mut record: BotRecord) {
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
        self.bytes -= old.map_or(0, |old| bot_bytes(&old.info));
        self.bytes += bot_bytes(&record.info);
        let id = record.info.id.clone();
        let record = Box::new(record);
        self.tenant.bots.insert(id, record.clone());
        self.changes.push(Change::Bot(record));
    }

    fn put_conn(&mut self, conn: ConnectionId, record: ConnRecord) {
        let old = self.tenant.conns.get(&conn);
        if old == Some(&record) {
            return;
        }
        self.bytes -= old.map_or(0, conn_bytes);
        self.bytes += conn_bytes(&record);
        self.tenant.conns.insert(conn, record.clone());
        self.changes.push(Change::Entered(conn, record));
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
                self.bytes -= client_bytes(&oldest);
                self.room += client_bytes(&oldest);
            }
            if most == 0 || bytes > self.room {
                return;
            }
            self.bytes += bytes;
            self.room -= bytes;
        }
        clients.see(client.clone(), self.now_ms);
        self.changes.push(Change::Seen(client, self.now_ms));
    }
}

fn is_held_by(held: &BotRecord, fence: &Fence) -> bool {
    let conn = held.holder.as_ref().map(|holder| &holder.conn);
    (conn, held.epoch) == (Some(&fence.conn), fence.epoch)
}

fn client_bytes(client: &ClientId) -> u64 {
    RECORD_BYTES + client.as_str().len() as u64
}

fn conn_bytes(record: &ConnRecord) -> u64 {
    RECORD_BYTES + record.client.as_str().len() as u64
}

fn bot_bytes(info: &BotInfo) -> u64 {
    let capabilities: usize = info.capabilities.iter().map(|text| text.len() + 24).sum();
    let texts = info.id.as_str().len() + info.name.len() + info.kind.len() + info.description.len();
    RECORD_BYTES + (capabilities + texts) as u64
}

#[cfg(test)]
mod tests;
