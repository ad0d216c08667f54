//! The bounds of a history, and whose events go.

use protocol::{BootId, BotId, ClientId, CloseCode, ConnectionId, ErrorCode, TenantId};
use router_core::ConnKey;
use router_core::auth::Source;
use router_core::store::BotHolder;

use super::bot::{BotConnection, BotLoss, ConnectionClose, LossCause};
use super::event::{EventKind, HistoryEvent};
use super::table::{ENTRY_BYTES, HistoryTable, PARTS};
use super::tenant::{BOTS_MAX, EVENTS_MAX, TenantHistory};
use crate::memory::{MEMORY_BYTES_MIN, MemoryDivision};
use crate::ws::ConnectionEnd;

fn source(last: u8) -> Source {
    Source::of([10, 0, 0, last].into())
}

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

fn refused(code: ErrorCode, last: u8) -> HistoryEvent {
    HistoryEvent::new(EventKind::Refused(code), source(last))
}

fn claim(last: u8) -> HistoryEvent {
    let reason = "invalid";
    let is_verified = false;
    HistoryEvent::new(
        EventKind::CredentialFailed {
            reason,
            is_verified,
        },
        source(last),
    )
}

fn connection(number: usize) -> ConnectionId {
    ConnectionId::parse(&format!("conn_{number:026}")).unwrap()
}

fn connected(number: usize) -> HistoryEvent {
    HistoryEvent {
        connection: Some(connection(number)),
        ..HistoryEvent::new(EventKind::Connected, source(1))
    }
}

fn registered(number: usize) -> HistoryEvent {
    let kind = EventKind::Registered { from: None };
    HistoryEvent {
        bot: Some(bot(number).bot),
        ..HistoryEvent::new(kind, source(1))
    }
}

fn bot(number: usize) -> BotConnection {
    BotConnection {
        bot: BotId::parse(&format!("bot_{number}")).unwrap(),
        key: ConnKey(number as u64),
        connection: connection(number),
        client: ClientId::parse("client").unwrap(),
        source: source(1),
        since_ms: 5,
        loss: None,
        close: None,
    }
}

/// The names of all events, the newest first, and how often each came.
fn shown(history: &TenantHistory) -> Vec<(&'static str, u32)> {
    let events = history.events();
    events
        .map(|known| {
            let kind = &known.event.kind;
            (kind.reason().unwrap_or(kind.name()), known.count)
        })
        .collect()
}

#[test]
fn equal_events_are_one_with_a_count_and_both_times() {
    let mut history = TenantHistory::default();
    for now_ms in [10, 20, 30] {
        history.add(refused(ErrorCode::RateLimited, 1), now_ms);
        history.add(refused(ErrorCode::BotOffline, 1), now_ms + 1);
    }
    history.add(refused(ErrorCode::BotOffline, 2), 40);
    let expected = [("bot_offline", 1), ("bot_offline", 3), ("rate_limited", 3)];
    assert_eq!(shown(&history), expected);
    let first = history.events().last().unwrap();
    assert_eq!((first.first_ms, first.last_ms), (10, 30));
    let mut counts: Vec<_> = history.counts().iter().collect();
    counts.sort_by_key(|count| count.reason);
    let counts: Vec<_> = counts.iter().map(|it| (it.reason, it.count)).collect();
    let expected = [(Some("bot_offline"), 4), (Some("rate_limited"), 3)];
    assert_eq!(counts, expected);
}

#[test]
fn an_event_far_back_is_not_joined() {
    let mut history = TenantHistory::default();
    history.add(refused(ErrorCode::RateLimited, 1), 1);
    (0..8).for_each(|i| history.add(connected(i), 2));
    history.add(refused(ErrorCode::RateLimited, 1), 3);
    let shown = shown(&history);
    assert_eq!(
        (shown[0], shown[9]),
        (("rate_limited", 1), ("rate_limited", 1))
    );
}

#[test]
fn the_oldest_of_fifty_goes() {
    let mut history = TenantHistory::default();
    (0..30).for_each(|i| history.add(connected(i), i as u64));
    (0..23).for_each(|i| history.add(registered(i), 30 + i as u64));
    assert_eq!(history.events().count(), EVENTS_MAX);
    assert_eq!(history.events().last().unwrap().first_ms, 3);
    let counts = history.counts().iter().map(|it| it.count);
    assert_eq!(
        counts.collect::<Vec<_>>(),
        [30, 23],
        "counts know what is forgotten"
    );
}

