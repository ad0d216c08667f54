//! When a tenant without connections is forgotten: not before the store certainly knows all that this
//! node must tell it.

use std::sync::Arc;

use protocol::limits::TENANT_LINGER_MS;
use protocol::{BootId, UsageHour};
use router_core::shard::ShardInput;
use router_core::store::{
    Model, StoreFailure, StoreQuery, StoreReply, StoreRequest, UsageQuery, UsageReply,
};
use router_core::{Env, NodeView};

use crate::other_nodes::OTHER;
use crate::talk::{alice, key};
use crate::world::{START_MS, World};

impl World {
    /// Time passes, and the store says nothing of the directory. The usage is booked.
    fn pass_unanswered(&mut self, ms: u64) {
        self.prompt = false;
        for _ in 0..ms / 1000 {
            self.pass(1000);
            while self.asks.get(&alice()).is_some_and(|asks| !asks.is_empty()) {
                self.answer_with(&alice(), |model, request| match &request.query {
                    StoreQuery::Directory(_) => Err(StoreFailure::Lost),
                    StoreQuery::Policy(_) | StoreQuery::Labels(_) | StoreQuery::Usage(_) => {
                        model.execute(request).0
                    }
                });
            }
        }
        self.prompt = true;
    }

    /// How many connections and homes the store has of the tenant.
    fn stored_entries(&mut self) -> (usize, usize) {
        let stored = self.snapshot(&alice());
        let held = stored.bots.iter().filter(|bot| bot.holder.is_some());
        (stored.conns.len(), held.count())
    }

    /// What the shard knows of the records that the store has.
    fn known_records(&self) -> Vec<(BootId, u64)> {
        let known = self.shard.booked();
        let known = known.map(|(tenant, record)| {
            assert_eq!(*tenant, alice());
            (record.boot, record.seq)
        });
        known.collect()
    }

    /// The last record of each boot that the store has of the tenant: of one boot.
    fn stored_records(&mut self) -> Vec<(BootId, u64)> {
        let request = StoreRequest {
            tenant: alice(),
            now_ms: self.now_ms,
            query: UsageQuery::Seen.into(),
        };
        let (reply, _) = self.model.execute(request);
        let Ok(UsageReply::Seen(seen)) = reply.and_then(StoreReply::into_usage) else {
            panic!("the store answers with the last records")
        };
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen
    }
}

/// A socket with a bot came and went. The store that comes next has both still.
fn scene() -> (World, Model) {
    let mut w = World::of_three();
    let bot = w.join_bot(&["bot_a"]);
    let older = w.model.clone();
    w.drop_conn(bot);
    assert_eq!(w.stored_entries(), (0, 0));
    (w, older)
}

#[test]
fn a_tenant_is_kept_while_nobody_knows_whether_the_store_lost_its_last_step() {
    let (mut w, older) = scene();
    w.model = older;
    w.pass_unanswered(2 * TENANT_LINGER_MS);
    assert_eq!(w.unloaded, [], "the store did not answer");
    assert_eq!(w.stored_entries(), (1, 1));
    w.pass(3 * TENANT_LINGER_MS);
    assert_eq!(w.stored_entries(), (0, 0), "released again");
    assert_eq!(w.unloaded, [alice()]);
}

#[test]
fn a_tenant_is_kept_while_its_node_is_degraded() {
    let (mut w, older) = scene();
    let healthy = Arc::clone(&w.nodes);
    // As late as possible, so that the store has just answered.
    w.pass(TENANT_LINGER_MS - 1);
    w.model = older;
    w.nodes = Arc::new(NodeView {
        degraded: true,
        ..NodeView::clone(&healthy)
    });
    w.pass(1);
    assert_eq!(w.unloaded, []);
    w.nodes = healthy;
    w.shard(ShardInput::Resync);
    w.pass(3 * TENANT_LINGER_MS);
    assert_eq!(w.stored_entries(), (0, 0));
    assert_eq!(w.unloaded, [alice()]);
}

