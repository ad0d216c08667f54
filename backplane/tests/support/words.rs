//! Queries, written short.

use protocol::presence::{BotInfo, BotState, Takeover};
use protocol::{BootId, BotId, ClientId, ConnectionId, TenantLabels};
use router_core::store::{
    BotClaim, BotHolder, BotRecord, ConnRecord, DirectoryQuery, EntryRelease, Fence, HeldEntries,
};

pub fn boot(i: u8) -> BootId {
    BootId::from_bits(u128::from(i))
}

pub fn dead(boots: &[u8]) -> std::sync::Arc<[BootId]> {
    boots.iter().map(|i| boot(*i)).collect()
}

pub fn conn(i: u8) -> ConnectionId {
    ConnectionId::from_ulid(&format!("{i:026}")).unwrap()
}

/// Connections 1 to 9 are on node 0, 10 to 19 on node 1, ….
pub fn holder(i: u8) -> BotHolder {
    BotHolder {
        boot: boot(i / 10),
        conn: conn(i),
    }
}

pub fn bot(name: &str) -> BotId {
    BotId::parse(name).unwrap()
}

pub fn client(name: &str) -> ClientId {
    ClientId::parse(name).unwrap()
}

pub fn info(name: &str) -> BotInfo {
    BotInfo {
        id: bot(name),
        name: format!("The \"{name}\"\n\tof ü and more"),
        kind: "bot".into(),
        description: String::new(),
        capabilities: vec!["chat".into(), "a b".into()],
        status: BotState::Offline,
        since: 0,
    }
}

pub fn claim_with(name: &str, by: u8, takeover: Takeover, evicted: &[u8]) -> DirectoryQuery {
    DirectoryQuery::Claim(Box::new(BotClaim {
        holder: holder(by),
        bot: info(name),
        instance: by
            .is_multiple_of(2)
            .then(|| format!("instance {by}").into()),
        takeover,
        dead: dead(evicted),
    }))
}

pub fn claim(name: &str, by: u8) -> DirectoryQuery {
    claim_with(name, by, Takeover::Replace, &[])
}

pub fn fence(by: u8, epoch: u64) -> Fence {
    Fence {
        conn: conn(by),
        epoch,
    }
}

pub fn release(by: u8, bots: &[(&str, u64)], seen: &[&str]) -> DirectoryQuery {
    DirectoryQuery::Release(Box::new(EntryRelease {
        conns: vec![conn(by)],
        bots: bots
            .iter()
            .map(|(id, epoch)| (bot(id), fence(by, *epoch)))
            .collect(),
        seen: seen.iter().map(|id| client(id)).collect(),
    }))
}

pub fn enter(by: u8, name: &str) -> DirectoryQuery {
    let record = ConnRecord {
        boot: boot(by / 10),
        client: client(name),
    };
    DirectoryQuery::Enter {
        conn: conn(by),
        record,
    }
}

/// `bots`: name, connection, epoch. `conns`: connection, client.
pub fn assert(bots: &[(&str, u8, u64)], conns: &[(u8, &str)], generation: u64) -> DirectoryQuery {
    let record = |(name, by, epoch): &(&str, u8, u64)| BotRecord {
        info: BotInfo {
            status: BotState::Online,
            since: 5,
            ..info(name)
        },
        holder: Some(holder(*by)),
        epoch: *epoch,
        instance: None,
    };
    let conn_record = |(by, name): &(u8, &str)| {
        let record = ConnRecord {
            boot: boot(by / 10),
            client: client(name),
        };
        (conn(*by), record)
    };
    DirectoryQuery::Assert(Box::new(HeldEntries {
        boot: boot(0),
        bots: bots.iter().map(record).collect(),
        conns: conns.iter().map(conn_record).collect(),
        generation,
    }))
}

pub fn load(evicted: &[u8]) -> DirectoryQuery {
    DirectoryQuery::Load {
        dead: dead(evicted),
    }
}

pub fn reap(evicted: &[u8]) -> DirectoryQuery {
    DirectoryQuery::Reap {
        dead: dead(evicted),
    }
}

pub fn forget(name: &str, fence: Option<Fence>) -> DirectoryQuery {
    DirectoryQuery::Forget {
        bot: bot(name),
        fence,
    }
}

/// The labels of these names and values.
pub fn labels(pairs: &[(&str, &str)]) -> TenantLabels {
    let mut labels = TenantLabels::default();
    for (name, value) in pairs {
        labels.add((*name).to_owned(), (*value).to_owned()).unwrap();
    }
    labels
}
