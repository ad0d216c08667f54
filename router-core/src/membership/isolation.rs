//! Whether this node alone is cut off from the store: then its connections are better off on others.
//!
//! ```text
//!               degraded        most peers are well, for 3 s
//!  Staying ───────▶ asks every second ─────────────▶ CutOff: not ready, connections move
//!     ▲                 │ nobody answers, for isolate_after
//!     │                 └──────────────────────────▶ Overdue: ready, connections move slowly
//!     └── the store answers, or most peers say that theirs does not either
//! ```
//!
//! If the store is down for all, everybody stays: all nodes leaving the balancer at once is the greater harm.

use std::collections::BTreeMap;

use protocol::BootId;

use super::NodeView;
use crate::env::Millis;

/// Between two questions to a peer, milliseconds.
const ASK_MS: Millis = 1000;
/// How long an answer counts, milliseconds: two lost datagrams change nothing.
const ANSWER_KEPT_MS: Millis = 3500;
/// For how long most peers have to be well, milliseconds: a short failure of one link moves nobody.
const SURE_MS: Millis = 3000;

/// What a node that may be cut off does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IsolationState {
    /// It keeps its connections.
    #[default]
    Staying,
    /// It is cut off, and most peers are not.
    CutOff,
    /// It has been degraded for too long, and no peer could be asked.
    Overdue,
}

impl IsolationState {
    /// For the log and the admin API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Staying => "staying",
            Self::CutOff => "cut_off",
            Self::Overdue => "overdue",
        }
    }

    /// Over which time the connections of the node move, milliseconds. `None`: they stay.
    pub const fn window_ms(self) -> Option<Millis> {
        match self {
            Self::Staying => None,
            // 5 % a second.
            Self::CutOff => Some(20_000),
            // 1 % a second.
            Self::Overdue => Some(100_000),
        }
    }
}

/// Watches whether this node alone is cut off.
#[derive(Debug, Default)]
pub struct IsolationWatch {
    state: IsolationState,
    degraded_since_ms: Option<Millis>,
    asked_ms: Option<Millis>,
    /// The last answer of each peer: when it came, and whether the peer is well.
    answers: BTreeMap<BootId, (Millis, bool)>,
    /// Since when most peers have been well.
    most_well_since_ms: Option<Millis>,
}

impl IsolationWatch {
    /// What the node does now.
    pub fn state(&self) -> IsolationState {
        self.state
    }

    /// Notes a peer's answer.
    pub fn answered(&mut self, now_ms: Millis, boot: BootId, is_well: bool) {
        self.answers.insert(boot, (now_ms, is_well));
    }

