//! Who is on different nodes talks as if on one.

use std::time::{Duration, Instant};

use fixtures::MeasuredTimes;
use serde_json::{Value, json};

use crate::cluster::{ClusterSetup, TestCluster};
use crate::socket::{TestSocket, outcome_of, text_of};

/// Partials that are sent without waiting.
const BURST: u64 = 50;
/// Messages there and back whose time is taken.
const ROUNDS: u64 = 200;
/// In so long a revoked key has closed its sockets on every node.
const REVOKED: Duration = Duration::from_secs(1);

pub async fn conversations_cross_nodes() -> String {
    let cluster = TestCluster::start(ClusterSetup::default()).await;
    a_stream_arrives_in_order(&cluster).await;
    every_device_gets_it_and_one_ack_comes(&cluster).await;
    a_connection_can_be_addressed(&cluster).await;
    a_post_gets_the_reply(&cluster).await;
    let rounds = there_and_back(&cluster).await;
    let revoked = a_revoked_key_closes_everywhere(&cluster).await;
    format!("there and back: {rounds}; revoked on other nodes after: {revoked}")
}

/// Client on one node, bot on another: message, typing, partials, final, acks.
async fn a_stream_arrives_in_order(cluster: &TestCluster) {
    let mut bot = cluster.bot(1, "alice", "bot_main").await;
    let mut phone = cluster.socket(0, "alice", "phone").await;
    cluster.bots_online("alice", &["bot_main"]).await;

    let data = json!({"to": "bot_main", "text": "Hello!", "messageId": "m-1"});
    let ack = phone.ask("message", data).await;
    assert_eq!(
        ack["data"],
        json!({"messageId": "m-1", "status": "delivered"})
    );
    let message = bot.expect("message").await;
    let (from, text) = (&message["data"]["from"], &message["data"]["text"]);
    assert_eq!((from, text), (&json!("phone"), &json!("Hello!")));

    bot.send(
        &json!({"type": "typing", "data": {"to": "phone", "from": "bot_main", "active": true}}),
    )
    .await;
    assert_eq!(phone.expect("typing").await["data"]["active"], true);
    for seq in 1..=3 {
        bot.send(&partial("s-1", seq)).await;
        let heard = phone.expect("message_partial").await;
        assert_eq!(heard["data"]["seq"], seq, "with time between, each arrives");
    }
    phone.drain().await;
    for seq in 4..=BURST {
        bot.feed(&partial("s-1", seq)).await;
    }
    let data = json!({
        "to": "phone", "from": "bot_main", "text": "all of it", "replyTo": "m-1", "streamId": "s-1",
    });
    bot.feed(&json!({"type": "message", "data": data, "id": "final"}))
        .await;
    bot.flush().await;
    let story = phone.story_until("message").await;
    let (last, partials) = story.split_last().unwrap();
    assert_eq!(last["data"]["replyTo"], "m-1");
    let seqs: Vec<_> = partials
        .iter()
        .map(|frame| frame["data"]["seq"].as_u64())
        .collect();
    assert!(seqs.iter().all(Option::is_some), "only partials: {story:?}");
    assert!(seqs.is_sorted(), "{seqs:?}");
    assert_eq!(bot.expect("message_ack").await["id"], "final");
    assert_eq!(
        phone.drain().await,
        Vec::<Value>::new(),
        "nothing after the final"
    );
}

fn partial(stream: &str, seq: u64) -> Value {
    let data = json!({
        "to": "phone", "from": "bot_main", "streamId": stream, "seq": seq, "text": "so far",
    });
    json!({"type": "message_partial", "data": data})
}

/// A client id with a device on each node.
async fn every_device_gets_it_and_one_ack_comes(cluster: &TestCluster) {
    let mut bot = cluster.bot(1, "bob", "bot_main").await;
    let mut devices = Vec::new();
    for node in 0..cluster.nodes.len() {
        devices.push(cluster.socket(node, "bob", "phone").await);
    }
    // A connection is known elsewhere a moment after it is open.
    cluster.bots_online("bob", &["bot_main"]).await;
    for round in 0..20 {
        let text = format!("to all, {round}");
        assert_eq!(bot.say("phone", &text).await, "delivered");
        for device in &mut devices {
            let message = device.expect("message").await;
            assert_eq!(message["data"]["text"], text.as_str());
        }
    }
    assert_eq!(bot.drain().await, Vec::<Value>::new(), "one ack each");
    for device in &mut devices {
        assert_eq!(device.drain().await, Vec::<Value>::new(), "once each");
    }
}

