//! Several gateways as one: real `t2b gateway run` processes on one real Redis, over a bad network.
//!
//! ```text
//!  sockets ──▶ t2b gateway run ──▶ proxy ──┐
//!  sockets ──▶ t2b gateway run ──▶ proxy ──┼──▶ redis-server
//!  sockets ──▶ t2b gateway run ──▶ proxy ──┘
//! ```
//!
//! One test of many cases. Each starts a cluster of its own and prints its figures in one line. A
//! case that fails does not keep the others from running. Cases that are `alone` run in turns; cases
//! that are `beside` run beside each other.
//!
//! | variable | effect |
//! | --- | --- |
//! | `TEST_CASE=million` | runs the cases whose name contains that word |
//! | `TEST_PLACE=alone` | runs the cases with that place |
//! | `TEST_MESSAGES=1000000` | sets how many messages the large cases send |
//! | `TEST_DRAIN=long` | has 3,000 sockets in the case of the rolling restart |
//! | `TEST_LEDGER=long` | runs the case of the usage ledger for ten minutes |
//!
//! | file | holds |
//! | --- | --- |
//! | `cluster.rs`, `gateway.rs` | the processes |
//! | `collector.rs` | who takes their traces |
//! | `socket.rs`, `flow.rs`, `load.rs`, `many_bots.rs` | who talks: one, again and again, as fast as it goes, thousands |
//! | `front.rs`, `moving_load.rs` | haproxy, and owners and bots that move when a node asks them to |
//! | `relogin.rs` | which load sockets reconnect after a close and repeat what was not answered |
//! | `counted.rs`, `booking_proxy.rs` | whose peers count what they use; a proxy that sends each record of usage twice |
//! | `delivery_check.rs` | what must have become of each message |
//! | the others | the cases |

// `cfg(test)` is always true here; it tells clippy that helpers of tests may unwrap.
#[cfg(test)]
mod across;
#[cfg(test)]
mod assigned_plan;
#[cfg(test)]
mod booked_once;
#[cfg(test)]
mod booking_proxy;
mod builds;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod closed_hour;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod collector;
#[cfg(test)]
mod counted;
#[cfg(test)]
mod delivery_check;
#[cfg(test)]
mod directory_lag;
#[cfg(test)]
mod drained;
#[cfg(test)]
mod fake_clock;
#[cfg(test)]
mod false_events;
#[cfg(test)]
mod first_crossing;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod front;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod incompatible_node;
#[cfg(test)]
mod isolated;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod load;
#[cfg(test)]
mod many_bots;
#[cfg(test)]
mod measured;
#[cfg(test)]
mod million;
#[cfg(test)]
mod moving_load;
#[cfg(test)]
mod muted_subscription;
#[cfg(test)]
mod only_publish;
#[cfg(test)]
mod paused;
#[cfg(test)]
mod planted_leaks;
#[cfg(test)]
mod rebalanced;
#[cfg(test)]
mod redis_gone;
#[cfg(test)]
mod redis_trouble;
#[cfg(test)]
mod reloaded;
#[cfg(test)]
mod relogin;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod socket;
#[cfg(test)]
mod stopped;
#[cfg(test)]
mod takeovers;
#[cfg(test)]
mod traced;

use std::panic::catch_unwind;
use std::thread;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

/// A behaviour that is looked at; it gives its figures.
type ClusterCase = fn() -> LocalBoxFuture<'static, String>;

/// Where a case runs: `alone` if it measures rates or latencies, or uses much CPU; `beside` the others
/// if it waits most of its time.
macro_rules! cases {
    ($($place:ident $case:path),* $(,)?) => {
        &[$((stringify!($case), stringify!($place), || $case().boxed_local())),*]
    };
}

