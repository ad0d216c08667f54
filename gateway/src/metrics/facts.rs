//! What a scrape is told of the node beside the recorder's values.

use protocol::BootId;
use protocol::envelope::WIRE;
use router_core::NodeView;
use router_core::lane::LaneStatus;

use super::text::MetricText;

/// The commit of a build that does not know it.
pub(crate) const COMMIT_UNKNOWN: &str = "unknown";

/// What a node knows of itself at a scrape.
#[derive(Debug)]
pub(crate) struct ScrapeFacts<'a> {
    /// The other nodes.
    pub(crate) nodes: &'a NodeView,
    /// The lanes to them.
    pub(crate) lanes: &'a [(BootId, LaneStatus)],
    /// Whether Redis is connected; absent on a node without Redis.
    pub(crate) redis_connected: Option<bool>,
}

/// What is known of this process from its start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BuildFacts {
    /// The commit that it was built from.
    pub(crate) commit: &'static str,
    /// When the certificate of the public listener expires, Unix seconds; absent without TLS.
    pub(crate) tls_expiry_s: Option<i64>,
}

impl Default for BuildFacts {
    fn default() -> Self {
        Self {
            commit: COMMIT_UNKNOWN,
            tls_expiry_s: None,
        }
    }
}

/// Appends the build, and what only nodes with Redis or with TLS have.
pub(super) fn render(facts: &ScrapeFacts<'_>, build: BuildFacts, out: &mut String) {
    let (wire, boot) = (WIRE[1].to_string(), facts.nodes.own.to_string());
    let labels = [env!("CARGO_PKG_VERSION"), build.commit, &wire, &boot];
    MetricText::begin("t2b_build_info", out).series(&labels, 1);
    if let Some(connected) = facts.redis_connected {
        MetricText::begin("t2b_redis_connected", out).series(&[], u8::from(connected));
    }
    if let Some(expiry_s) = build.tls_expiry_s {
        MetricText::begin("t2b_tls_expiry_timestamp_seconds", out).series(&[], expiry_s);
    }
}
