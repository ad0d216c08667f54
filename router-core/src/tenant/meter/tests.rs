use proptest::collection::vec;
use proptest::prelude::*;
use protocol::{BootId, RefusalClass, TenantId, UsageCounts, UsageHour, UsageMeter};

use super::backlog::WAITING_MAX;
use super::messages::MessageFate;
use super::{SocketCounts, TenantMeter, UnbookedUsage};
use crate::effect::{TenantEffect, TenantEffects};
use crate::env::{Env, Millis, Settings};
use crate::membership::NodeView;
use crate::store::{
    StoreFailure, StoreQuery, StoreReply, StoreResult, UsageQuery, UsageRecord, UsageReply,
};
use crate::tenant::quota::MonthQuota;

mod damage;

const BOOKED: StoreResult = Ok(StoreReply::Usage(UsageReply::Booked { is_late: false }));
const LOST: StoreResult = Err(StoreFailure::Lost);
const BOT: SocketCounts = SocketCounts {
    bots: 1,
    clients: 0,
};

/// A meter, its clock, and what it asks.
struct Rig {
    meter: TenantMeter,
    id: TenantId,
    settings: Settings,
    nodes: NodeView,
    now_ms: Millis,
    /// Between the clock and Unix time.
    unix_ms: Millis,
    fx: TenantEffects,
}

impl Rig {
    /// At the beginning of an hour.
    fn new() -> Self {
        let settings = Settings::default();
        let nodes = NodeView::alone(BootId::from_bits(1));
        let id = TenantId::parse("alice").unwrap();
        let unix_ms = UsageHour::parse("2026112809").unwrap().start_ms();
        let env = env_at((&settings, &nodes), 0, unix_ms);
        Self {
            meter: TenantMeter::new(&env, &id),
            id,
            nodes,
            now_ms: 0,
            unix_ms,
            fx: TenantEffects::default(),
            settings,
        }
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut TenantMeter, &Env<'_>) -> T) -> T {
        let env = env_at((&self.settings, &self.nodes), self.now_ms, self.unix_ms);
        act(&mut self.meter, &env)
    }

    fn count(&mut self, amount: u64) {
        self.with(|meter, env| meter.counts(env)[UsageMeter::BytesIn] += amount);
    }

    fn pass(&mut self, ms: Millis) {
        self.now_ms += ms;
    }

    /// The hour that is held.
    fn oldest(&mut self) -> Option<UsageHour> {
        self.with(|meter, env| meter.oldest_unbooked(env))
    }

    /// Flushes, and returns the record that the store is asked to book.
    fn flush(&mut self) -> Option<UsageRecord> {
        let env = env_at((&self.settings, &self.nodes), self.now_ms, self.unix_ms);
        self.meter.flush(&env, &self.id, &mut self.fx);
        self.asked()
    }

    fn answer(&mut self, record: &UsageRecord, reply: StoreResult) -> Option<UsageRecord> {
        let env = env_at((&self.settings, &self.nodes), self.now_ms, self.unix_ms);
        let number = (1 << 63) | record.seq;
        self.meter
            .answered(&env, (&self.id, number), reply, &mut self.fx);
        self.asked()
    }

    fn asked(&mut self) -> Option<UsageRecord> {
        let effect = loop {
            let effect = self.fx.pop()?;
            if !matches!(effect, TenantEffect::Note(_)) {
                break effect;
            }
        };
        assert!(self.fx.is_empty(), "one record at a time");
        let TenantEffect::Ask { request, .. } = effect else {
            panic!("{effect:?}");
        };
        let StoreQuery::Usage(UsageQuery::Book { record, .. }) = request.query else {
            panic!("{request:?}");
        };
        Some(*record)
    }
}

fn env_at<'a>(
    (settings, nodes): (&'a Settings, &'a NodeView),
    now_ms: Millis,
    unix_ms: Millis,
) -> Env<'a> {
    Env {
        now_ms,
        unix_ms: unix_ms + now_ms,
        entropy: 0,
        settings,
        nodes,
        round_ms: 0,
    }
}

#[test]
fn a_record_stays_as_it_is_until_it_is_booked() {
    let mut rig = Rig::new();
    rig.count(5);
    let first = rig.flush().unwrap();
    assert_eq!(first.counts[UsageMeter::BytesIn], 5);
    rig.count(7);
    assert_eq!(rig.flush(), None, "the first is with the store");
    assert_eq!(rig.answer(&first, LOST), None);
    rig.count(1);
    assert_eq!(rig.flush(), Some(first.clone()), "the same again");
    assert_eq!(rig.answer(&first, BOOKED), None);
    assert!(!rig.meter.is_settled());
    let second = rig.flush().unwrap();
    assert_eq!(second.counts[UsageMeter::BytesIn], 8);
    assert!(second.seq > first.seq);
    assert_eq!(
        rig.answer(&first, BOOKED),
        None,
        "an old answer says nothing"
    );
    assert!(!rig.meter.is_settled());
    rig.answer(&second, BOOKED);
    assert!(rig.meter.is_settled());
    assert_eq!(rig.flush(), None);
}

