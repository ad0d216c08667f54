//! The one metric whose series name other nodes: those that cannot be reached.
//!
//! It is written from the view at each scrape, as the recorder never forgets a series: a node that is
//! gone would stay.

use std::fmt::Write;

use protocol::lane::TermsMismatch;
use router_core::NodeView;

use super::table;

const NAME: &str = "t2b_nodes_unreachable";
/// Most nodes that are named; the others are one series, `_other`.
const NAMED_MAX: usize = 16;

/// Appends its series: each reason with an empty `node` and 0, so that it is always there, and each
/// node that cannot be reached with 1.
pub(super) fn render(nodes: &NodeView, out: &mut String) {
    let Some(row) = table::row(NAME) else {
        debug_assert!(false, "{NAME} is not in the table");
        return;
    };
    // A string takes all that is written to it.
    let _ = writeln!(out, "# HELP {NAME} {}\n# TYPE {NAME} gauge", row.help);
    for reason in TermsMismatch::ALL {
        let mut others = 0;
        let _ = writeln!(out, "{NAME}{{reason=\"{reason}\",node=\"\"}} 0");
        let peers = nodes.peers.iter();
        let peers = peers.filter(|(_, peer)| peer.is_sure() && peer.terms == Err(reason));
        for (at, (boot, peer)) in peers.enumerate() {
            if at >= NAMED_MAX {
                others += 1;
                continue;
            }
            let name = peer.hello.as_ref().map(|hello| escaped(&hello.name));
            let name = name.unwrap_or_else(|| boot.to_string());
            let _ = writeln!(out, "{NAME}{{reason=\"{reason}\",node=\"{name}\"}} 1");
        }
        if others > 0 {
            let _ = writeln!(
                out,
                "{NAME}{{reason=\"{reason}\",node=\"_other\"}} {others}"
            );
        }
    }
    out.push('\n');
}

/// A value of a label, as Prometheus reads it.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for letter in value.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use protocol::BootId;
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

    #[test]
    fn nodes_that_cannot_be_reached_are_named_up_to_a_bound() {
        let text = |count| {
            let mut text = String::new();
            render(&nodes(count), &mut text);
            text
        };
        let key = |node: &str, value: u32| {
            format!(
                "t2b_nodes_unreachable{{reason=\"no_common_secret\",node=\"{node}\"}} {value}\n"
            )
        };
        assert!(text(0).contains(&key("", 0)));
        assert!(text(0).contains("{reason=\"no_common_wire\",node=\"\"} 0\n"));
        assert!(text(1).contains(&key("pod \\\"0\\\"", 1)));
        assert!(!text(16).contains("_other"));
        assert!(text(19).contains(&key("_other", 3)));
        let series = text(19);
        let series = series.lines().filter(|line| line.starts_with("t2b_"));
        assert_eq!(series.count(), 2 + 16 + 1);
    }
}
