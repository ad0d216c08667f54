//! A real OpenClaw answers through the tunnel: the whole product, with nothing of it replaced.
//!
//! ```text
//!  phones, `t2b chat`, HTTP ──▶ t2b gateway run ◀── plugin in OpenClaw ──▶ model server (ours)
//! ```
//!
//! Two tests of the same cases: with one node, and with a second node for clients. They run beside
//! each other. OpenClaw takes half a minute to start, so all cases of a test share one process, in
//! this order, and only the case that kills it starts it again. A case that fails does not keep the
//! next from running. `TEST_CASE=isolation` runs the cases whose name holds that word.
//!
//! | file | holds |
//! | --- | --- |
//! | `world.rs` | what the cases share, and how they wait |
//! | `model.rs`, `gateway.rs`, `openclaw.rs`, `phone.rs` | who takes part |
//! | the others | the cases |

// `cfg(test)` is always true here; it tells clippy that helpers of tests may unwrap.
#[cfg(test)]
mod allowlist;
#[cfg(test)]
mod chat;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod http;
#[cfg(test)]
mod interrupted;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod long;
#[cfg(test)]
mod model;
#[cfg(test)]
mod openclaw;
#[cfg(test)]
mod order;
#[cfg(test)]
mod phone;
#[cfg(test)]
mod proactive;
#[cfg(test)]
mod reconnect;
#[cfg(test)]
mod revoked;
#[cfg(test)]
mod taken;
#[cfg(test)]
mod world;

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use gateway::NodeCount;
use openclaw::OpenClawTools;
use world::TestWorld;

/// A behaviour that is looked at.
type OpenClawCase = for<'a> fn(&'a mut TestWorld) -> LocalBoxFuture<'a, ()>;

/// Pairs of a path and the function there.
macro_rules! cases {
    ($($case:path),* $(,)?) => { &[$((stringify!($case), |world| $case(world).boxed_local())),*] };
}

const CASES: &[(&str, OpenClawCase)] = cases![
    chat::a_command_prints_the_reply,
    chat::partials_come_before_the_final,
    http::a_post_returns_the_reply,
    http::a_post_returns_a_long_reply_whole,
    isolation::each_message_reaches_its_own_agent,
    isolation::clients_do_not_see_each_other,
    order::messages_are_answered_in_order,
    long::a_long_answer_arrives_whole,
    reconnect::every_message_runs_once_over_five_restarts,
    reconnect::a_polite_restart_loses_nothing,
    proactive::a_message_from_the_owner_arrives,
    proactive::an_absent_client_is_a_clear_error,
    allowlist::a_client_that_is_not_listed_is_refused,
    interrupted::a_run_that_was_cut_is_not_run_again,
    taken::a_bot_that_was_taken_over_is_told_and_left,
    // The last two: nothing works after them.
    revoked::a_revoked_key_is_told_to_the_owner,
    revoked::no_output_holds_the_key,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_openclaw_answers_through_one_node() {
    every_case(NodeCount::One).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_openclaw_answers_through_two_nodes() {
    every_case(NodeCount::Two).await;
}

async fn every_case(nodes: NodeCount) {
    let Some(tools) = OpenClawTools::find() else {
        return;
    };
    let word = std::env::var("TEST_CASE").unwrap_or_default();
    let wanted = CASES.iter().filter(|(name, _)| name.contains(&word));
    let wanted: Vec<_> = wanted.collect();
    assert!(!wanted.is_empty(), "no case has {word:?} in its name");

    let began = Instant::now();
    let mut world = TestWorld::new(tools, nodes).await;
    let mut failed = Vec::new();
    let up = async {
        world.start().await;
        world.agent_answers().await;
    };
    if passes(nodes, "up", up).await {
        for (name, case) in wanted {
            if !passes(nodes, name, case(&mut world)).await {
                failed.push(*name);
                eprintln!("{}", world.tails());
            }
        }
    } else {
        failed.push("up");
        eprintln!("{}", world.tails());
    }
    if !passes(nodes, "down", world.openclaw.stop()).await {
        failed.push("down");
    }
    let seconds = began.elapsed().as_secs_f32();
    eprintln!("{seconds:6.1} s          {nodes:?}: in all");
    assert_eq!(failed, Vec::<&str>::new());
}

/// Whether it ends without a panic; prints so, and how long it took.
async fn passes(nodes: NodeCount, what: &str, case: impl Future<Output = ()>) -> bool {
    let began = Instant::now();
    let passed = AssertUnwindSafe(case).catch_unwind().await.is_ok();
    let verdict = if passed { "ok" } else { "FAILED" };
    let seconds = began.elapsed().as_secs_f32();
    eprintln!("{seconds:6.1} s  {verdict:6}  {nodes:?}: {what}");
    passed
}
