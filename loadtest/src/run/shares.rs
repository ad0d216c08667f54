//! Divides the rates of a scenario among the threads.

use crate::engine::RateShare;
use crate::plan::{FlowPace, GroupPlan, GroupStay, LoadKind};
use crate::scenario::LoadScenario;

/// The rates of each thread: of every load the part that its flows have.
pub(super) fn shares(scenario: &LoadScenario, parts: &[Vec<GroupPlan>]) -> Vec<Vec<RateShare>> {
    let rates = [
        (LoadKind::Open, scenario.open.as_ref().map(|it| it.rate)),
        (LoadKind::Fanout, scenario.fanout.as_ref().map(|it| it.rate)),
        (LoadKind::Slow, scenario.slow.as_ref().map(|it| it.rate)),
        (
            LoadKind::Stalled,
            scenario.slow.as_ref().map(|it| it.stalled_rate),
        ),
        (
            LoadKind::Partials,
            scenario.partials.as_ref().map(|it| it.rate),
        ),
        (LoadKind::Typing, scenario.typing.as_ref().map(|it| it.rate)),
        (LoadKind::Churn, scenario.churn.as_ref().map(|it| it.rate)),
    ];
    let weight = |part: &[GroupPlan], load: LoadKind| -> usize {
        let of_group = |group: &GroupPlan| match load.schedules_visits() {
            true => usize::from(group.stay == GroupStay::Visit),
            false => {
                let flows = group.flows.iter();
                flows
                    .filter(|flow| flow.pace == FlowPace::Scheduled(load))
                    .count()
            }
        };
        part.iter().map(of_group).sum()
    };
    let of_part = |(place, part): (usize, &Vec<GroupPlan>)| {
        let shares = rates.iter().filter_map(|(load, rate)| {
            let own = weight(part, *load);
            let all: usize = parts.iter().map(|part| weight(part, *load)).sum();
            let share = (*rate)? * own as f64 / all.max(1) as f64;
            (own > 0).then_some(RateShare {
                load: *load,
                rate: share,
                offset: place as f64 / parts.len() as f64,
            })
        });
        shares.collect()
    };
    parts.iter().enumerate().map(of_part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;

    #[test]
    fn threads_share_every_rate_as_they_share_its_flows() {
        let scenario = LoadScenario::load("mixed", &["open.pairs=3".to_owned()]).unwrap();
        let mut parts: Vec<Vec<GroupPlan>> = vec![Vec::new(), Vec::new()];
        for group in plan(&scenario, 1) {
            parts[group.index % 2].push(group);
        }
        let shares = shares(&scenario, &parts);
        let open: Vec<_> = shares.iter().map(|it| it[0].rate).collect();
        assert_eq!(shares[0][0].load, LoadKind::Open);
        assert_eq!(open, [200.0, 100.0]);
        for (load, whole) in [
            (LoadKind::Open, 300.0),
            (LoadKind::Partials, 600.0),
            (LoadKind::Typing, 100.0),
        ] {
            let both = shares.iter().flatten().filter(|it| it.load == load);
            let sum: f64 = both.map(|it| it.rate).sum();
            assert!((sum - whole).abs() < 1e-9);
        }
    }
}
