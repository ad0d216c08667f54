//! A message to a bot of another node: what its sender is told, and in which order messages go.

use std::sync::Arc;

use protocol::lane::Verdict;
use protocol::presence::{BotInfo, BotState, Takeover};
use protocol::{BootId, BotId, ClientId, ConnectionId, Envelope, ErrorCode};
use router_core::lane::{LaneOutcome, Parcel};
use router_core::membership::{NodeView, PeerNode};
use router_core::shard::{Entries, ShardInput};
use router_core::store::{
    BotClaim, BotHolder, ConnRecord, DirectoryCaps, DirectoryEvent, DirectoryQuery,
    DirectoryRequest, StoreQuery, StoreRequest,
};
use router_core::{ConnKey, Settings};
use serde_json::{Value, json};

use crate::talk::{alice, gist, message};
use crate::world::World;

pub const OWN: BootId = BootId::from_bits(1);
pub const OTHER: BootId = BootId::from_bits(2);
pub const THIRD: BootId = BootId::from_bits(3);

impl World {
    /// One of three nodes.
    pub fn of_three() -> Self {
        let mut world = World::new(Settings::default());
        let mut nodes = NodeView::starting(OWN);
        nodes.degraded = false;
        nodes.peers = [(OTHER, PeerNode::new(1)), (THIRD, PeerNode::new(1))].into();
        world.nodes = Arc::new(nodes);
        world
    }

    /// A connection of another node makes `bot_far` its own.
    pub fn far_bot(&mut self, boot: BootId) {
        let ver = self.snapshot(&alice()).ver;
        self.far_claim("bot_far", boot, ver);
    }

    /// A connection of another node, that which `far_bot` makes the bot's, is in the directory.
    pub fn far_conn(&mut self, boot: BootId, client: &str) {
        let record = ConnRecord {
            boot,
            client: ClientId::parse(client).unwrap(),
        };
        let known_ver = self.snapshot(&alice()).ver;
        let enter = DirectoryQuery::Enter {
            conn: ConnectionId::from_ulid(&boot.to_string()).unwrap(),
            record,
        };
        let (tenant, event) = (alice(), self.far_query(enter, known_ver));
        self.shard(ShardInput::Event { tenant, event });
        self.run();
    }

    /// The same with another bot, and a node that has seen a later step.
    pub fn far_claim(&mut self, bot: &str, boot: BootId, known_ver: u64) {
        let (tenant, event) = (alice(), self.far_step(bot, boot, known_ver));
        self.shard(ShardInput::Event { tenant, event });
        self.run();
    }

    /// The same, and nobody here is told.
    pub fn far_step(&mut self, bot: &str, boot: BootId, known_ver: u64) -> DirectoryEvent {
        let bot = BotInfo {
            id: BotId::parse(bot).unwrap(),
            name: "Far".into(),
            kind: "bot".into(),
            description: String::new(),
            capabilities: vec![],
            status: BotState::Offline,
            since: 0,
        };
        let conn = ConnectionId::from_ulid(&boot.to_string()).unwrap();
        let claim = BotClaim {
            holder: BotHolder { boot, conn },
            bot,
            instance: None,
            takeover: Takeover::Replace,
            dead: Arc::default(),
        };
        self.far_query(DirectoryQuery::Claim(Box::new(claim)), known_ver)
    }

    /// Another node takes a step of the directory.
    fn far_query(&mut self, query: DirectoryQuery, known_ver: u64) -> DirectoryEvent {
        let (_, event) = self.model.execute(StoreRequest {
            tenant: alice(),
            now_ms: self.now_ms,
            query: StoreQuery::Directory(DirectoryRequest {
                query,
                known_ver,
                caps: DirectoryCaps::default(),
            }),
        });
        event.expect("the step changes something")
    }

    pub fn send_far(&mut self, from: ConnKey, texts: &[&str]) {
        for text in texts {
            self.text(from, message("bot_far", text).to_string());
        }
    }

    /// Where the messages under way go, and what they say.
    fn under_way(&self) -> Vec<(BootId, String)> {
        let text = |body: &protocol::message::Body| {
            let run = body.runs().next().unwrap_or_default();
            let body: Value = serde_json::from_slice(&[b"{", run, b"}"].concat()).unwrap();
            body["text"].as_str().unwrap().to_owned()
        };
        let all = self.published.iter();
        all.map(|(node, parcel)| (*node, text(&read(parcel).message.body)))
            .collect()
    }
}

fn read(parcel: &Parcel) -> Envelope {
    Envelope::from_bytes(&parcel.bytes).expect("it is ours")
}

/// One of three nodes, with a phone that knows of a bot on the second.
fn scene() -> (World, ConnKey) {
    let mut w = World::of_three();
    let phone = w.join(Some("phone"));
    w.far_bot(OTHER);
    w.pass(200);
    w.take(phone);
    (w, phone)
}

fn to(node: BootId, texts: &[&str]) -> Vec<(BootId, String)> {
    texts
        .iter()
        .map(|text| (node, (*text).to_owned()))
        .collect()
}

#[test]
fn the_answer_is_what_became_of_it_on_the_other_node() {
    let refused = |code: ErrorCode| LaneOutcome::Verdict(Verdict::Refused(code));
    for (settled, told) in [
        (LaneOutcome::Delivered, "delivered"),
        (LaneOutcome::Verdict(Verdict::Duplicate), "duplicate"),
        (LaneOutcome::Verdict(Verdict::Offline), "bot_offline"),
        (refused(ErrorCode::RecipientBusy), "recipient_busy"),
        (LaneOutcome::Unknown, "delivery_unknown"),
        (LaneOutcome::Unsent, "unreachable"),
    ] {
        let (mut w, phone) = scene();
        w.send_far(phone, &["hello"]);
        assert_eq!(w.take(phone), Vec::<Value>::new(), "nothing is known yet");
        w.settle(settled);
        let frames = w.take(phone);
        assert_eq!(gist(&frames), [told]);
    }
}