#[test]
fn an_hour_has_a_record_of_its_own_and_time_is_divided() {
    let mut rig = Rig::new();
    rig.with(|meter, env| meter.set_sockets(env, BOT));
    rig.pass(3_600_000 - 2000);
    rig.count(5);
    let first = rig.flush().unwrap();
    rig.answer(&first, BOOKED);
    rig.pass(5000);
    rig.count(7);
    let old = rig.flush().unwrap();
    rig.answer(&old, BOOKED);
    let new = rig.flush().unwrap();
    assert_eq!((old.hour, new.hour), (first.hour, first.hour.plus(1)));
    let ms = |record: &UsageRecord| record.counts[UsageMeter::ConnectionSecondsBot];
    assert_eq!([ms(&first), ms(&old), ms(&new)], [3_598_000, 2000, 3000]);
    assert_eq!(new.counts[UsageMeter::BytesIn], 7);
}

#[test]
fn metering_takes_at_most_128_bytes_of_an_idle_tenant() {
    let mut rig = Rig::new();
    rig.with(|meter, env| meter.set_sockets(env, BOT));
    rig.pass(10_000);
    let record = rig.flush().unwrap();
    rig.answer(&record, BOOKED);
    let id = rig.id.clone();
    let report = rig.with(|meter, env| meter.report(env, &id));
    assert_eq!(report.added, record.counts);
    let meter = &rig.meter;
    assert!(meter.open.is_none() && meter.backlog.is_none());
    // The tenant has a place for its quota too, and its members count the sockets.
    let others = size_of::<Option<Box<MonthQuota>>>() + size_of::<SocketCounts>();
    assert!(size_of::<TenantMeter>() + others <= 128);
}

#[test]
fn hours_without_a_store_are_bounded_and_nothing_is_lost() {
    let mut rig = Rig::new();
    let hours = WAITING_MAX as u64 + 10;
    for _ in 0..hours {
        rig.count(1);
        rig.pass(3_600_000);
    }
    let mut record = rig.flush().unwrap();
    assert_eq!(rig.meter.waiting().len(), WAITING_MAX);
    assert_eq!(
        record.counts[UsageMeter::BytesIn],
        1,
        "the first may be booked"
    );
    let mut sum = 0;
    while !rig.meter.is_settled() {
        sum += record.counts[UsageMeter::BytesIn];
        let next = rig.answer(&record, BOOKED).or_else(|| rig.flush());
        match next {
            Some(next) => record = next,
            None => break,
        }
    }
    assert_eq!(sum, hours);
}

#[test]
fn a_tenant_that_comes_back_uses_no_number_twice() {
    let mut rig = Rig::new();
    let mut last = 0;
    for _ in 0..5 {
        for _ in 0..20 {
            rig.count(1);
            let record = rig.flush().unwrap();
            assert!(record.seq > last, "{} after {last}", record.seq);
            last = record.seq;
            rig.answer(&record, BOOKED);
            rig.pass(1000);
        }
        let env = env_at((&rig.settings, &rig.nodes), rig.now_ms, rig.unix_ms);
        rig.meter = TenantMeter::new(&env, &rig.id);
    }
}

#[test]
fn an_evicted_node_books_under_the_boot_that_counted() {
    let mut rig = Rig::new();
    rig.count(5);
    let reported = rig.with(|meter, env| meter.report(env, &TenantId::parse("alice").unwrap()));
    rig.nodes.own = BootId::from_bits(2);
    let record = rig.flush().unwrap();
    assert_eq!(record.boot, BootId::from_bits(1));
    assert_eq!(*reported.unbooked.records, [record.clone()][..]);
    rig.answer(&record, BOOKED);
    assert_eq!(rig.meter.booked().unwrap().boot, record.boot);
    rig.count(1);
    assert_eq!(rig.flush().unwrap().boot, BootId::from_bits(2));
}

#[test]
fn every_message_has_an_outcome() {
    let mut rig = Rig::new();
    let fates = [
        MessageFate::Accepted,
        MessageFate::Duplicate,
        MessageFate::Refused(RefusalClass::Limit),
    ];
    for fate in fates {
        rig.with(|meter, env| {
            meter.begin_message();
            meter.decide(env, fate);
        });
    }
    rig.with(|meter, env| meter.refuse_early(env, RefusalClass::Client));
    assert_eq!(rig.meter.undecided(), 0);
    let counts = rig.flush().unwrap().counts;
    assert_eq!(counts[UsageMeter::MessagesSent], 4);
    assert_eq!(counts.conserve(), Ok(()));
}

