//! Events come later than replies, in their order: what they tell is old news here.

use std::sync::Arc;

use protocol::limits::TENANT_LINGER_MS;
use router_core::shard::ShardInput;
use router_core::store::{DirectoryEvent, DirectoryQuery, StoreFailure, StoreQuery};
use router_core::{ConnKey, NodeView};

use crate::other_nodes::{OTHER, THIRD};
use crate::talk::{about, alice, message, register};
use crate::world::World;

impl World {
    /// The store answers all that is asked; what it told all nodes is on its way.
    fn answer_all(&mut self, on_their_way: &mut Vec<DirectoryEvent>) {
        while self.asks.get(&alice()).is_some_and(|asks| !asks.is_empty()) {
            self.answer_with(&alice(), |model, request| {
                let (reply, event) = model.execute(request);
                on_their_way.extend(event);
                reply
            });
        }
    }

    /// Something happens elsewhere, and the replica is as new as the store.
    fn catch_up(&mut self) {
        self.far_bot(OTHER);
        self.pass(200);
    }

    fn arrive_all(&mut self, events: Vec<DirectoryEvent>) {
        for event in events {
            let tenant = alice();
            self.shard(ShardInput::Event { tenant, event });
            self.run();
        }
    }

    /// Answers what is asked until the next question is a certain one.
    fn answer_until(&mut self, is_it: impl Fn(&DirectoryQuery) -> bool) {
        for _ in 0..100 {
            let asks = self.asks.get(&alice());
            let next = asks.and_then(|asks| asks.front());
            let next = next.map(|(_, request)| {
                let StoreQuery::Directory(request) = &request.query else {
                    panic!("a tenant asks only its directory")
                };
                is_it(&request.query)
            });
            match next {
                Some(true) => return,
                Some(false) => self.answer(&alice(), false),
                None => self.pass(100),
            }
        }
        panic!("it is not asked within ten seconds");
    }

    /// The second of three nodes was evicted.
    fn evict_other(&mut self) {
        let mut nodes = NodeView::clone(&self.nodes);
        nodes.peers.remove(&OTHER);
        nodes.dead = [OTHER].into();
        self.nodes = Arc::new(nodes);
    }

    fn holds(&mut self, bot: &str) -> Vec<String> {
        let bots = self.snapshot(&alice()).bots.into_iter();
        let held = bots.filter(|it| it.info.id.as_str() == bot);
        held.filter_map(|it| Some(it.holder?.conn.to_string()))
            .collect()
    }
}

/// One of three nodes, with a socket; the store answers when it is told to.
fn scene() -> (World, ConnKey) {
    let mut w = World::of_three();
    let bot = w.join(None);
    w.catch_up();
    w.take(bot);
    w.prompt = false;
    (w, bot)
}

#[test]
fn a_bot_that_was_unregistered_and_registered_again_stays() {
    let mut w = World::of_three();
    let (bot, phone) = (w.join(None), w.join(Some("phone")));
    w.catch_up();
    w.take(bot);
    w.prompt = false;
    let mut events = Vec::new();
    for frame in [
        register("bot_a"),
        about("unregister_bot", "bot_a"),
        register("bot_a"),
    ] {
        w.text(bot, frame.to_string());
        w.answer_all(&mut events);
    }
    assert_eq!(
        w.told(bot),
        ["bot_registered", "bot_unregistered", "bot_registered"]
    );
    assert_eq!(events.len(), 3);
    let holder = w.holds("bot_a");
    w.prompt = true;
    w.arrive_all(events);
    assert_eq!(w.told(bot), Vec::<String>::new(), "nothing has changed");
    assert_eq!(w.holds("bot_a"), holder);
    w.pass(200);
    w.take(phone);
    assert_eq!(w.ask(phone, message("bot_a", "hello")), ["delivered"]);
}

#[test]
fn a_claim_is_not_answered_by_the_event_of_an_earlier_one() {
    let (mut w, bot) = scene();
    let mut events = Vec::new();
    for frame in [register("bot_a"), about("unregister_bot", "bot_a")] {
        w.text(bot, frame.to_string());
        w.answer_all(&mut events);
    }
    w.told(bot);
    w.text(bot, register("bot_a").to_string());
    let late = events.remove(0);
    w.arrive_all(vec![late]);
    assert_eq!(
        w.told(bot),
        Vec::<String>::new(),
        "the store has not answered"
    );
    w.answer_all(&mut events);
    w.prompt = true;
    w.arrive_all(events);
    w.pass(2000);
    assert_eq!(w.told(bot), ["bot_registered"]);
    assert_eq!(w.holds("bot_a").len(), 1);
}

#[test]
fn a_store_that_went_back_and_on_again_has_lost_data() {
    let mut w = World::of_three();
    let phone = w.join(Some("phone"));
    let older = w.model.clone();
    w.catch_up();
    w.take(phone);
    let ver = w.snapshot(&alice()).ver;
    w.model = older;
    // Its counter is above all that was seen: only what it follows shows what happened.
    w.far_claim("bot_third", THIRD, ver + 1000);
    w.pass_alive(2000);
    let frames = w.take(phone);
    let of_far = frames.iter().find(|it| it["data"]["botId"] == "bot_far");
    assert_eq!(of_far, None, "it has time to be said again");
    w.send_far(phone, &["1"]);
    assert_eq!(w.published.len(), 1);
}

