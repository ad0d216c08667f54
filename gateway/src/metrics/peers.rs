//! The metrics whose series name other nodes: those that cannot be reached, and the lanes to them.
//!
//! A lane that ended is not named any more. So only gauges have the label; what a lane counts is told of all
//! lanes together, as a counter must not go back.

use protocol::BootId;
use protocol::lane::TermsMismatch;
use router_core::NodeView;
use router_core::lane::LaneStatus;

use super::text::MetricText;

/// Most nodes that are named; the others are one series, [`OTHER`].
const NAMED_MAX: usize = 16;
/// The name of all nodes beyond those.
const OTHER: &str = "_other";

/// Appends their series. Each metric has one with an empty `node` and 0, so that it is always there.
/// `lanes`: each lane of this node, in a fixed order.
pub(super) fn render(nodes: &NodeView, lanes: &[(BootId, LaneStatus)], out: &mut String) {
    let mut unreachable = MetricText::begin("t2b_nodes_unreachable", out);
    for reason in TermsMismatch::ALL {
        let peers = nodes.peers.iter();
        let peers = peers.filter(|(_, peer)| peer.is_sure() && peer.terms == Err(reason));
        let names = peers.map(|(boot, _)| (name_of(nodes, *boot), 1.0));
        let reason = reason.to_string();
        for (node, count) in bounded(names, |sum, one| sum + one) {
            unreachable.series(&[&reason, &node], count);
        }
    }
    let each = |value: fn(&LaneStatus) -> f64| {
        let lanes = lanes.iter();
        lanes.map(move |(boot, status)| (name_of(nodes, *boot), value(status)))
    };
    let unacked = each(|status| status.unacked_bytes as f64);
    let waiting = each(|status| status.waiting_bytes as f64);
    let oldest = each(|status| status.oldest_ms.unwrap_or(0) as f64 / 1000.0);
    let sum = |one, two| one + two;
    for (name, series) in [
        ("t2b_lane_unacked_bytes", bounded(unacked, sum)),
        ("t2b_lane_waiting_bytes", bounded(waiting, sum)),
        ("t2b_lane_oldest_seconds", bounded(oldest, f64::max)),
    ] {
        let mut text = MetricText::begin(name, out);
        for (node, value) in series {
            text.series(&[&node], value);
        }
    }
}

/// What the node calls itself; its boot id, if it has said nothing yet.
fn name_of(nodes: &NodeView, boot: BootId) -> String {
    let hello = nodes.peers.get(&boot).and_then(|peer| peer.hello.as_ref());
    hello.map_or_else(|| boot.to_string(), |hello| hello.name.to_string())
}

/// The series: an empty name with 0, then the first [`NAMED_MAX`] names, then all others as one. Values of
/// one name become one, since two nodes may have called themselves the same.
fn bounded(
    values: impl Iterator<Item = (String, f64)>,
    join: impl Fn(f64, f64) -> f64,
) -> Vec<(String, f64)> {
    let mut series: Vec<(String, f64)> = vec![(String::new(), 0.0)];
    for (name, value) in values {
        let is_known = series.iter().any(|(known, _)| *known == name);
        let name = match is_known || series.len() <= NAMED_MAX {
            true => name,
            false => OTHER.to_owned(),
        };
        match series.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum = join(*sum, value),
            None => series.push((name, value)),
        }
    }
    series
}

#[cfg(test)]
mod tests {
    use router_core::membership::PeerNode;
    use router_core::store::nodes::NodeHello;

    use super::*;

    fn nodes(count: u128) -> NodeView {
        let mut nodes = NodeView::alone(BootId::from_bits(u128::MAX));
        for bits in 0..count {
            let mut peer = PeerNode::new(1);
            peer.terms = Err(TermsMismatch::Key);
            peer.has_moved = true;
            peer.hello = Some(NodeHello {
                name: format!("pod \"{bits}\"").into(),
                address: "10.0.0.1:3000".into(),
                peer_address: "127.0.0.1:9464".into(),
                version: "0.1.0".into(),
                wire: [1, 1],
                keys: [].into(),
                serving: true,
                connections: 0,
            });
            nodes.peers.insert(BootId::from_bits(bits), peer);
        }
        nodes
    }

    fn lane(waiting_bytes: usize, oldest_ms: u64) -> LaneStatus {
        LaneStatus {
            generation: 1,
            unacked_bytes: 0,
            waiting_bytes,
            unacked: 0,
            resends: 0,
            oldest_ms: Some(oldest_ms),
        }
    }

    fn text(count: u128, lanes: &[(BootId, LaneStatus)]) -> String {
        let mut text = String::new();
        render(&nodes(count), lanes, &mut text);
        text
    }

    #[test]
    fn nodes_that_cannot_be_reached_are_named_up_to_a_bound() {
        let key = |node: &str, value: u32| {
            format!(
                "t2b_nodes_unreachable{{reason=\"no_common_secret\",node=\"{node}\"}} {value}\n"
            )
        };
        assert!(text(0, &[]).contains(&key("", 0)));
        assert!(text(0, &[]).contains("{reason=\"no_common_wire\",node=\"\"} 0\n"));
        assert!(text(1, &[]).contains(&key("pod \\\"0\\\"", 1)));
        assert!(!text(16, &[]).contains("_other"));
        assert!(text(19, &[]).contains(&key("_other", 3)));
        let series = text(19, &[]);
        let series = series.lines();
        let series = series.filter(|line| line.starts_with("t2b_nodes_unreachable{"));
        assert_eq!(series.count(), 2 + 16 + 1);
    }

    #[test]
    fn lanes_are_told_by_node_up_to_a_bound() {
        let lanes: Vec<_> = (0..19)
            .map(|bits| (BootId::from_bits(bits), lane(10, 500 * bits as u64)))
            .collect();
        let text = text(17, &lanes);
        for line in [
            "t2b_lane_waiting_bytes{node=\"\"} 0\n",
            "t2b_lane_waiting_bytes{node=\"pod \\\"3\\\"\"} 10\n",
            "t2b_lane_waiting_bytes{node=\"_other\"} 30\n",
            "t2b_lane_oldest_seconds{node=\"pod \\\"3\\\"\"} 1.5\n",
            "t2b_lane_oldest_seconds{node=\"_other\"} 9\n",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }

    #[test]
    fn a_lane_to_a_node_that_has_said_nothing_is_told_by_its_boot_id() {
        let boot = BootId::from_bits(7);
        let text = text(0, &[(boot, lane(10, 0))]);
        assert!(text.contains(&format!("t2b_lane_waiting_bytes{{node=\"{boot}\"}} 10\n")));
    }
}
