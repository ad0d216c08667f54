//! The reference meaning of the store, and the store of a single node.

use std::collections::BTreeMap;

use protocol::limits::REMEMBER_MS;
use protocol::presence::{BotInfo, BotState};
use protocol::{BotId, ClientId, ConnectionId, ErrorCode, TenantId};

use super::{Ask, BotRecord, Claim, Policy, Reply, Request, Snapshot};
use crate::env::Millis;

/// Charged for each record besides its texts: map nodes and allocations.
const RECORD_BYTES: u64 = 256;

#[derive(Debug, Default)]
struct Tenant {
    ver: u64,
    policy: Policy,
    bots: BTreeMap<BotId, BotRecord>,
    clients: BTreeMap<ClientId, Millis>,
}

/// A store in memory, bounded in bytes: full = `quota_exceeded` for what would grow it.
#[derive(Debug)]
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

    /// Answers one request.
    pub fn execute(&mut self, request: Request) -> Reply {
        let Request {
            tenant,
            ask,
            now_ms,
        } = request;
        match ask {
            Ask::Load => Reply::Loaded(self.load(&tenant, now_ms)),
            Ask::Claim(claim) => self.claim(tenant, *claim, now_ms),
            Ask::Release { conn, bots, client } => {
                self.release(tenant, &conn, &bots, client, now_ms);
                Reply::Done
            }
            Ask::Forget { bot } => {
                let own = self.tenants.get_mut(&tenant);
                if let Some(gone) = own.and_then(|own| own.bots.remove(&bot)) {
                    self.bytes -= bot_bytes(&gone.info);
                }
                Reply::Done
            }
            Ask::Revoke => {
                let policy = &mut self.tenants.entry(tenant).or_default().policy;
                policy.generation += 1;
                Reply::Policy(*policy)
            }
            Ask::Suspend(suspended) => {
                let policy = &mut self.tenants.entry(tenant).or_default().policy;
                policy.suspended = suspended;
                Reply::Policy(*policy)
            }
        }
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
        }
    }

    fn sweep_tenant(&mut self, id: &TenantId, now_ms: Millis) {
        let Some(tenant) = self.tenants.get_mut(id) else {
            return;
        };
        let mut freed = 0;
        tenant.bots.retain(|_, bot| {
            let keep = bot.holder.is_some() || now_ms.saturating_sub(bot.info.since) < REMEMBER_MS;
            freed += if keep { 0 } else { bot_bytes(&bot.info) };
            keep
        });
        tenant.clients.retain(|client, seen_ms| {
            let keep = now_ms.saturating_sub(*seen_ms) < REMEMBER_MS;
            freed += if keep { 0 } else { client_bytes(client) };
            keep
        });
        self.bytes -= freed;
        let nothing = tenant.bots.is_empty() && tenant.clients.is_empty();
        if nothing && tenant.policy == Policy::default() {
            self.tenants.remove(id);
        }
    }

    fn load(&mut self, id: &TenantId, now_ms: Millis) -> Snapshot {
        self.sweep_tenant(id, now_ms);
        let Some(tenant) = self.tenants.get(id) else {
            return Snapshot::default();
        };
        Snapshot {
            ver: tenant.ver,
            policy: tenant.policy,
            bots: tenant.bots.values().cloned().collect(),
            clients: tenant
                .clients
                .iter()
                .map(|(id, seen)| (id.clone(), *seen))
                .collect(),
        }
    }

    fn claim(&mut self, id: TenantId, claim: Claim, now_ms: Millis) -> Reply {
        let known = self.tenants.get(&id);
        let held = known.and_then(|own| own.bots.get(&claim.bot.id));
        let freed = held.map_or(0, |held| bot_bytes(&held.info));
        let bytes = self.bytes - freed + bot_bytes(&claim.bot);
        if bytes > self.bytes_max {
            return Reply::Refused(ErrorCode::QuotaExceeded);
        }
        let again = held
            .filter(|held| held.holder.as_ref() == Some(&claim.conn))
            .map(|held| (held.epoch, held.info.since));
        self.bytes = bytes;
        let tenant = self.tenants.entry(id).or_default();
        let (epoch, since_ms) = again.unwrap_or_else(|| {
            let next = (tenant.ver + 1).max(claim.known_ver + 1).max(now_ms * 1000);
            tenant.ver = next;
            (next, now_ms)
        });
        let info = BotInfo {
            status: BotState::Online,
            since: since_ms,
            ..claim.bot
        };
        let record = BotRecord {
            holder: Some(claim.conn),
            epoch,
            instance: claim.instance,
            info,
        };
        tenant.bots.insert(record.info.id.clone(), record);
        Reply::Claimed { epoch, since_ms }
    }

    fn release(
        &mut self,
        id: TenantId,
        conn: &ConnectionId,
        bots: &[(BotId, u64)],
        client: Option<ClientId>,
        now_ms: Millis,
    ) {
        let tenant = self.tenants.entry(id).or_default();
        for (bot, epoch) in bots {
            if let Some(record) = tenant.bots.get_mut(bot)
                && record.holder.as_ref() == Some(conn)
                && record.epoch == *epoch
            {
                record.holder = None;
                record.info.status = BotState::Offline;
                record.info.since = now_ms;
            }
        }
        if let Some(client) = client {
            let bytes = client_bytes(&client);
            let known = tenant.clients.contains_key(&client);
            // A full store forgets who was here; it does not refuse to let them go.
            if known || self.bytes + bytes <= self.bytes_max {
                self.bytes += if known { 0 } else { bytes };
                tenant.clients.insert(client, now_ms);
            }
        }
    }
}

