//! Who holds a bot when many want it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fixtures::{MeasuredTimes, until};
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::cluster::{ClusterSetup, TestCluster};
use crate::socket::TestSocket;

const REGISTRATIONS: usize = 1000;
const BOTS: usize = 100;
/// Registrations under way at once: so many that some are for the same bot.
const AT_ONCE: usize = 32;
/// Bots of one socket, the most that it may have.
const MANY: usize = 64;
/// How long the last word to a loser may take.
const TOLD: Duration = Duration::from_secs(10);

/// A socket that registered one bot.
struct ClaimedSocket {
    bot: String,
    epoch: u64,
    socket: TestSocket,
}

/// 1,000 registrations of 100 bots on random nodes.
pub async fn a_bot_has_one_home() -> String {
    let cluster = TestCluster::start(ClusterSetup::default()).await;
    let began = Instant::now();
    let claims = stream::iter(0..REGISTRATIONS).map(|number| {
        let cluster = &cluster;
        async move {
            let (node, bot) = (
                fastrand::usize(..3),
                format!("bot-{}", fastrand::usize(..BOTS)),
            );
            let mut socket = cluster
                .socket(node, "alice", &format!("process-{number}"))
                .await;
            let asked = Instant::now();
            let epoch = socket.register(&bot).await;
            (asked.elapsed(), ClaimedSocket { bot, epoch, socket })
        }
    });
    let claims: Vec<_> = claims.buffer_unordered(AT_ONCE).collect().await;
    let took = began.elapsed();
    let times: MeasuredTimes = claims.iter().map(|(time, _)| *time).collect();
    let mut of_bot: BTreeMap<String, Vec<ClaimedSocket>> = BTreeMap::new();
    for (_, claim) in claims {
        of_bot.entry(claim.bot.clone()).or_default().push(claim);
    }
    let (mut told, mut homes) = (0, Vec::new());
    for (bot, mut claims) in of_bot {
        claims.sort_by_key(|claim| claim.epoch);
        let epochs: Vec<u64> = claims.iter().map(|claim| claim.epoch).collect();
        assert!(
            epochs.is_sorted_by(|a, b| a < b),
            "{bot}: an epoch twice in {epochs:?}"
        );
        homes.push(claims.pop().expect("somebody registered it"));
        for loser in claims {
            is_told(loser, &epochs).await;
            told += 1;
        }
    }
    assert_eq!(told + homes.len(), REGISTRATIONS);
    every_node_knows_the_homes(&cluster, &mut homes).await;
    format!(
        "{REGISTRATIONS} registrations of {} bots in {:.1} s, each {times}; {told} losers told and closed; the others are the homes on every node",
        homes.len(),
        took.as_secs_f64(),
    )
}

/// A loser is told by whom, then closed with 4409, and told nothing else.
async fn is_told(loser: ClaimedSocket, epochs: &[u64]) {
    let ClaimedSocket {
        bot,
        epoch,
        mut socket,
    } = loser;
    let end = async {
        let mut story = Vec::new();
        loop {
            match socket.next().await {
                Ok(frame) if frame["type"] == "bot_status" => {}
                Ok(frame) => story.push(frame),
                Err(code) => return (story, code),
            }
        }
    };
    let (story, code) = timeout(TOLD, end)
        .await
        .unwrap_or_else(|_| panic!("{bot} of epoch {epoch} is not told, {epochs:?}"));
    assert_eq!(code, 4409, "{bot} of epoch {epoch}: {story:?}");
    let [told] = story.as_slice() else {
        panic!("one word expected, got {story:?}");
    };
    assert_eq!(told["type"], "bot_unregistered", "{told}");
    assert_eq!(told["data"]["reason"], "replaced", "{told}");
    let by = told["data"]["epoch"].as_u64().unwrap();
    assert!(
        by > epoch && epochs.contains(&by),
        "{by} took {epoch} of {epochs:?}"
    );
}