#[test]
fn an_outage_leaves_nothing_to_be_paid_for_who_came_and_went() {
    let mut w = World::of_three();
    w.join(Some("stays"));
    let mut nodes = (*w.nodes).clone();
    nodes.degraded = true;
    w.nodes = nodes.into();
    w.prompt = false;
    for number in 0..100 {
        let guest = w.join(Some(&format!("guest-{number}")));
        w.drop_conn(guest);
        while w.asks.get(&alice()).is_some_and(|asks| !asks.is_empty()) {
            w.answer_with(&alice(), |_, _| Err(StoreFailure::Lost));
        }
    }
    let replica = w.shard.replica(&alice(), &w.nodes.clone());
    assert_eq!(replica.map(|it| it.owed), Some(0));
}

#[test]
fn a_claim_that_somebody_was_quicker_than_is_made_again() {
    let (mut w, bot) = scene();
    w.text(bot, register("bot_far").to_string());
    w.far_bot(THIRD);
    let mut events = Vec::new();
    w.answer_all(&mut events);
    assert_eq!(w.told(bot), ["bot_registered"]);
    let claims = events.iter().filter(|it| !it.changes.is_empty());
    assert_eq!(claims.count(), 1, "the first was not executed");
}

#[test]
fn a_claim_that_is_made_again_is_not_let_go_by_what_a_snapshot_says_meanwhile() {
    let (mut w, bot) = scene();
    w.text(bot, register("bot_a").to_string());
    // It is executed, and nothing is heard of it.
    w.answer_with(&alice(), |model, request| {
        let _ = model.execute(request);
        Err(StoreFailure::Lost)
    });
    assert_eq!(w.told(bot), ["store_unavailable"]);
    // A later event shows the gap, and the directory is asked for.
    w.far_bot(THIRD);
    w.text(bot, register("bot_a").to_string());
    let asked = w.asks[&alice()].len();
    assert_eq!(asked, 2, "the directory, then the claim");
    let mut events = Vec::new();
    w.answer_all(&mut events);
    assert_eq!(w.told(bot), ["bot_registered"]);
    w.pass(3000);
    w.answer_all(&mut events);
    assert_eq!(w.holds("bot_a").len(), 1);
    assert_eq!(events.len(), 0, "nothing was let go");
}

#[test]
fn an_event_of_a_tenant_that_is_forgotten_ends_its_subscription() {
    let mut w = World::of_three();
    let bot = w.join_bot(&["bot_a"]);
    w.drop_conn(bot);
    w.pass(2 * TENANT_LINGER_MS);
    assert_eq!(w.unloaded, [alice()], "nobody needs it");
    w.far_bot(OTHER);
    assert_eq!(w.unloaded, [alice(), alice()]);
    w.join(None);
    w.far_bot(THIRD);
    assert_eq!(w.unloaded.len(), 2, "it is back");
}

/// The store released the bot, as its last holder was a node that was removed. So this node claims it again for
/// its own socket. Before the store answers, the removed node claims the bot too, and the socket is told
/// that it lost the bot.
#[test]
fn a_bot_that_was_lost_while_its_node_claimed_it_again_is_released() {
    let mut w = World::of_three();
    let bot = w.join_bot(&["bot_a", "bot_b"]);
    let phone = w.join(Some("phone"));
    w.evict_other();
    w.prompt = false;
    let ver = w.snapshot(&alice()).ver;
    w.far_step("bot_a", OTHER, ver);
    w.shard(ShardInput::Resync);
    w.run();
    w.answer_until(|query| matches!(query, DirectoryQuery::Claim(_)));
    let ver = w.snapshot(&alice()).ver;
    w.far_claim("bot_a", OTHER, ver);
    assert_eq!(w.told(bot), ["bot_unregistered"]);
    w.prompt = true;
    w.run();
    w.take(phone);
    assert_eq!(w.holds("bot_a"), Vec::<String>::new());
    assert_eq!(w.ask(phone, message("bot_a", "hello")), ["bot_offline"]);
    assert_eq!(w.told(bot), Vec::<String>::new());
}

#[test]
fn what_a_dead_node_left_is_released_although_the_store_refused_at_first() {
    let mut w = World::of_three();
    w.join(None);
    w.far_conn(OTHER, "desk");
    w.evict_other();
    w.prompt = false;
    w.shard(ShardInput::NodeEvicted(OTHER));
    for refuse in [true, true, false] {
        w.answer_until(|query| matches!(query, DirectoryQuery::Reap { .. }));
        w.answer(&alice(), refuse);
    }
    let conns = w.snapshot(&alice()).conns;
    assert!(conns.iter().all(|(_, conn)| conn.boot != OTHER));
}
