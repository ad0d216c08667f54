//! What a scrape is told of the node beside the recorder's values.

use std::collections::BTreeMap;

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

/// When the certificates of listeners expire, Unix seconds, by listener; those without TLS have none.
pub(super) type TlsExpiries = BTreeMap<&'static str, i64>;

/// Appends the build, and what only nodes with Redis or with TLS have.
pub(super) fn render(
    facts: &ScrapeFacts<'_>,
    commit: &str,
    expiries: &TlsExpiries,
    out: &mut String,
) {
    let (wire, boot) = (WIRE[1].to_string(), facts.nodes.own.to_string());
    let labels = [env!("CARGO_PKG_VERSION"), commit, &wire, &boot];
    MetricText::begin("t2b_build_info", out).series(&labels, 1);
    if let Some(connected) = facts.redis_connected {
        MetricText::begin("t2b_redis_connected", out).series(&[], u8::from(connected));
    }
    if !expiries.is_empty() {
        let mut series = MetricText::begin("t2b_tls_expiry_timestamp_seconds", out);
        for (listener, expiry_s) in expiries {
            series.series(&[listener], expiry_s);
        }
    }
}
