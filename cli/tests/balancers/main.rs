//! The load balancer files of `deploy/balancers`: each program, started from its file, in front of the same two
//! gateways.
//!
//! ```text
//!  sockets, HTTP ──TLS──▶ haproxy | nginx | caddy | envoy | traefik ──▶ t2b gateway run ──▶ redis-server
//!  each from an address                                          └──▶ t2b gateway run ──┘
//!  of its own
//! ```
//!
//! One test: all programs go through the phases together, because most of the time only passes. The test prints one
//! line of figures for each program.
//!
//! | phase | what happens | what is checked |
//! | --- | --- | --- |
//! | chat | a bot and a phone, on different nodes | messages pass; the node sees the client's own address |
//! | idle | 70 s with pings only; an HTTP request waits for 50 s | the socket stays; the request is answered |
//! | unready | the first node drains (`POST /admin/v1/drain`), so `/readyz` answers 503; then `undrain` | new sockets go to the other node; old sockets stay |
//! | stopped | the first node does not run (SIGSTOP) | new sockets go to the other node; haproxy closes the old ones |
//! | drained | the first node ends (SIGTERM) | its sockets get `migrate` and 1012; no new socket is refused |
//!
//! nginx has no active health checks: it takes part in `unready` and `stopped` with its old socket only.
//!
//! | variable | effect |
//! | --- | --- |
//! | `TEST_BALANCERS` | the folder of the programs; `make balancers` sets it |
//! | `TEST_CASE=nginx` | tests only the programs whose name contains that word |
//!
//! | file | holds |
//! | --- | --- |
//! | `program.rs` | the programs, and what the test replaces in their files |
//! | `stage.rs`, `node.rs` | Redis, the gateways, the certificate; a gateway |
//! | `socket.rs` | a client |
//! | `passage.rs` | one program going through the phases |

// `cfg(test)` is always true here; it tells clippy that helpers of tests may unwrap.
#[cfg(test)]
mod node;
#[cfg(test)]
mod passage;
#[cfg(test)]
mod program;
#[cfg(test)]
mod socket;
#[cfg(test)]
mod stage;

use std::time::Instant;

use fixtures::until;
use futures_util::future::join_all;

use crate::passage::Passage;
use crate::program::PROGRAMS;
use crate::stage::Stage;

/// The node that gets into trouble. The other one serves all the time.
const TROUBLED: usize = 0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_files_do_what_they_say() {
    let Some(folder) = fixtures::tool("TEST_BALANCERS", "the folder of the load balancers") else {
        return;
    };
    if fixtures::redis_program().is_none() {
        return;
    }
    ::gateway::config::raise_file_limit();
    let word = std::env::var("TEST_CASE").unwrap_or_default();
    let began = Instant::now();
    let stage = Stage::start().await;
    let mut passages = Vec::new();
    for program in PROGRAMS.iter().filter(|it| it.name.contains(&word)) {
        if !folder.join(program.name).exists() {
            fixtures::skip(&format!("{} is not in {}", program.name, folder.display()));
            continue;
        }
        let front = program.start(&folder, stage.addresses());
        passages.push(Passage::new(stage.shared(), program, front));
    }
    assert!(!passages.is_empty(), "no program has {word:?} in its name");

    join_all(passages.iter_mut().map(Passage::chat)).await;
    join_all(passages.iter_mut().map(Passage::wait_over_http)).await;

    let node = &stage.nodes()[TROUBLED];
    node.order("drain").await;
    until("the node is not ready", async || node.answers(503).await).await;
    join_all(passages.iter_mut().map(Passage::unready)).await;
    node.order("undrain").await;
    until("the node is ready again", async || node.answers(200).await).await;
    join_all(passages.iter_mut().map(Passage::back)).await;

    node.signal("-STOP");
    join_all(passages.iter_mut().map(Passage::stopped)).await;
    node.signal("-CONT");
    until("the node is ready again", async || node.answers(200).await).await;
    join_all(passages.iter_mut().map(Passage::resumed)).await;

    node.signal("-TERM");
    join_all(passages.iter_mut().map(Passage::drained)).await;
    let code = node.exit_code().await;
    assert_eq!(code, Some(0), "the exit code of the drained node");

    join_all(passages.iter_mut().map(Passage::idled)).await;
    for passage in &passages {
        eprintln!("{:8} {}", passage.program.name, passage.figures.join("; "));
    }
    eprintln!("{:6.1} s in all", began.elapsed().as_secs_f32());
}