#[test]
fn what_is_unreachable_says_when_to_try_again() {
    let (mut w, phone) = scene();
    w.send_far(phone, &["hello"]);
    w.settle(LaneOutcome::Unsent);
    assert_eq!(w.take(phone)[0]["data"]["retryAfterMs"], json!(1000));
}

#[test]
fn a_later_message_waits_while_an_earlier_one_is_undecided_on_another_route() {
    let (mut w, phone) = scene();
    w.send_far(phone, &["1"]);
    w.far_bot(THIRD);
    w.send_far(phone, &["2", "3"]);
    assert_eq!(w.under_way(), to(OTHER, &["1"]));
    w.settle(LaneOutcome::Verdict(Verdict::Moved(THIRD)));
    assert_eq!(
        w.under_way()[0],
        (THIRD, "1".to_owned()),
        "the first goes first"
    );
    while !w.published.is_empty() {
        w.settle(LaneOutcome::Delivered);
    }
    assert_eq!(gist(&w.take(phone)), ["delivered"; 3]);
}

#[test]
fn a_message_that_was_overtaken_does_not_go_again() {
    let (mut w, phone) = scene();
    w.send_far(phone, &["1", "2"]);
    w.settle(LaneOutcome::Verdict(Verdict::Moved(THIRD)));
    assert_eq!(w.under_way(), to(OTHER, &["2"]));
    w.settle(LaneOutcome::Delivered);
    let frames = w.take(phone);
    let reasons: Vec<_> = frames
        .iter()
        .map(|it| it["data"]["reason"].clone())
        .collect();
    assert!(reasons.contains(&json!("unreachable")), "{frames:?}");
    assert_eq!(w.under_way(), to(OTHER, &[]));
}

#[test]
fn a_bot_that_always_moves_on_is_unreachable_in_the_end() {
    let (mut w, phone) = scene();
    w.send_far(phone, &["1"]);
    let mut hops = 0;
    while let Some((node, _)) = w.published.front() {
        let other = if *node == OTHER { THIRD } else { OTHER };
        w.settle(LaneOutcome::Verdict(Verdict::Moved(other)));
        hops += 1;
    }
    assert_eq!(hops, 5);
    assert_eq!(w.take(phone)[0]["data"]["reason"], "unreachable");
}

#[test]
fn what_comes_from_another_node_is_never_published_again() {
    let (mut w, phone) = scene();
    w.send_far(phone, &["1"]);
    let (_, parcel) = w.published.pop_front().unwrap();
    w.shard(ShardInput::Inbound(Box::new(read(&parcel))));
    assert_eq!(w.decided, [Some(Verdict::Moved(OTHER))]);
    assert_eq!(w.under_way(), to(OTHER, &[]));
}

#[test]
fn what_a_store_lost_is_not_forgotten_because_another_node_is_faster_to_say_its_own_again() {
    let (mut w, phone) = scene();
    let ver = w.snapshot(&alice()).ver;
    w.model.lose_all();
    w.far_claim("bot_third", THIRD, ver + 1000);
    w.pass_alive(5000);
    let told = w.take(phone);
    let of_far = |frame: &&Value| frame["data"]["botId"] == "bot_far";
    assert_eq!(
        told.iter().find(of_far),
        None,
        "it has time to be said again"
    );
    w.send_far(phone, &["1"]);
    assert_eq!(w.under_way(), to(OTHER, &["1"]));
    w.settle(LaneOutcome::Delivered);
    w.pass_alive(2000);
    let told = w.take(phone);
    assert!(
        told.iter().any(|frame| of_far(&frame)),
        "nobody said it again"
    );
}

/// The store lost the last claim of a bot and got no step since, so that its number stays below the claim.
#[test]
fn a_lost_claim_that_nobody_says_again_is_gone_although_no_step_follows() {
    let (mut w, phone) = scene();
    w.far_claim("bot_third", THIRD, 0);
    let older = w.model.clone();
    let ver = w.snapshot(&alice()).ver;
    w.far_claim("bot_third", OTHER, ver);
    w.far_claim("bot_late", OTHER, 0);
    w.pass(200);
    w.take(phone);
    w.model = older;
    w.shard(ShardInput::Resync);
    w.pass_alive(10_000);
    let stored = w.snapshot(&alice());
    let replica = w.shard.replica(&alice(), &w.nodes.clone()).unwrap();
    assert_eq!(replica.ver, stored.ver);
    let stored = stored.bots.into_iter();
    let stored: Vec<_> = stored
        .map(|bot| (bot.info.id, bot.epoch, bot.holder))
        .collect();
    let own = replica.bots.into_iter();
    let own: Vec<_> = own.map(|bot| (bot.id, bot.epoch, bot.holder)).collect();
    assert_eq!(own, stored);
    assert_eq!(
        w.ask(phone, message("bot_late", "1")).last().unwrap(),
        "bot_not_found"
    );
}

#[test]
fn connections_of_all_nodes_are_counted_once() {
    let (mut w, _) = scene();
    let id = ConnectionId::from_ulid(&THIRD.to_string()).unwrap();
    let record = ConnRecord {
        boot: THIRD,
        client: ClientId::parse("tablet").unwrap(),
    };
    let enter = DirectoryQuery::Enter { conn: id, record };
    let (tenant, event) = (alice(), w.far_query(enter, 0));
    w.shard(ShardInput::Event { tenant, event });
    w.run();
    let entries = Entries {
        bots: 1,
        connections: 2,
    };
    assert_eq!(w.shard.entries(), entries);
}
