//! How many connections a node gives to others that have fewer.

/// By how much a node may be above the average, percent, before it gives any.
const ABOVE_PERCENT: u64 = 20;
/// Connections that a node gives in a second, in thousandths of the average.
const GIVEN_PERMILLE: u64 = 5;
/// Least difference to the average that is worth moving: among few connections chance makes such differences.
const LEAST_ABOVE: u64 = 20;

/// How many connections a node gives within a second. `own`: its connections; `others`: those of each other node that
/// takes sockets.
pub fn given_per_second(own: u64, others: impl Iterator<Item = u64>) -> u64 {
    let (nodes, all) = others.fold((1, own), |(nodes, all), other| {
        (nodes + 1, all.saturating_add(other))
    });
    let average = all / nodes;
    let above = own.saturating_sub(average);
    let is_above = above.saturating_mul(100) > average.saturating_mul(ABOVE_PERCENT);
    match is_above && above >= LEAST_ABOVE && nodes > 1 {
        true => (average * GIVEN_PERMILLE / 1000).clamp(1, above),
        false => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_node_far_above_the_average_gives() {
        for (own, others, expected) in [
            (1000, &[1000, 1000][..], 0),
            // The average is 1,000.
            (1200, &[900, 900], 0),
            (1201, &[900, 900], 5),
            (900, &[1201, 900], 0),
            // A new node among two.
            (3000, &[3000, 0], 10),
            // Among few, chance makes such differences.
            (28, &[0, 0], 0),
            (29, &[0, 0], 1),
            (40, &[0, 0], 1),
            (5000, &[], 0),
            (0, &[0], 0),
            (u64::MAX, &[u64::MAX], 0),
        ] {
            let given = given_per_second(own, others.iter().copied());
            assert_eq!(given, expected, "{own} {others:?}");
        }
    }

    #[test]
    fn two_full_nodes_and_an_empty_one_become_even() {
        let mut nodes = [6000_u64, 6000, 0];
        let mut seconds = 0;
        loop {
            let given = given_per_second(nodes[0], nodes[1..].iter().copied());
            if given == 0 {
                break;
            }
            nodes = [nodes[0] - given, nodes[1] - given, nodes[2] + 2 * given];
            seconds += 1;
        }
        assert_eq!((nodes, seconds), ([4800, 4800, 2400], 60));
    }
}