#[test]
fn a_flood_of_sockets_leaves_the_other_events() {
    let mut history = TenantHistory::default();
    (0..10).for_each(|i| history.add(registered(i), 1));
    (0..10).for_each(|i| history.add(refused(ErrorCode::BotOffline, i), 2));
    (0..200).for_each(|i| history.add(connected(i), 3));
    let of = |name: &str| {
        let all = shown(&history);
        all.iter().filter(|(known, _)| *known == name).count()
    };
    let counts = ["connected", "registered", "bot_offline"].map(of);
    assert_eq!(counts, [30, 10, 10]);
}

#[test]
fn a_flood_of_refusals_or_of_claims_leaves_the_other_events() {
    let mut history = TenantHistory::default();
    (0..30).for_each(|i| history.add(connected(i), 1));
    (0..200).for_each(|i| history.add(refused(ErrorCode::RateLimited, i), 2));
    (0..200).for_each(|i| history.add(claim(i), 3));
    let of = |name: &str| {
        let all = shown(&history);
        all.iter().filter(|(known, _)| *known == name).count()
    };
    let counts = ["connected", "rate_limited", "invalid"].map(of);
    assert_eq!(counts, [22, 20, 8]);
}

#[test]
fn a_bot_has_its_last_connection_and_how_that_ended() {
    let mut history = TenantHistory::default();
    history.bot_arrived(bot(1));
    let later = BotConnection {
        key: ConnKey(7),
        connection: connection(7),
        ..bot(1)
    };
    history.bot_arrived(later.clone());
    let loss = |cause| BotLoss { at_ms: 9, cause };
    let id = &later.bot;
    // The takeover is told of the connection that lost it.
    history.bot_lost(id, ConnKey(1), loss(LossCause::TakenOver(None)));
    assert_eq!(history.bots().collect::<Vec<_>>(), [&later]);
    history.bot_lost(id, ConnKey(7), loss(LossCause::ConnectionLeft));
    let close = ConnectionClose {
        at_ms: 10,
        end: ConnectionEnd::Us(CloseCode::Suspended),
        lasted_ms: 3,
    };
    history.closed(&connection(1), close);
    assert_eq!(history.bots().next().unwrap().close, None);
    history.closed(&connection(7), close);
    let known = history.bots().next().unwrap();
    assert_eq!(known.close, Some(close));
    assert_eq!(known.loss, Some(loss(LossCause::ConnectionLeft)));
}

#[test]
fn of_many_bots_those_that_changed_last_are_kept() {
    let mut history = TenantHistory::default();
    (0..BOTS_MAX).for_each(|i| history.bot_arrived(bot(i)));
    history.bot_arrived(bot(0));
    history.bot_arrived(bot(BOTS_MAX));
    let kept: Vec<u64> = history.bots().map(|known| known.key.0).collect();
    assert_eq!(kept.len(), BOTS_MAX);
    assert!(kept.contains(&0) && !kept.contains(&1), "{kept:?}");
}

#[test]
fn a_tenant_sees_its_own_events_only() {
    let table = HistoryTable::new(1 << 20);
    table.write(&tenant("alice"), |it| it.add(connected(1), 1));
    table.write(&tenant("bob"), |it| {
        it.add(refused(ErrorCode::BotOffline, 1), 2)
    });
    let of = |name| table.read(&tenant(name), shown);
    assert_eq!(of("alice"), Some(vec![("connected", 1)]));
    assert_eq!(of("bob"), Some(vec![("bot_offline", 1)]));
    assert_eq!(of("carol"), None);
}

#[test]
fn a_tenant_that_somebody_invented_is_not_remembered() {
    let table = HistoryTable::new(1 << 20);
    let name = |i: u32| tenant(&format!("invented{i}"));
    (0..1000).for_each(|i| table.write_if_known(&name(i), |it| it.add(claim(1), 1)));
    assert_eq!(table.size(), (0, 0));
    table.write(&tenant("alice"), |it| it.add(connected(1), 1));
    table.write_if_known(&tenant("alice"), |it| it.add(claim(1), 1));
    let alice = table.read(&tenant("alice"), shown);
    assert_eq!(alice, Some(vec![("invalid", 1), ("connected", 1)]));
}

