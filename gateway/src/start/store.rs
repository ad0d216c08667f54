//! The store of a gateway: memory, or a Redis that is waited for.

use std::net::SocketAddr;
use std::time::Duration;

use backplane::{Backplane, ConnectError, InboundMessage, MemoryStore, Redis, RedisConfig};
use protocol::limits::CLOCK_SKEW_MAX_MS;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::error::StartError;
use super::warnings::{warn_of_allowances_in_memory, warn_of_loss};
use crate::config::Config;
use crate::http::admin_endpoint::AdminEndpoint;

/// Between two tries to reach Redis: short, so that a node is ready soon after it is there.
const REDIS_RETRY: Duration = Duration::from_millis(500);
/// Between two lines about a Redis that stays away.
const REDIS_LOG_PERIOD: Duration = Duration::from_secs(60);

/// Where the node's questions go, and where it hears from others if there may be any.
pub(super) async fn store(
    config: &Config,
    endpoint: &AdminEndpoint,
    admin: SocketAddr,
) -> Result<(Backplane, Option<mpsc::Receiver<InboundMessage>>), StartError> {
    let Some(redis) = config.redis() else {
        let memory = MemoryStore::open(config.store_bytes, config.state_dir.as_deref())?;
        let memory = memory.keep_usage(config.usage_keep_hours);
        if let Err(error) = memory.check_file() {
            tracing::warn!(
                %error,
                "a revoke or suspend holds only until this process ends; name a directory that can be \
                 written by state_dir"
            );
        }
        warn_of_allowances_in_memory(config);
        return Ok((Backplane::memory(memory), None));
    };
    if redis.insecure {
        tracing::warn!(
            "redis_insecure is set: the certificate of Redis is not checked, so an attacker on the network can pose as Redis"
        );
    }
    let redis = connect(redis, endpoint, admin).await?;
    // Boxed, as connecting is: every start of a gateway would be as deep.
    Box::pin(check_clock(&redis)).await?;
    let backplane = Backplane::redis(redis);
    warn_of_loss(&backplane.state());
    let inbound = backplane.inbound();
    Ok((backplane, inbound))
}

/// Refuses a clock with which usage would be booked into wrong hours.
async fn check_clock(redis: &Redis) -> Result<(), StartError> {
    // Without an answer it is compared later.
    let skew_ms = redis.clock_skew().await.unwrap_or(0);
    match skew_ms.unsigned_abs() <= CLOCK_SKEW_MAX_MS {
        true => Ok(()),
        false => Err(StartError::ClockSkew {
            seconds: skew_ms as f64 / 1000.0,
            most_s: CLOCK_SKEW_MAX_MS / 1000,
        }),
    }
}

/// Tries until Redis is there: a node may start long before it. Errors: what trying again cannot
/// change.
async fn connect(
    config: RedisConfig,
    endpoint: &AdminEndpoint,
    admin: SocketAddr,
) -> Result<Redis, ConnectError> {
    let begun = Instant::now();
    let mut logged: Option<Instant> = None;
    loop {
        // Boxed: it is deep, and every start of a gateway would be as deep.
        match Box::pin(Redis::connect(config.clone())).await {
            Ok(redis) => {
                if logged.is_some() {
                    let waited_s = begun.elapsed().as_secs();
                    tracing::info!(waited_s, "redis is there");
                }
                return Ok(redis);
            }
            Err(error) if !may_pass(&error) => return Err(error),
            Err(error) => {
                endpoint.waits_for(format!("waiting for Redis: {error}"));
                if logged.is_none_or(|then| then.elapsed() >= REDIS_LOG_PERIOD) {
                    logged = Some(Instant::now());
                    tracing::warn!(%error, %admin, "redis is not there yet: this node waits for it, and is not ready");
                } else {
                    tracing::debug!(%error, "redis is still away");
                }
            }
        }
        sleep(REDIS_RETRY).await;
    }
}

/// Whether it makes sense to try again: the other end may change, and this node's configuration cannot.
///
/// A wrong password is one of the configuration's errors: Redis is there and has decided.
fn may_pass(error: &ConnectError) -> bool {
    match error {
        ConnectError::Refused { .. } | ConnectError::Replica(_) | ConnectError::NoMaster { .. } => {
            true
        }
        ConnectError::Url(_)
        | ConnectError::Prefix
        | ConnectError::Tls(_)
        | ConnectError::Credentials { .. }
        | ConnectError::TooOld { .. }
        | ConnectError::OtherKind { .. } => false,
    }
}
