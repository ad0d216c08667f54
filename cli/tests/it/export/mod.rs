//! `t2b usage export` as a real process, between a ledger and receivers that are not real.
//!
//! | file | holds |
//! | --- | --- |
//! | `server.rs` | an HTTP server that can cut a connection at any moment |
//! | `ledger.rs` | the gateway's rows, and which hours are closed |
//! | `receiver.rs`, `billing.rs` | a receiver of each kind: its faults; what it checks, remembers and bills |
//! | `stage.rs` | one home with a ledger, a receiver and a state file |
//! | `killed.rs`, `faults.rs`, `windows.rs`, `state_file.rs`, `printed.rs`, `gateway.rs`, `example.rs` | the tests |

mod billing;
mod example;
mod faults;
mod gateway;
mod killed;
mod ledger;
mod printed;
mod receiver;
mod server;
mod stage;
mod state_file;
mod windows;