#[test]
fn a_flood_of_one_tenant_takes_no_place_of_others() {
    let table = HistoryTable::new(1 << 20);
    let quiet = |i: usize| tenant(&format!("quiet{i}"));
    (0..100).for_each(|i| table.write(&quiet(i), |it| it.add(connected(i), 1)));
    for i in 0..5000_usize {
        table.write(&tenant("loud"), |it| {
            it.add(connected(i), 2);
            it.add(refused(ErrorCode::RateLimited, i as u8), 2);
            it.bot_arrived(bot(i));
        });
    }
    let kept = (0..100).filter(|i| table.read(&quiet(*i), shown).is_some());
    assert_eq!(kept.count(), 100);
}

#[test]
fn what_a_table_takes_is_what_its_histories_take() {
    let table = HistoryTable::new(1 << 20);
    let alice = tenant("alice");
    for i in 0..300_usize {
        table.write(&alice, |it| match i % 4 {
            0 => it.add(connected(i), 1),
            1 => it.add(refused(ErrorCode::RateLimited, (i % 3) as u8), 1),
            2 => it.bot_arrived(bot(i)),
            _ => {
                let by = BotHolder {
                    boot: BootId::from_bits(1),
                    conn: connection(1),
                };
                let cause = LossCause::TakenOver(Some(Box::new(by)));
                let loss = BotLoss { at_ms: 1, cause };
                it.bot_lost(&bot(i - 1).bot, ConnKey(i as u64 - 1), loss);
            }
        });
    }
    let bytes = table.read(&alice, TenantHistory::bytes).unwrap();
    assert_eq!(table.size(), (bytes + ENTRY_BYTES, 1));
}

#[test]
fn a_full_table_forgets_who_was_quiet_for_longest() {
    let bytes_max = 256 * 1024;
    let table = HistoryTable::new(bytes_max);
    let name = |i: usize| tenant(&format!("tenant{i}"));
    for i in 0..5000 {
        table.write(&name(i), |it| it.add(connected(i), 1));
        // It stays, however many come after it.
        table.write(&name(0), |it| it.add(refused(ErrorCode::BotOffline, 1), 1));
    }
    let (bytes, tenants) = table.size();
    assert!(bytes <= bytes_max as usize, "{bytes}");
    assert!(tenants > 100, "{tenants}");
    assert!(table.read(&name(0), shown).is_some());
    assert!(table.read(&name(1), shown).is_none());
    assert!(table.read(&name(4999), shown).is_some());
}

/// The largest history: docs/admin-api.md states it.
#[test]
fn a_tenant_takes_less_than_36_kib() {
    let mut history = TenantHistory::default();
    let long = "x".repeat(80);
    let client = ClientId::parse(&long).unwrap();
    let name = |i: usize| BotId::parse(&format!("{i:080}")).unwrap();
    for code in ErrorCode::ALL {
        history.add(refused(*code, 1), 1);
    }
    for close in CloseCode::ALL {
        let end = ConnectionEnd::Us(*close);
        let lasted_ms = 1;
        let kind = EventKind::Disconnected { end, lasted_ms };
        history.add(HistoryEvent::new(kind, source(1)), 1);
    }
    for i in 0..200 {
        // No class alone fills the history.
        for event in [connected(i), registered(i)] {
            let (client, bot) = (Some(client.clone()), Some(name(i)));
            history.add(
                HistoryEvent {
                    client,
                    bot,
                    ..event
                },
                1,
            );
        }
        history.bot_arrived(BotConnection {
            bot: name(i),
            client: client.clone(),
            ..bot(i)
        });
    }
    let bytes = history.bytes();
    assert!(bytes < 36 * 1024, "{bytes}");
    let smallest = MemoryDivision::of(MEMORY_BYTES_MIN).history as usize;
    assert!(bytes * PARTS < smallest, "a part has room for one at least");
}