async fn a_connection_can_be_addressed(cluster: &TestCluster) {
    let mut bot = cluster.bot(1, "carol", "bot_main").await;
    let mut near = cluster.socket(1, "carol", "phone").await;
    let mut far = cluster.socket(2, "carol", "phone").await;
    cluster.bots_online("carol", &["bot_main"]).await;
    let to = far.connection_id.clone();
    assert_eq!(bot.say(&to, "only you").await, "delivered");
    assert_eq!(far.expect("message").await["data"]["to"], to.as_str());
    assert_eq!(near.drain().await, Vec::<Value>::new());
    // And what nobody is, is nobody on every node.
    assert_eq!(far.say("bot_other", "?").await, "bot_not_found");
}

async fn a_post_gets_the_reply(cluster: &TestCluster) {
    let mut bot = cluster.bot(1, "dave", "bot_main").await;
    cluster.bots_online("dave", &["bot_main"]).await;
    let body = json!({"to": "bot_main", "text": "What time is it?", "messageId": "q-1"});
    let key = cluster.key("dave");
    let asked = cluster.nodes[0].post("/v1/messages?waitMs=2500&clientId=script", &key, &body);
    let answered = async {
        let message = bot.expect("message").await;
        let to = text_of(&message["data"]["from"]);
        let data = json!({"to": to, "from": "bot_main", "text": "Noon.", "replyTo": "q-1"});
        outcome_of(&bot.ask("message", data).await)
    };
    let (asked, answered) = tokio::join!(asked, answered);
    let (status, body) = asked.expect("an answer");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status, &body["reply"]["text"]),
        (200, &json!("Noon.")),
        "{body}"
    );
    assert_eq!(answered, "delivered");
}

/// How long a message takes over and its answer back.
async fn there_and_back(cluster: &TestCluster) -> MeasuredTimes {
    let mut bot = cluster.bot(1, "erin", "bot_main").await;
    let mut phone = cluster.socket(0, "erin", "phone").await;
    cluster.bots_online("erin", &["bot_main"]).await;
    let mut times = MeasuredTimes::default();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let message = json!({"type": "message", "data": {"to": "bot_main", "text": "ping"}});
        phone.send(&message).await;
        bot.expect("message").await;
        let message =
            json!({"type": "message", "data": {"to": "phone", "from": "bot_main", "text": "pong"}});
        bot.send(&message).await;
        phone.expect("message").await;
        times.push(began.elapsed());
    }
    times
}

async fn a_revoked_key_closes_everywhere(cluster: &TestCluster) -> MeasuredTimes {
    let mut sockets = vec![
        cluster.socket(0, "mallory", "phone").await,
        cluster.socket(1, "mallory", "phone").await,
        cluster.bot(2, "mallory", "bot_main").await,
    ];
    let mut stays = cluster.socket(1, "trent", "phone").await;
    let began = Instant::now();
    cluster.nodes[0]
        .order("/admin/v1/tenants/mallory/revoke")
        .await;
    let mut times = MeasuredTimes::default();
    for socket in &mut sockets {
        assert_eq!(socket.closed().await, 4401);
        times.push(began.elapsed());
    }
    assert!(times.max() <= REVOKED, "{times}");
    let key = cluster.key("mallory");
    let node = &cluster.nodes[2].public;
    let again = TestSocket::connect(node, &key, "phone").await;
    assert_eq!(again.err(), Some(4401), "the old key is void everywhere");
    let told = cluster.keys(&["verify", &key]).await.unwrap_err();
    assert!(told.contains("was revoked"), "{told}");
    let next = cluster.keys(&["issue", "mallory"]).await.unwrap();
    let said = cluster.keys(&["verify", &next]).await.unwrap();
    assert_eq!(said, "valid: user mallory, generation 1");
    assert!(TestSocket::connect(node, &next, "phone").await.is_ok());
    assert_eq!(
        stays.say("nobody", "?").await,
        "bot_not_found",
        "others stay"
    );
    times
}
