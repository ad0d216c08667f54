//! Steps that somebody made up: they cost a few reads of the directory, not one after the other.

use protocol::limits::HEAL_MS;
use router_core::Millis;
use router_core::effect::RouterFact;
use router_core::shard::ShardInput;
use router_core::store::{DirectoryChange, DirectoryEvent, DirectoryQuery, StoreQuery};

use crate::other_nodes::OTHER;
use crate::talk::{alice, message};
use crate::world::World;

/// Reads after which a test gives up.
const READS_MAX: usize = 200;

impl World {
    /// A step that follows one that never was: `prev`, `ver`, and a client that was seen.
    fn made_up(&mut self, prev: u64, ver: u64) {
        let seen = DirectoryChange::Seen("x".parse().unwrap(), self.now_ms);
        let event = DirectoryEvent {
            prev,
            ver,
            changes: vec![seen],
        };
        let tenant = alice();
        self.shard(ShardInput::Event { tenant, event });
    }

    /// The store answers all that is asked. Returns how often the directory was asked for.
    fn answer_reads(&mut self) -> usize {
        let mut reads = 0;
        while let Some(asked) = self.asks.get(&alice()).and_then(|asks| asks.front()) {
            let is_read = matches!(
                &asked.1.query,
                StoreQuery::Directory(request) if matches!(request.query, DirectoryQuery::Load { .. })
            );
            reads += usize::from(is_read);
            if reads == READS_MAX {
                break;
            }
            self.answer_with(&alice(), |model, request| model.execute(request).0);
        }
        reads
    }

    /// The same over a time, in steps of 50 ms.
    fn answer_reads_for(&mut self, ms: Millis) -> usize {
        let steps = ms / 50;
        let reads = (0..steps).map(|_| {
            self.pass(50);
            self.answer_reads()
        });
        reads.sum()
    }
}

#[test]
fn a_step_that_follows_nothing_costs_a_few_reads() {
    let mut w = World::of_three();
    let phone = w.join(Some("phone"));
    w.far_bot(OTHER);
    w.pass(200);
    w.take(phone);
    w.prompt = false;
    w.made_up(1, w.now_ms * 1000);
    let reads = w.answer_reads() + w.answer_reads_for(4 * HEAL_MS);
    assert!((1..=3).contains(&reads), "{reads} reads");
    w.text(phone, message("bot_far", "hello").to_string());
    assert_eq!(w.published.len(), 1, "the replica serves on");
}

#[test]
fn many_of_them_are_read_for_less_and_less_often() {
    let mut w = World::of_three();
    let phone = w.join(Some("phone"));
    w.pass(200);
    w.take(phone);
    w.prompt = false;
    let mut reads = 0;
    for _ in 0..20 * 20 {
        w.made_up(1, w.now_ms * 1000);
        w.pass(50);
        reads += w.answer_reads();
    }
    // Twice at once, then after 100, 200, 400, 800, 1600, 3200, 5000, 5000, … ms, give or take a quarter.
    assert!((5..=12).contains(&reads), "{reads} reads in 20 s");
    let deferred = w.facts.iter().any(|fact| {
        matches!(fact, RouterFact::ReadDeferred(deferred) if deferred.0 == alice() && deferred.1 > 1000)
    });
    assert!(deferred, "the shell is told");
    reads = w.answer_reads_for(60_000);
    assert!(reads <= 3, "{reads} reads after the last of them");
    w.made_up(1, w.now_ms * 1000);
    assert_eq!(w.answer_reads(), 1, "a read after a quiet time is at once");
}

#[test]
fn while_a_read_waits_true_steps_take_effect() {
    let mut w = World::of_three();
    let phone = w.join(Some("phone"));
    w.pass(200);
    w.take(phone);
    w.prompt = false;
    for _ in 0..60 {
        w.made_up(1, w.now_ms * 1000);
        w.pass(50);
        w.answer_reads();
    }
    w.far_bot(OTHER);
    w.text(phone, message("bot_far", "hello").to_string());
    assert_eq!(w.published.len(), 1);
}