/// A message from any node reaches the last claim's socket, and so nobody else.
async fn every_node_knows_the_homes(cluster: &TestCluster, homes: &mut [ClaimedSocket]) {
    for node in 0..cluster.nodes.len() {
        let mut phone = cluster.socket(node, "alice", "phone").await;
        for home in &mut *homes {
            let text = format!("from node {node}");
            assert_eq!(
                phone.say(&home.bot, &text).await,
                "delivered",
                "{}",
                home.bot
            );
            let message = home.socket.expect("message").await;
            assert_eq!(message["data"]["text"], text.as_str());
        }
    }
}

/// Two instances that take a bot from each other: the fourth time within a minute is refused.
pub async fn two_that_fight_are_stopped() -> String {
    let setup = ClusterSetup {
        nodes: 2,
        config: "[tenants.fighter.limits]\ntakeovers_per_minute = 3\n",
        ..ClusterSetup::default()
    };
    let cluster = TestCluster::start(setup).await;
    let mut sockets = Vec::new();
    for node in 0..2 {
        sockets.push(
            cluster
                .bot(node, "fighter", &format!("anchor-{node}"))
                .await,
        );
    }
    let mut answers = Vec::new();
    for turn in 0..5 {
        let (instance, claim) = (format!("instance-{}", turn % 2), format!("claim {turn}"));
        let data = json!({"botId": "bot-main", "instance": instance, "description": claim});
        let answer = sockets[turn % 2].ask("register_bot", data).await;
        answers.push(word_of(&answer));
        if answer["type"] == "bot_registered" {
            is_seen_everywhere(&cluster, &claim).await;
        }
    }
    let taken = "bot_registered".to_owned();
    let (refused, first) = answers.split_last().unwrap();
    assert_eq!(first, vec![taken; 4], "the first claim and three takeovers");
    assert_eq!(refused, "takeover_flapping");
    // The one that holds it may always say so again.
    let data = json!({"botId": "bot-main", "instance": "instance-1"});
    let answer = sockets[1].ask("register_bot", data).await;
    assert_eq!(word_of(&answer), "bot_registered");
    "the 4th takeover by turns on two nodes: takeover_flapping".to_owned()
}

/// Waits until every node has seen the claim that gave the bot this description.
async fn is_seen_everywhere(cluster: &TestCluster, description: &str) {
    for node in 0..cluster.nodes.len() {
        let mut looker = cluster.socket(node, "fighter", "looker").await;
        until("the claim is seen", async || {
            let list = looker.ask("list_bots", json!({})).await;
            let bots = list["data"]["bots"].as_array()?;
            let seen = bots.iter().any(|bot| bot["description"] == description);
            seen.then_some(())
        })
        .await;
    }
}

fn word_of(answer: &Value) -> String {
    let word = match answer["type"].as_str() {
        Some("error") => &answer["data"]["reason"],
        Some(_) | None => &answer["type"],
    };
    crate::socket::text_of(word)
}

/// One bot of 64 is taken on another node.
pub async fn a_socket_keeps_its_other_bots() -> String {
    let setup = ClusterSetup {
        nodes: 2,
        ..ClusterSetup::default()
    };
    let cluster = TestCluster::start(setup).await;
    let mut holder = cluster.socket(0, "alice", "process").await;
    let names: Vec<String> = (0..MANY).map(|number| format!("bot-{number:02}")).collect();
    for name in &names {
        holder.register(name).await;
    }
    let mut thief = cluster.socket(1, "alice", "thief").await;
    let taken = thief.register("bot-07").await;
    let told = holder.expect("bot_unregistered").await;
    let expected = json!({"botId": "bot-07", "reason": "replaced", "epoch": taken});
    assert_eq!(told["data"], expected);
    let mut phone = cluster.socket(1, "alice", "phone").await;
    for name in &names {
        assert_eq!(phone.say(name, name).await, "delivered", "{name}");
        let home = if name == "bot-07" {
            &mut thief
        } else {
            &mut holder
        };
        let message = home.expect("message").await;
        assert_eq!(message["data"]["to"], name.as_str());
    }
    assert_eq!(holder.drain().await, Vec::<Value>::new());
    format!("{} bots kept", MANY - 1)
}
