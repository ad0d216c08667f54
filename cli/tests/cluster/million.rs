//! Many messages while the network loses, doubles and delays, Redis is cut off again and again, and
//! the recipient moves.
//!
//! ```text
//!  4 senders on node 0 ──▶ bot-main, by turns on node 1 and on node 2
//!  1 sender on node 1  ──▶
//! ```
//!
//! All that is sent on node 0 crosses; what is sent on node 1 does every other time, and so the ways
//! to a neighbour and to another node follow on each other.
//!
//! The bot moves between sockets that stay open: each holds a bot of its own beside it. So every
//! message that was delivered has to be found.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fixtures::{MessageFaults, ProxyCounts, pass_until, until_within};
use tokio::task::JoinSet;

use crate::cluster::{ClusterSetup, TestCluster};
use crate::delivery_check::{DeliveryJudgement, SenderAnswers};
use crate::load::{BotRecipient, WINDOW, messages, send_all};

/// The node of each sender, and its part of all messages: those of node 0 send all that count, the
/// one of node 1 a twentieth beside them.
const SENDERS: [(usize, usize); 5] = [(0, 4), (0, 4), (0, 4), (0, 4), (1, 20)];
const FAULTS: MessageFaults = MessageFaults {
    drop: 0.01,
    double: 0.01,
    delay: 0.01,
    delay_ms: 200,
};
/// Longest and shortest cut.
const CUT_MS: std::ops::Range<u64> = 300..3000;
/// Where the bot is, in turns.
const HOMES: [usize; 2] = [1, 2];
/// What arrives late at all arrives within this: the lanes give up after 7.5 s.
const LATE: Duration = Duration::from_secs(9);

/// What is done while messages flow, when so many are answered.
enum TroubleStep {
    Move,
    Cut(usize),
}

pub async fn messages_survive_a_bad_network() -> String {
    let total = messages(50_000);
    let setup = ClusterSetup {
        proxied: true,
        ..ClusterSetup::default()
    };
    let cluster = TestCluster::start(setup).await;
    let mut recipients = Vec::new();
    for node in 0..cluster.nodes.len() {
        let socket = cluster.bot(node, "alice", &format!("anchor-{node}")).await;
        recipients.push(BotRecipient::start(socket));
    }
    let mut epochs = vec![recipients[HOMES[0]].take_the_bot().await];
    cluster
        .bots_online("alice", &["anchor-0", "anchor-1", "anchor-2", "bot-main"])
        .await;
    for proxy in &cluster.proxies {
        proxy.set_faults(FAULTS);
    }

    let began = Instant::now();
    let mut run = SendingRun::start(&cluster, total).await;
    for (at, trouble) in troubles(total) {
        run.until_answered(at, total).await;
        match trouble {
            TroubleStep::Move => {
                let home = HOMES[epochs.len() % HOMES.len()];
                epochs.push(recipients[home].take_the_bot().await);
            }
            TroubleStep::Cut(number) => cut(&cluster, number).await,
        }
    }
    let answers = run.end().await;
    let took = began.elapsed();
    let resent = cluster.nodes[0].metrics().await["t2b_lane_resends_total"];

    pass_until(Instant::now() + LATE).await;
    let mut arrivals = Vec::new();
    for recipient in recipients {
        arrivals.push(recipient.stop().await.0);
    }
    assert!(epochs.is_sorted_by(|a, b| a < b), "{epochs:?}");
    let judgement = DeliveryJudgement::of(&answers, &arrivals);
    judgement.is_kept();
    let ProxyCounts {
        messages: pushes,
        dropped,
        doubled,
        delayed,
        cut,
        ..
    } = counts(&cluster);
    let rate = total as f64 / took.as_secs_f64();
    format!(
        "{judgement}; {} moves, {} cuts of {cut} connections; of {pushes} pushes {dropped} dropped, {doubled} doubled, {delayed} delayed; {resent} resent; {:.0} s, {rate:.0} messages/s",
        epochs.len() - 1,
        cuts(total),
        took.as_secs_f64(),
    )
}

/// All senders, and what they were answered.
struct SendingRun {
    senders: JoinSet<(usize, SenderAnswers)>,
    /// Messages that are answered, of all senders.
    answered: Arc<AtomicUsize>,
    ended: Vec<(usize, SenderAnswers)>,
}

impl SendingRun {
    async fn start(cluster: &TestCluster, total: usize) -> Self {
        let answered = Arc::new(AtomicUsize::new(0));
        let mut senders = JoinSet::new();
        for (sender, (node, part)) in SENDERS.into_iter().enumerate() {
            let client = format!("sender-{sender}");
            let mut socket = cluster.socket(node, "alice", &client).await;
            let answered = answered.clone();
            senders.spawn(async move {
                // One at a time beside the others, so that it lasts as long as they do.
                let window = if node == 0 { WINDOW } else { 1 };
                let share = total / part;
                let answers = send_all(&mut socket, (sender, share), window, answered);
                (sender, answers.await)
            });
        }
        Self {
            senders,
            answered,
            ended: Vec::new(),
        }
    }

    /// Waits until so many messages of the total are answered.
    async fn until_answered(&mut self, count: usize, total: usize) {
        let most = Duration::from_secs(60) + Duration::from_millis(total as u64);
        until_within(most, &format!("{count} are answered"), async || {
            if let Some(ended) = self.senders.try_join_next() {
                self.ended.push(ended.expect("no sender fails"));
            }
            (self.answered.load(Ordering::Relaxed) >= count).then_some(())
        })
        .await;
    }

    /// Waits for the end of all; what each was answered, in their order.
    async fn end(mut self) -> Vec<SenderAnswers> {
        self.ended.extend(self.senders.join_all().await);
        self.ended.sort_by_key(|(sender, _)| *sender);
        self.ended.into_iter().map(|(_, answers)| answers).collect()
    }
}

/// What all proxies did.
fn counts(cluster: &TestCluster) -> ProxyCounts {
    let counts = cluster.proxies.iter().map(|proxy| proxy.counts());
    counts.fold(ProxyCounts::default(), |mut sum, one| {
        sum.messages += one.messages;
        sum.dropped += one.dropped;
        sum.doubled += one.doubled;
        sum.delayed += one.delayed;
        sum.cut += one.cut;
        sum
    })
}

/// 100 moves and 10 cuts of a million messages; less of both for fewer, but some.
fn troubles(total: usize) -> Vec<(usize, TroubleStep)> {
    let (moves, cuts) = ((total / 10_000).clamp(10, 100), cuts(total));
    let moves = (1..=moves).map(|number| (number * total / (moves + 1), TroubleStep::Move));
    let cuts = (0..cuts).map(|number| {
        (
            (2 * number + 1) * total / (2 * cuts),
            TroubleStep::Cut(number),
        )
    });
    let mut troubles: Vec<_> = moves.chain(cuts).collect();
    troubles.sort_by_key(|(at, _)| *at);
    troubles
}

fn cuts(total: usize) -> usize {
    (total / 100_000).clamp(2, 10)
}

/// Cuts one node off, or all of them, and waits for nothing.
async fn cut(cluster: &TestCluster, number: usize) {
    let longest = number == 0;
    let time_ms = if longest {
        CUT_MS.end
    } else {
        fastrand::u64(CUT_MS)
    };
    let time = Duration::from_millis(time_ms);
    let nodes = cluster.nodes.len();
    // The first cut is of all.
    match number % (nodes + 1) {
        0 => {
            for proxy in &cluster.proxies {
                proxy.cut_for(time).await;
            }
        }
        node => cluster.proxies[node - 1].cut_for(time).await,
    }
}
