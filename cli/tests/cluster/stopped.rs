//! `kill -STOP` for 20 s of a node with 2,000 bots, as a frozen machine is: its sockets stand all the
//! time, and meanwhile the others take it for dead.

use std::time::{Duration, Instant};

use fixtures::{pass_until, until};
use futures_util::StreamExt;
use futures_util::stream;

use crate::cluster::{ClusterSetup, TestCluster};
use crate::killed::{BOTS, FORGOTTEN, TENANTS, is_listed, since};
use crate::many_bots::{BotGroup, EventKind, name, tenant};

const STOPPED: Duration = Duration::from_secs(20);
/// The bot of each tenant that is taken meanwhile.
const TAKEN: usize = 7;
/// How long until every bot that was not taken is reachable again.
const REACHABLE: Duration = Duration::from_secs(10);

pub async fn a_stopped_node_comes_back_with_its_sockets() -> String {
    let cluster = TestCluster::start(ClusterSetup::default()).await;
    let mut group = BotGroup::gather(&cluster, 0, (TENANTS, BOTS), None).await;
    for node in [1, 2] {
        group.watch_from(&cluster, node, TENANTS).await;
    }
    is_listed(&cluster, &[1, 2], BOTS).await;
    let before = cluster.nodes[0].nodes().await.unwrap()["self"].clone();

    let stopped = Instant::now();
    cluster.nodes[0].pause();
    let detected = group.seen([1, 2], stopped, false, &|_| true).await;
    assert!(detected.max() <= FORGOTTEN, "{detected}");
    let mut thieves = Vec::new();
    for number in 0..TENANTS {
        thieves.push(
            cluster
                .bot(1, &tenant(number), &name((number, TAKEN)))
                .await,
        );
    }
    pass_until(stopped + STOPPED).await;

    let back = Instant::now();
    cluster.nodes[0].resume();
    let rejoined = until("it has a new boot id", async || {
        let seen = cluster.nodes[0].nodes().await?;
        (seen["self"] != before).then(|| back.elapsed())
    })
    .await;
    let online = group.seen([1, 2], back, true, &|bot| bot.1 != TAKEN).await;
    assert!(online.max() <= REACHABLE, "{online}");
    cluster.is_whole().await;

    every_bot_gets_a_message(&cluster, &mut group).await;
    let messages = since(
        back,
        group.first(back, |what| matches!(what, EventKind::Message)),
    );
    only_the_taken_are_closed(&group);
    format!(
        "{} bots: seen offline on the others: {detected}; new boot id after {} ms; seen online again: {online}; message to the same socket: {messages}; {} sockets closed, those whose bot was taken",
        TENANTS * BOTS,
        rejoined.as_millis(),
        thieves.len(),
    )
}

/// From another node a message to each bot that was not taken, and it arrives.
async fn every_bot_gets_a_message(cluster: &TestCluster, group: &mut BotGroup) {
    let tenants = stream::iter(0..TENANTS).map(|number| async move {
        let mut phone = cluster.socket(1, &tenant(number), "phone").await;
        for bot in (0..BOTS).filter(|bot| *bot != TAKEN) {
            until("the message is delivered", async || {
                let outcome = phone.say(&name((number, bot)), "still there?").await;
                (outcome == "delivered").then_some(())
            })
            .await;
        }
    });
    tenants.buffer_unordered(8).collect::<Vec<()>>().await;
    group
        .until("every message has arrived", |story| {
            let messages = story
                .iter()
                .filter(|told| matches!(told.what, EventKind::Message));
            messages.count() >= TENANTS * (BOTS - 1)
        })
        .await;
}

#[track_caller]
fn only_the_taken_are_closed(group: &BotGroup) {
    let closed = group.story.iter().filter_map(|told| match told.what {
        EventKind::Closed(code) => Some((told.bot, code)),
        EventKind::Registered { .. }
        | EventKind::Replaced
        | EventKind::Message
        | EventKind::Seen { .. } => None,
    });
    let mut closed: Vec<_> = closed.collect();
    closed.sort();
    let taken: Vec<_> = (0..TENANTS).map(|number| ((number, TAKEN), 4409)).collect();
    assert_eq!(closed, taken, "sockets that were closed");
}