#[test]
fn a_process_that_stood_still_asks_the_store_before_it_forgets_a_tenant() {
    let (mut w, older) = scene();
    w.pass(20_000);
    w.model = older;
    w.now_ms += TENANT_LINGER_MS;
    w.pass(3 * TENANT_LINGER_MS);
    assert_eq!(w.stored_entries(), (0, 0));
    assert_eq!(w.unloaded, [alice()]);
}

#[test]
fn a_tenant_is_kept_until_what_a_dead_node_left_is_released() {
    let mut w = World::of_three();
    let phone = w.join(Some("phone"));
    w.far_conn(OTHER, "desk");
    w.drop_conn(phone);
    w.pass(TENANT_LINGER_MS - 1);
    let mut nodes = NodeView::clone(&w.nodes);
    nodes.peers.remove(&OTHER);
    nodes.dead = [OTHER].into();
    w.nodes = Arc::new(nodes);
    w.shard(ShardInput::NodeEvicted(OTHER));
    w.pass(1);
    assert_eq!(w.unloaded, []);
    w.pass(2 * TENANT_LINGER_MS);
    assert_eq!(w.stored_entries(), (0, 0));
    assert_eq!(w.unloaded, [alice()]);
}

/// Else the answer could be taken for that to a question of the tenant that is loaded next.
#[test]
fn a_tenant_is_kept_until_its_questions_are_answered() {
    let (mut w, _) = scene();
    w.pass(TENANT_LINGER_MS - 10_000);
    w.prompt = false;
    w.pass(2 * TENANT_LINGER_MS);
    let asked = w.asks[&alice()].iter().map(|(_, request)| &request.query);
    assert_eq!(asked.count(), 1, "the store's number");
    assert_eq!(w.unloaded, []);
    w.prompt = true;
    w.run();
    w.pass(2 * TENANT_LINGER_MS);
    assert_eq!(w.unloaded, [alice()]);
}

#[test]
fn a_tenant_whose_directory_was_never_read_is_forgotten_at_once() {
    let mut w = World::of_three();
    w.prompt = false;
    w.arrive(Some(key("alice", 0)), None);
    w.answer(&alice(), true);
    w.pass(1);
    assert_eq!(w.unloaded, [alice()]);
}

#[test]
fn the_last_booked_record_of_a_forgotten_tenant_is_known() {
    let (mut w, _) = scene();
    for _ in 0..2 {
        w.pass(3 * TENANT_LINGER_MS);
        assert_eq!(w.unloaded.pop(), Some(alice()));
        assert!(!w.shard.has(&alice()));
        assert_eq!(w.known_records(), w.stored_records());
        // It comes back, and books more: the newer record takes the place of the older one.
        let phone = w.join(Some("phone"));
        assert_eq!(w.known_records(), w.stored_records());
        w.pass(60_000);
        w.drop_conn(phone);
        w.pass(30_000);
        assert!(w.shard.has(&alice()));
        assert_eq!(w.known_records(), w.stored_records());
    }
}

#[test]
fn what_a_forgotten_tenant_used_is_reported() {
    let (mut w, _) = scene();
    w.pass(3 * TENANT_LINGER_MS);
    assert!(!w.shard.has(&alice()));
    let (settings, nodes) = (Arc::clone(&w.settings), Arc::clone(&w.nodes));
    let env = Env {
        now_ms: w.now_ms,
        unix_ms: w.unix_ms(),
        entropy: 0,
        settings: &settings,
        nodes: &nodes,
        round_ms: 0,
    };
    let mut reports = Vec::new();
    w.shard.report_usage(&env, |report| reports.push(report));
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].added, w.booked(UsageHour::of(START_MS)));
    assert!(reports[0].unbooked.records.is_empty());
    w.shard.report_usage(&env, |report| panic!("{report:?}"));
}
