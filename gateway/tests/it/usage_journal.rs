//! The journal of usage: what is in it outlives the gateway, whatever happens to the file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gateway::config::Config;
use protocol::UsageMeter;
use router_core::store::{StoreFailure, StoreQuery, StoreRequest, UsageQuery, UsageRecord};

use crate::harness::{Server, eventually};
use crate::usage::{FLUSH, booked, talk};

/// Writes the journal often.
fn often(config: &mut Config) {
    config.usage_flush = FLUSH;
    config.usage_journal = Duration::from_millis(10);
}

/// The same, and books nothing.
fn slow(config: &mut Config) {
    often(config);
    config.usage_flush = Duration::from_secs(300);
}

/// The record that a request is to book.
fn record_of(request: &StoreRequest) -> Option<&UsageRecord> {
    match &request.query {
        StoreQuery::Usage(UsageQuery::Book { record, .. }) => Some(record),
        StoreQuery::Usage(UsageQuery::Read { .. } | UsageQuery::Seen)
        | StoreQuery::Directory(_)
        | StoreQuery::Policy(_)
        | StoreQuery::Labels(_) => None,
    }
}

fn journals(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "journal"))
}

/// Whether some journal names a tenant.
fn has_tenant(folder: &Path, tenant: &str) -> bool {
    let texts = journals(folder).filter_map(|path| fs::read(path).ok());
    let mut texts = texts.map(|text| String::from_utf8_lossy(&text).into_owned());
    texts.any(|text| text.contains(tenant))
}

/// Waits until the journal of a gateway has all that was counted, and ends the gateway as a kill does. Returns the
/// journal.
async fn kill(server: Server) -> PathBuf {
    let folder = server.dir.path().join("usage");
    // It is written as long as a socket is open, or something is new.
    let last = Mutex::new((0, Instant::now()));
    eventually("the journal has all", async || {
        let length: u64 = journals(&folder)
            .map(|path| fs::metadata(path).unwrap().len())
            .sum();
        let is_quiet = {
            let mut last = last.lock().unwrap();
            if length != last.0 {
                *last = (length, Instant::now());
            }
            last.1.elapsed() > Duration::from_millis(200)
        };
        is_quiet && server.metric("t2b_connections").await == 0.0
    })
    .await;
    let booked = server
        .metric(r#"t2b_usage_flush_total{result="booked"}"#)
        .await;
    assert_eq!(booked, 0.0);
    let journal = journals(&folder).next().unwrap();
    server.running.abort();
    eventually("the gateway is gone", async || {
        let lock = File::open(journal.with_extension("lock")).unwrap();
        lock.try_lock().is_ok()
    })
    .await;
    journal
}

#[tokio::test]
async fn what_a_gateway_has_not_booked_is_booked_by_the_next_one() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let server = Server::start_in(Arc::clone(&dir), slow, None).await;
    talk(&server, "alice").await;
    let journal = kill(server).await;
    let second = Server::start_in(dir, often, None).await;
    eventually("the journal is booked", async || !journal.exists()).await;
    let booked = booked(&second, "alice").await;
    assert_eq!(booked[&UsageMeter::MessagesSent], 4);
    assert_eq!(booked[&UsageMeter::MessagesAccepted], 3);
}

#[tokio::test]
async fn a_journal_that_cannot_be_begun_is_begun_later() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let folder = dir.path().join("usage");
    fs::write(&folder, "not a folder").unwrap();
    let server = Server::start_in(Arc::clone(&dir), slow, None).await;
    let failures = async || server.metric("t2b_usage_journal_failures_total").await;
    eventually("failures are counted again and again", async || {
        failures().await >= 2.0
    })
    .await;
    talk(&server, "alice").await;
    fs::remove_file(&folder).unwrap();
    eventually("the journal has what was counted before it", async || {
        has_tenant(&folder, "alice")
    })
    .await;
}

#[tokio::test]
async fn a_journal_that_is_deleted_is_begun_anew() {
    let server = Server::start_with(slow).await;
    let folder = server.dir.path().join("usage");
    talk(&server, "alice").await;
    let failures = async || server.metric("t2b_usage_journal_failures_total").await;
    for deletes in 1..=2 {
        eventually("the journal has what was counted", async || {
            has_tenant(&folder, "alice")
        })
        .await;
        // Also when nothing is counted any more.
        eventually("no socket is open", async || {
            server.metric("t2b_connections").await == 0.0
        })
        .await;
        fs::remove_dir_all(&folder).unwrap();
        eventually("the deletion is noticed", async || {
            failures().await >= f64::from(deletes)
        })
        .await;
    }
}

#[tokio::test]
async fn damaged_usage_of_one_tenant_holds_no_other_back() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let is_flushed = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&is_flushed);
    let books_nothing = Box::new(move |request: &StoreRequest| {
        record_of(request)?;
        noted.store(true, Ordering::Relaxed);
        Some(Err(StoreFailure::Lost))
    });
    let server = Server::start_in(Arc::clone(&dir), often, Some(books_nothing)).await;
    talk(&server, "alice").await;
    eventually("a record waits to be booked", async || {
        is_flushed.load(Ordering::Relaxed)
    })
    .await;
    // This is in a second record.
    talk(&server, "alice").await;
    talk(&server, "bob").await;
    let journal = kill(server).await;

    let is_damaged = Arc::new(AtomicBool::new(true));
    let first = Mutex::new(None);
    let damage = Arc::clone(&is_damaged);
    let damages_first = Box::new(move |request: &StoreRequest| {
        let record = record_of(request)?;
        if request.tenant.as_str() != "alice" || !damage.load(Ordering::Relaxed) {
            return None;
        }
        // A later record of the tenant could be booked. Then the ledger would ignore this one for good.
        let is_first = *first.lock().unwrap().get_or_insert(record.seq) == record.seq;
        is_first.then_some(Err(StoreFailure::Damaged))
    });
    let second = Server::start_in(dir, often, Some(damages_first)).await;
    let sent = async |tenant| {
        let booked = booked(&second, tenant).await;
        booked.get(&UsageMeter::MessagesSent).copied()
    };
    eventually("bob's usage is booked", async || {
        sent("bob").await == Some(4)
    })
    .await;
    assert_eq!(sent("alice").await, None);
    assert!(journal.exists());
    is_damaged.store(false, Ordering::Relaxed);
    eventually("the journal is booked", async || !journal.exists()).await;
    assert_eq!(sent("alice").await, Some(8));
    assert_eq!(sent("bob").await, Some(4));
}