const CASES: &[(&str, &str, ClusterCase)] = cases![
    alone across::conversations_cross_nodes,
    beside traced::a_message_is_one_trace,
    beside traced::a_collector_that_is_gone_hurts_nobody,
    alone directory_lag::every_node_sees_a_change_at_once,
    beside measured::messages_between_nodes_are_measured,
    alone million::messages_survive_a_bad_network,
    alone takeovers::a_bot_has_one_home,
    beside takeovers::two_that_fight_are_stopped,
    beside takeovers::a_socket_keeps_its_other_bots,
    alone killed::a_killed_node_leaves_no_ghosts,
    alone ledger::the_ledger_is_what_clients_saw,
    beside closed_hour::a_closed_hour_never_changes,
    beside ledger::series::series_of_all_nodes_add_up_to_the_ledger,
    alone ledger::without_journals_the_ledger_lacks_a_flush,
    beside assigned_plan::an_assigned_plan_holds_on_every_node,
    beside booked_once::records_that_come_twice_count_once,
    beside booked_once::a_journal_that_two_nodes_find_counts_once,
    beside booked_once::a_journal_from_before_a_flush_adds_nothing,
    beside planted_leaks::the_check_finds_a_leak_in_each_meter,
    alone stopped::a_stopped_node_comes_back_with_its_sockets,
    beside muted_subscription::a_node_reconnects_and_receives_again,
    beside redis_trouble::troubles_heal_unseen,
    beside redis_gone::nodes_stand_without_redis,
    alone only_publish::redis_sees_only_publish,
    beside false_events::a_made_up_step_costs_a_few_reads,
    beside false_events::a_number_from_nowhere_is_repaired,
    alone first_crossing::the_first_message_of_a_new_node_is_fast,
    beside clocks::a_clock_that_is_set_is_followed,
    beside clocks::a_node_alone_follows_its_clock,
    beside paused::after_a_pause_only_the_dead_are_closed,
    alone rotation::secrets_are_rotated_under_load,
    alone reloaded::secrets_are_reloaded_under_load,
    beside reloaded::the_only_secret_of_a_peer_is_not_dropped,
    beside rotation::the_wrong_order_is_harmless,
    beside rotation::no_common_secret_is_named,
    beside incompatible_node::an_incompatible_node_is_named,
    beside drained::a_rolling_restart_loses_nothing,
    beside drained::an_operator_drains_a_node_and_takes_it_back,
    beside isolated::a_node_that_is_cut_off_alone_gives_up_its_sockets,
    beside isolated::nodes_that_all_lose_redis_keep_their_sockets,
    beside rebalanced::a_full_node_gives_sockets_to_an_empty_one,
    alone builds::two_builds_are_one_cluster,
];

#[test]
fn several_gateways_are_one() {
    if fixtures::redis_program().is_none() {
        return;
    }
    ::gateway::config::raise_file_limit();
    let asked = |name| std::env::var(name).unwrap_or_default();
    let (word, place) = (asked("TEST_CASE"), asked("TEST_PLACE"));
    let wanted = |at: &str| {
        let cases = CASES.iter().filter(|(name, _, _)| name.contains(&word));
        let cases = cases.filter(|(_, own, _)| *own == at && own.contains(&place));
        cases.copied().collect::<Vec<_>>()
    };
    let (alone, beside) = (wanted("alone"), wanted("beside"));
    assert!(
        !alone.is_empty() || !beside.is_empty(),
        "no case has {word:?} in its name and {place:?} as its place"
    );

    let began = Instant::now();
    let mut failed = Vec::new();
    for (name, _, case) in alone {
        if !passes(name, case) {
            failed.push(name);
        }
    }
    thread::scope(|scope| {
        let running = beside.iter().map(|(name, _, case)| {
            let thread = thread::Builder::new().name((*name).to_owned());
            let running = thread.spawn_scoped(scope, || passes(name, *case));
            (name, running.expect("the system has a thread left"))
        });
        for (name, running) in running.collect::<Vec<_>>() {
            if !running.join().expect("a panic of a case is caught") {
                failed.push(name);
            }
        }
    });
    eprintln!("{:6.1} s          in all", began.elapsed().as_secs_f32());
    assert_eq!(failed, Vec::<&str>::new());
}

/// Whether it ends without a panic; prints so, how long it took, and its figures. Each case has a
/// runtime of its own: nothing that one leaves behind runs on in the next.
fn passes(what: &str, case: ClusterCase) -> bool {
    let began = Instant::now();
    let ended = catch_unwind(|| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build();
        runtime.expect("a runtime starts").block_on(case())
    });
    let (verdict, figures) = match &ended {
        Ok(figures) => ("ok", figures.as_str()),
        Err(_) => ("FAILED", ""),
    };
    let seconds = began.elapsed().as_secs_f32();
    eprintln!("{seconds:6.1} s  {verdict:6}  {what}  {figures}");
    ended.is_ok()
}
