//! Connects again after a failure, as often as it takes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::RedisSession;
use crate::redis::pubsub::inbound::InboundMessage;
use crate::redis::shared::RedisShared;
use crate::redis::topology::address::ServerAddress;

/// The wait before the second attempt; it doubles.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// The longest wait.
const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// A session that lasted so long was of use: the wait after it is short again.
const STEADY: Duration = Duration::from_secs(5);

/// Replaces sessions, for ever.
pub(in crate::redis) async fn supervise(shared: Arc<RedisShared>, mut session: Arc<RedisSession>) {
    let mut backoff = BACKOFF_MIN;
    loop {
        let begun = Instant::now();
        session.ended().await;
        if begun.elapsed() >= STEADY {
            backoff = BACKOFF_MIN;
        }
        shared.current.store(None);
        session.close().await;
        tell(&shared, InboundMessage::LinkDown).await;
        session = again(&shared, &session.addresses(), &mut backoff).await;
        shared.intake.counters.reconnects.fetch_add(1, Relaxed);
        tell(&shared, InboundMessage::LinkUp).await;
    }
}

/// A session with all subscriptions, which is in use already.
async fn again(
    shared: &RedisShared,
    known: &[ServerAddress],
    backoff: &mut Duration,
) -> Arc<RedisSession> {
    loop {
        // Jitter: all nodes lost it at the same moment.
        sleep(backoff.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        *backoff = (*backoff * 2).min(BACKOFF_MAX);
        match RedisSession::open(&shared.place, &shared.intake, known).await {
            Ok(session) => {
                let session = Arc::new(session);
                if resubscribe(shared, &session).await.is_ok() {
                    return session;
                }
                session.end.because("a subscription was not confirmed");
                shared.current.store(None);
                session.close().await;
            }
            Err(error) => shared.intake.counters.error(error.to_string()),
        }
    }
}

/// Subscribes what is wanted, and puts the session into use: what is wanted after the first look
/// either finds the session or is found by the second.
async fn resubscribe(shared: &RedisShared, session: &Arc<RedisSession>) -> Result<(), ()> {
    let before = wanted(shared, session);
    session.subscribe(before.iter().cloned().collect()).await?;
    shared.current.store(Some(session.clone()));
    let after = wanted(shared, session);
    session
        .subscribe(after.difference(&before).cloned().collect())
        .await
}

/// The channels to be subscribed.
fn wanted(shared: &RedisShared, session: &RedisSession) -> BTreeSet<String> {
    let wanted = shared.wanted();
    let events = wanted
        .tenants
        .iter()
        .map(|tenant| shared.names().events(tenant));
    let boots = wanted
        .boots
        .iter()
        .flat_map(|boot| session.node_channels(*boot));
    events.chain(boots).collect()
}

async fn tell(shared: &RedisShared, link: InboundMessage) {
    // Without a receiver nobody wants to know.
    let _ = shared.intake.sender.send(link).await;
}