    /// Looks at the clock. Returns the peers that have to be asked now. `isolate_after_ms`: 0 = the node never moves its
    /// connections.
    pub fn look(
        &mut self,
        now_ms: Millis,
        view: &NodeView,
        isolate_after_ms: Millis,
    ) -> Vec<BootId> {
        if !view.degraded || view.peers.is_empty() || isolate_after_ms == 0 {
            *self = Self::default();
            return Vec::new();
        }
        let since_ms = *self.degraded_since_ms.get_or_insert(now_ms);
        self.answers
            .retain(|_, (at_ms, _)| now_ms < *at_ms + ANSWER_KEPT_MS);
        let well = self.answers.values().filter(|(_, is_well)| *is_well);
        let well = well.count();
        let unwell = self.answers.len() - well;
        let are_most_well = well > unwell && 2 * well >= view.peers.len();
        self.most_well_since_ms = match are_most_well {
            true => Some(self.most_well_since_ms.unwrap_or(now_ms)),
            false => None,
        };
        let is_sure = |well_since_ms: Millis| now_ms >= well_since_ms + SURE_MS;
        self.state = if self.most_well_since_ms.is_some_and(is_sure) {
            IsolationState::CutOff
        } else if self.answers.is_empty() && now_ms >= since_ms + isolate_after_ms {
            IsolationState::Overdue
        } else if unwell >= well && unwell > 0 {
            IsolationState::Staying
        } else {
            self.state
        };
        let is_due = self.asked_ms.is_none_or(|at_ms| now_ms >= at_ms + ASK_MS);
        if !is_due {
            return Vec::new();
        }
        self.asked_ms = Some(now_ms);
        view.peers.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::PeerNode;
    use super::*;

    const AFTER_MS: Millis = 60_000;

    fn view(peers: u128, degraded: bool) -> NodeView {
        let mut view = NodeView::starting(BootId::from_bits(99));
        view.degraded = degraded;
        for peer in 0..peers {
            view.peers.insert(BootId::from_bits(peer), PeerNode::new(1));
        }
        view
    }

    /// Lets time pass; each peer that is asked answers as `answer` says. Returns the last state.
    fn pass(
        watch: &mut IsolationWatch,
        view: &NodeView,
        (from_ms, to_ms): (Millis, Millis),
        answer: impl Fn(usize) -> Option<bool>,
    ) -> IsolationState {
        for now_ms in (from_ms..to_ms).step_by(250) {
            for (at, boot) in watch.look(now_ms, view, AFTER_MS).into_iter().enumerate() {
                if let Some(is_well) = answer(at) {
                    watch.answered(now_ms, boot, is_well);
                }
            }
        }
        watch.state()
    }

    #[test]
    fn a_node_that_is_cut_off_alone_leaves_within_ten_seconds() {
        let mut watch = IsolationWatch::default();
        let cut = view(2, true);
        let state = pass(&mut watch, &cut, (0, 3000), |_| Some(true));
        assert_eq!(state, IsolationState::Staying, "not sure yet");
        let state = pass(&mut watch, &cut, (3000, 5000), |_| Some(true));
        assert_eq!(state, IsolationState::CutOff);
        let state = pass(&mut watch, &cut, (5000, 30_000), |_| None);
        assert_eq!(state, IsolationState::CutOff, "silence takes nothing back");
        let state = pass(&mut watch, &view(2, false), (30_000, 31_000), |_| None);
        assert_eq!(state, IsolationState::Staying, "the store answers");
    }

    #[test]
    fn if_nobody_is_well_everybody_stays_for_good() {
        let mut watch = IsolationWatch::default();
        let state = pass(&mut watch, &view(3, true), (0, 10 * AFTER_MS), |_| {
            Some(false)
        });
        assert_eq!(state, IsolationState::Staying);
    }

    #[test]
    fn it_takes_most_of_the_peers() {
        for (well, unwell, silent, expected) in [
            (1, 0, 1, IsolationState::CutOff),
            (1, 1, 0, IsolationState::Staying),
            (2, 1, 0, IsolationState::CutOff),
            (1, 0, 3, IsolationState::Staying),
            (0, 1, 3, IsolationState::Staying),
        ] {
            let mut watch = IsolationWatch::default();
            let peers = view(well + unwell + silent, true);
            let answer = |at: usize| match at as u128 {
                at if at < well => Some(true),
                at if at < well + unwell => Some(false),
                _ => None,
            };
            let state = pass(&mut watch, &peers, (0, 3 * AFTER_MS), answer);
            assert_eq!(state, expected, "{well} {unwell} {silent}");
        }
    }

    #[test]
    fn without_answers_it_leaves_late() {
        let mut watch = IsolationWatch::default();
        let state = pass(&mut watch, &view(2, true), (0, AFTER_MS), |_| None);
        assert_eq!(state, IsolationState::Staying);
        let later = (AFTER_MS, AFTER_MS + 1000);
        let state = pass(&mut watch, &view(2, true), later, |_| None);
        assert_eq!(state, IsolationState::Overdue);
        assert_eq!(state.window_ms(), Some(100_000));
    }

    #[test]
    fn if_the_store_fails_for_all_it_comes_back() {
        let mut watch = IsolationWatch::default();
        let cut = view(2, true);
        pass(&mut watch, &cut, (0, 5000), |_| Some(true));
        let state = pass(&mut watch, &cut, (5000, 7000), |_| Some(false));
        assert_eq!(state, IsolationState::Staying);
    }

    #[test]
    fn alone_or_switched_off_nobody_is_asked() {
        let mut watch = IsolationWatch::default();
        assert_eq!(watch.look(0, &view(0, true), AFTER_MS), []);
        assert_eq!(watch.look(0, &view(2, true), 0), []);
        assert_eq!(watch.look(0, &view(2, false), AFTER_MS), []);
        assert_eq!(watch.look(0, &view(2, true), AFTER_MS).len(), 2);
        assert_eq!(
            watch.look(900, &view(2, true), AFTER_MS),
            [],
            "a second ago"
        );
    }
}