fn client_bytes(client: &ClientId) -> u64 {
    RECORD_BYTES + client.as_str().len() as u64
}

fn bot_bytes(info: &BotInfo) -> u64 {
    let capabilities: usize = info.capabilities.iter().map(|text| text.len() + 24).sum();
    let texts = info.id.as_str().len() + info.name.len() + info.kind.len() + info.description.len();
    RECORD_BYTES + (capabilities + texts) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(model: &mut Model, ask: Ask, now_ms: Millis) -> Reply {
        model.execute(Request {
            tenant: TenantId::parse("alice").unwrap(),
            ask,
            now_ms,
        })
    }

    fn conn(i: u8) -> ConnectionId {
        ConnectionId::from_ulid(&format!("{i:026}")).unwrap()
    }

    fn claim(bot: &str, by: u8) -> Ask {
        let bot = BotInfo {
            id: BotId::parse(bot).unwrap(),
            name: "Bot".into(),
            kind: "bot".into(),
            description: String::new(),
            capabilities: vec![],
            status: BotState::Offline,
            since: 0,
        };
        Ask::Claim(Box::new(Claim {
            conn: conn(by),
            bot,
            instance: None,
            known_ver: 0,
        }))
    }

    fn epoch(reply: Reply) -> u64 {
        let Reply::Claimed { epoch, .. } = reply else {
            panic!("{reply:?}")
        };
        epoch
    }

    fn snapshot(model: &mut Model, now_ms: Millis) -> Snapshot {
        let Reply::Loaded(snapshot) = ask(model, Ask::Load, now_ms) else {
            panic!()
        };
        snapshot
    }

    #[test]
    fn epochs_rise_and_the_same_connection_keeps_its_own() {
        let mut model = Model::new(1 << 20);
        let first = epoch(ask(&mut model, claim("bot", 1), 1000));
        assert_eq!(first, 1_000_000);
        assert_eq!(epoch(ask(&mut model, claim("bot", 1), 2000)), first);
        let second = epoch(ask(&mut model, claim("bot", 2), 500));
        assert_eq!(
            second,
            first + 1,
            "a clock that went back does not take the epoch along"
        );
    }

    #[test]
    fn only_the_present_holder_releases() {
        let mut model = Model::new(1 << 20);
        let bot = BotId::parse("bot").unwrap();
        let old = epoch(ask(&mut model, claim("bot", 1), 1000));
        let new = epoch(ask(&mut model, claim("bot", 2), 1001));
        let release = |conn, epoch| Ask::Release {
            conn,
            bots: vec![(bot.clone(), epoch)],
            client: None,
        };
        for (by, epoch) in [(conn(1), old), (conn(1), new), (conn(2), old)] {
            ask(&mut model, release(by, epoch), 1002);
            assert_eq!(snapshot(&mut model, 1002).bots[0].holder, Some(conn(2)));
        }
        ask(&mut model, release(conn(2), new), 1003);
        let bots = snapshot(&mut model, 1003).bots;
        assert_eq!((&bots[0].holder, bots[0].info.since), (&None, 1003));
    }

    #[test]
    fn offline_bots_and_absent_clients_are_forgotten_after_a_day() {
        let mut model = Model::new(1 << 20);
        let epoch = epoch(ask(&mut model, claim("bot", 1), 1000));
        let client = ClientId::parse("phone").ok();
        let bots = vec![(BotId::parse("bot").unwrap(), epoch)];
        ask(
            &mut model,
            Ask::Release {
                conn: conn(1),
                bots,
                client,
            },
            2000,
        );
        let last = 2000 + REMEMBER_MS - 1;
        assert_eq!(snapshot(&mut model, last).clients.len(), 1);
        assert_eq!(snapshot(&mut model, last).bots.len(), 1);
        model.sweep(last + 1, 10);
        assert_eq!((model.bytes(), model.tenants.len()), (0, 0));
    }

    #[test]
    fn a_full_store_refuses_to_grow_and_shrinks_to_nothing() {
        let mut model = Model::new(600);
        epoch(ask(&mut model, claim("a", 1), 1000));
        epoch(ask(&mut model, claim("b", 1), 1000));
        assert_eq!(
            ask(&mut model, claim("c", 1), 1000),
            Reply::Refused(ErrorCode::QuotaExceeded)
        );
        for bot in ["a", "b", "c"] {
            ask(
                &mut model,
                Ask::Forget {
                    bot: BotId::parse(bot).unwrap(),
                },
                1000,
            );
        }
        assert_eq!(model.bytes(), 0);
    }

    #[test]
    fn policies_are_kept_by_the_highest_generation() {
        let mut model = Model::new(1 << 20);
        assert_eq!(
            ask(&mut model, Ask::Revoke, 1),
            Reply::Policy(Policy {
                generation: 1,
                suspended: false
            })
        );
        model.restore(
            TenantId::parse("alice").unwrap(),
            Policy {
                generation: 5,
                suspended: true,
            },
        );
        model.restore(
            TenantId::parse("alice").unwrap(),
            Policy {
                generation: 2,
                suspended: false,
            },
        );
        assert_eq!(
            snapshot(&mut model, 1).policy,
            Policy {
                generation: 5,
                suspended: true
            }
        );
        model.sweep(REMEMBER_MS * 9, 10);
        assert_eq!(model.policies().count(), 1, "a revoked key stays revoked");
    }

    #[test]
    fn sweeping_goes_round_all_tenants() {
        let mut model = Model::new(1 << 20);
        for i in 0..7 {
            let tenant = TenantId::parse(&format!("t{i}")).unwrap();
            let client = ClientId::parse("phone").ok();
            let ask = Ask::Release {
                conn: conn(1),
                bots: vec![],
                client,
            };
            model.execute(Request {
                tenant,
                ask,
                now_ms: 0,
            });
        }
        for _ in 0..5 {
            model.sweep(REMEMBER_MS, 2);
        }
        assert_eq!(model.tenants.len(), 0);
    }
}
