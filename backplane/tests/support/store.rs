//! A store on a real Redis, as a node has it.

use std::time::Duration;

use backplane::{Backplane, RedisConfig, StoreClock};
use protocol::limits::USAGE_KEEP_HOURS;

/// Nothing takes so long unless it hangs.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Where Redis is, for a node.
pub fn config(url: &str, clock: StoreClock) -> RedisConfig {
    RedisConfig {
        url: url.to_owned().into(),
        prefix: "t2b".into(),
        insecure: false,
        client: None,
        usage_keep_hours: USAGE_KEEP_HOURS,
        clock,
    }
}

/// A node's store.
pub async fn connect(url: &str, clock: StoreClock) -> Backplane {
    let redis = backplane::Redis::connect(config(url, clock)).await;
    Backplane::redis(redis.unwrap())
}