#[test]
#[should_panic(expected = "USE-1")]
fn no_message_is_counted_twice() {
    let mut rig = Rig::new();
    rig.with(|meter, env| meter.decide(env, MessageFate::Accepted));
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Count(u64),
    Sockets(u32),
    Pass(Millis),
    Flush,
    Answer(bool),
    Report,
    Crash,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (1..100u64).prop_map(Act::Count),
        1 => (0..3u32).prop_map(Act::Sockets),
        2 => (1..2_000_000u64).prop_map(Act::Pass),
        3 => Just(Act::Flush),
        3 => any::<bool>().prop_map(Act::Answer),
        3 => Just(Act::Report),
        1 => Just(Act::Crash),
    ];
    vec(act, 1..80)
}

/// A ledger that books each number of a boot once.
#[derive(Default)]
struct Ledger {
    counts: UsageCounts,
    seen: std::collections::BTreeMap<BootId, u64>,
}

impl Ledger {
    fn book(&mut self, record: &UsageRecord) {
        let last = self.seen.entry(record.boot).or_default();
        if record.seq > *last {
            *last = record.seq;
            self.counts.add(&record.counts);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    /// Whatever the store answers, and whenever the process dies: the ledger has what was counted, without
    /// what came after the last report before a death, and with the time that sockets were open.
    #[test]
    fn the_ledger_has_what_was_counted(acts in acts()) {
        let mut rig = Rig::new();
        let (mut ledger, mut asked) = (Ledger::default(), None::<UsageRecord>);
        // Bytes that were counted and reported, and those since the last report.
        let (mut reported, mut since, mut added) = (0, 0, UsageCounts::default());
        // The time that sockets were open until now, and until the last write of the journal.
        let (mut bots, mut open_ms, mut written_ms) = (0, 0, 0);
        let (mut journal, mut boots) = (None::<(UnbookedUsage, Millis)>, 1u128);
        for act in acts {
            match act {
                Act::Count(amount) => {
                    rig.count(amount);
                    since += amount;
                }
                Act::Sockets(now) => {
                    bots = now;
                    let sockets = SocketCounts { bots, clients: 0 };
                    rig.with(|meter, env| meter.set_sockets(env, sockets));
                }
                Act::Pass(ms) => {
                    rig.pass(ms);
                    open_ms += u64::from(bots) * ms;
                }
                Act::Flush => asked = rig.flush().or(asked),
                Act::Answer(is_lost) => {
                    if let Some(record) = asked.take() {
                        ledger.book(&record);
                        let reply = if is_lost { LOST } else { BOOKED };
                        asked = rig.answer(&record, reply);
                    }
                }
                Act::Report => {
                    // A journal keeps the last word of a tenant that did not change.
                    if rig.meter.take_unlisted() {
                        let id = rig.id.clone();
                        let report = rig.with(|meter, env| meter.report(env, &id));
                        added.add(&report.added);
                        reported += std::mem::take(&mut since);
                        journal = Some((report.unbooked, 0));
                    }
                    if let Some((_, last_ms)) = &mut journal {
                        *last_ms = rig.unix_ms + rig.now_ms;
                        written_ms = open_ms;
                    }
                }
                Act::Crash => {
                    // What is with the store may be booked before the journal is, and counts as reported then.
                    if let Some((unbooked, last_ms)) = journal.take() {
                        for record in unbooked.recovered(rig.nodes.own, last_ms) {
                            ledger.book(&record);
                        }
                    }
                    let bytes = ledger.counts[UsageMeter::BytesIn];
                    prop_assert!(bytes >= reported && bytes <= reported + since);
                    let ms = ledger.counts[UsageMeter::ConnectionSecondsBot];
                    prop_assert!(ms >= written_ms && ms <= open_ms, "{written_ms}..{open_ms}: {ms}");
                    (reported, since, asked) = (bytes, 0, None);
                    (bots, open_ms, written_ms) = (0, ms, ms);
                    boots += 1;
                    rig.nodes.own = BootId::from_bits(boots);
                    let env = env_at((&rig.settings, &rig.nodes), rig.now_ms, rig.unix_ms);
                    rig.meter = TenantMeter::new(&env, &rig.id);
                }
            }
        }
        while let Some(record) = asked.take().or_else(|| rig.flush()) {
            ledger.book(&record);
            asked = rig.answer(&record, BOOKED);
        }
        prop_assert!(rig.meter.is_settled());
        prop_assert_eq!(ledger.counts[UsageMeter::BytesIn], reported + since);
        prop_assert_eq!(ledger.counts[UsageMeter::ConnectionSecondsBot], open_ms);
        let id = rig.id.clone();
        added.add(&rig.with(|meter, env| meter.report(env, &id)).added);
        prop_assert!(added[UsageMeter::BytesIn] <= reported + since);
    }
}
