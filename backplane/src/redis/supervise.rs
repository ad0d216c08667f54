//! What fails is found again, as often as it takes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Inner;
use super::inbound::Inbound;
use super::session::Session;
use super::url::Address;

/// The wait before the second attempt; it doubles.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// The longest wait.
const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// A session that lasted so long was of use: the wait after it is short again.
const STEADY: Duration = Duration::from_secs(5);

/// Replaces sessions, for ever.
pub(super) async fn supervise(inner: Arc<Inner>, mut session: Arc<Session>) {
    let mut backoff = BACKOFF_MIN;
    loop {
        let begun = Instant::now();
        session.ended().await;
        if begun.elapsed() >= STEADY {
            backoff = BACKOFF_MIN;
        }
        inner.session.store(None);
        session.close().await;
        tell(&inner, Inbound::LinkDown).await;
        session = again(&inner, &session.addresses(), &mut backoff).await;
        inner.intake.counters.reconnects.fetch_add(1, Relaxed);
        tell(&inner, Inbound::LinkUp).await;
    }
}

/// A session with all subscriptions, which is in use already.
async fn again(inner: &Inner, known: &[Address], backoff: &mut Duration) -> Arc<Session> {
    loop {
        // Jitter: all nodes lost it at the same moment.
        sleep(backoff.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        *backoff = (*backoff * 2).min(BACKOFF_MAX);
        match Session::open(&inner.place, &inner.intake, known).await {
            Ok(session) => {
                let session = Arc::new(session);
                if resubscribe(inner, &session).await.is_ok() {
                    return session;
                }
                session.end.because("a subscription was not confirmed");
                inner.session.store(None);
                session.close().await;
            }
            Err(error) => inner.intake.counters.error(error.to_string()),
        }
    }
}

/// Subscribes what is wanted, and puts the session into use: what is wanted after the first look
/// either finds the session or is found by the second.
async fn resubscribe(inner: &Inner, session: &Arc<Session>) -> Result<(), ()> {
    let before = wanted(inner, session);
    session.subscribe(before.iter().cloned().collect()).await?;
    inner.session.store(Some(session.clone()));
    let after = wanted(inner, session);
    session
        .subscribe(after.difference(&before).cloned().collect())
        .await
}

/// The channels to be subscribed.
fn wanted(inner: &Inner, session: &Session) -> BTreeSet<String> {
    let wanted = inner.wanted();
    let events = wanted
        .tenants
        .iter()
        .map(|tenant| inner.intake.keys.events(tenant));
    let boots = wanted
        .boots
        .iter()
        .flat_map(|boot| session.node_channels(*boot));
    events.chain(boots).collect()
}

async fn tell(inner: &Inner, link: Inbound) {
    // Without a receiver nobody wants to know.
    let _ = inner.intake.sender.send(link).await;
}
