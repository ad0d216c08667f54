//! Several gateways as one: real `t2b gateway run` processes on one real Redis, over a bad network.
//!
//! ```text
//!  sockets ──▶ t2b gateway run ──▶ proxy ──┐
//!  sockets ──▶ t2b gateway run ──▶ proxy ──┼──▶ redis-server
//!  sockets ──▶ t2b gateway run ──▶ proxy ──┘
//! ```
//!
//! One test of many cases, in turns, as each wants the machine for itself; each starts a cluster of
//! its own and prints its figures in one line. A case that fails does not keep the next from
//! running. `TEST_CASE=million` runs the cases whose name holds that word; `TEST_MESSAGES` says how
//! many messages those send that send many.
//!
//! | file | holds |
//! | --- | --- |
//! | `cluster.rs`, `gateway.rs` | the processes |
//! | `collector.rs` | who takes their traces |
//! | `socket.rs`, `flow.rs`, `load.rs`, `crowd.rs` | who talks: one, again and again, as fast as it goes, thousands |
//! | `relogin.rs` | which load sockets reconnect after a close and repeat what was not answered |
//! | `oracle.rs` | what must have become of each message |
//! | `wait.rs` | time: deadlines, periods, percentiles |
//! | the others | the cases |

// `cfg(test)` is always true here; it tells clippy that helpers of tests may unwrap.
#[cfg(test)]
mod across;
mod builds;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod collector;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod deaf;
#[cfg(test)]
mod directory_lag;
#[cfg(test)]
mod false_events;
#[cfg(test)]
mod first_crossing;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod load;
#[cfg(test)]
mod million;
#[cfg(test)]
mod only_publish;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod paused;
#[cfg(test)]
mod redis_gone;
#[cfg(test)]
mod redis_trouble;
#[cfg(test)]
mod relogin;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod socket;
#[cfg(test)]
mod stopped;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod takeovers;
#[cfg(test)]
mod traced;
#[cfg(test)]
mod wait;

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

/// A behaviour that is looked at; it gives its figures.
type Case = fn() -> LocalBoxFuture<'static, String>;

/// Pairs of a path and the function there.
macro_rules! cases {
    ($($case:path),* $(,)?) => { &[$((stringify!($case), || $case().boxed_local())),*] };
}

const CASES: &[(&str, Case)] = cases![
    across::conversations_cross_nodes,
    traced::a_message_is_one_trace,
    traced::a_collector_that_is_gone_hurts_nobody,
    directory_lag::every_node_sees_a_change_at_once,
    million::messages_survive_a_bad_network,
    takeovers::a_bot_has_one_home,
    takeovers::two_that_fight_are_stopped,
    takeovers::a_socket_keeps_its_other_bots,
    killed::a_killed_node_leaves_no_ghosts,
    stopped::a_stopped_node_comes_back_with_its_sockets,
    deaf::a_deaf_node_hears_again,
    redis_trouble::troubles_heal_unseen,
    redis_gone::nodes_stand_without_redis,
    only_publish::redis_sees_only_publish,
    false_events::a_made_up_step_costs_a_few_reads,
    false_events::a_number_from_nowhere_is_repaired,
    first_crossing::the_first_message_of_a_new_node_is_fast,
    clocks::a_clock_that_is_set_is_followed,
    clocks::a_node_alone_follows_its_clock,
    paused::after_a_pause_only_the_dead_are_closed,
    rotation::secrets_are_rotated_under_load,
    rotation::the_wrong_order_is_harmless,
    rotation::no_common_secret_is_named,
    strangers::an_incompatible_node_is_named,
    builds::two_builds_are_one_cluster,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_gateways_are_one() {
    if fixtures::redis_program().is_none() {
        return;
    }
    ::gateway::config::raise_file_limit();
    let word = std::env::var("TEST_CASE").unwrap_or_default();
    let wanted = CASES.iter().filter(|(name, _)| name.contains(&word));
    let wanted: Vec<_> = wanted.collect();
    assert!(!wanted.is_empty(), "no case has {word:?} in its name");

    let began = Instant::now();
    let mut failed = Vec::new();
    for (name, case) in wanted {
        if !passes(name, case()).await {
            failed.push(*name);
        }
    }
    eprintln!("{:6.1} s          in all", began.elapsed().as_secs_f32());
    assert_eq!(failed, Vec::<&str>::new());
}

/// Whether it ends without a panic; prints so, how long it took, and its figures.
async fn passes(what: &str, case: impl Future<Output = String>) -> bool {
    let began = Instant::now();
    let ended = AssertUnwindSafe(case).catch_unwind().await;
    let (verdict, figures) = match &ended {
        Ok(figures) => ("ok", figures.as_str()),
        Err(_) => ("FAILED", ""),
    };
    let seconds = began.elapsed().as_secs_f32();
    eprintln!("{seconds:6.1} s  {verdict:6}  {what}  {figures}");
    ended.is_ok()
}
