//! Turns a scenario into groups: who connects to which gateway, and who sends to whom.
//!
//! A group is what belongs together: a pair, a bot with its clients, one silent socket. Nothing is
//! sent from one group to another, so each is served by one thread and threads share nothing.

use std::ops::Range;

use crate::message::MessageKind;
use crate::scenario::LoadScenario;

/// One socket, as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPlan {
    /// Under which others write to it: a bot's id, or a client id.
    pub name: String,
    /// Whether it registers `name` as a bot.
    pub is_bot: bool,
    /// Which of the gateways it connects to.
    pub node: usize,
    /// Whether it reads nothing once the measurement begins.
    pub stalls: bool,
}

/// When a flow sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowPace {
    /// Whenever fewer than this are unanswered; `quota` ends it until the group connects anew.
    Window {
        /// Questions under way.
        window: u32,
        /// Most questions.
        quota: Option<u32>,
    },
    /// When the schedule of this load says so.
    Scheduled(LoadKind),
    /// Whenever its question arrives.
    Answer,
}

/// Which load's schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoadKind {
    /// `[open]`
    Open,
    /// `[fanout]`
    Fanout,
    /// `[slow]`: those that read.
    Slow,
    /// `[slow]`: to those that do not.
    Stalled,
    /// `[partials]`
    Partials,
    /// `[typing]`
    Typing,
    /// `[churn]`: not messages but visits.
    Churn,
}

impl LoadKind {
    /// Whether its schedule calls visits, and not messages.
    pub(crate) fn schedules_visits(self) -> bool {
        match self {
            Self::Churn => true,
            Self::Open | Self::Fanout | Self::Slow => false,
            Self::Stalled | Self::Partials | Self::Typing => false,
        }
    }
}

/// Numbered messages from one socket to the sockets of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowPlan {
    /// The sender, in the group.
    pub from: usize,
    /// Who gets each message, in the group; all have one name.
    pub to: Range<usize>,
    /// What is sent.
    pub kind: MessageKind,
    /// When.
    pub pace: FlowPace,
    /// The flow, in the group, that answers this one, or that this one answers.
    pub other: Option<usize>,
    /// Of every so many frames the last goes to `other` as a message.
    pub stream: Option<u64>,
    /// Whether nobody reads it, so that refusals are what is asked for.
    pub is_exempt: bool,
    /// Size of a frame, bytes.
    pub bytes: usize,
}

/// How long a group stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupStay {
    /// For the whole run.
    Always,
    /// Until its questions are answered; the schedule calls it again.
    Visit,
    /// For the whole run, but it is dropped when the measurement begins.
    Storm,
}

/// What belongs together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPlan {
    /// Its number in the run.
    pub index: usize,
    /// Its tenant's number.
    pub tenant: usize,
    /// Its sockets.
    pub users: Vec<UserPlan>,
    /// Who writes to whom.
    pub flows: Vec<FlowPlan>,
    /// How long it stays.
    pub stay: GroupStay,
}

/// All groups of a scenario, over so many gateways.
pub fn plan(scenario: &LoadScenario, nodes: usize) -> Vec<GroupPlan> {
    let mut plan = PlanBuilder {
        nodes,
        tenants: scenario.tenants,
        bytes: scenario.message_bytes,
        groups: Vec::new(),
    };
    plan.add_conversations(scenario);
    plan.add_one_way(scenario);
    plan.add_visits(scenario);
    let idle = scenario.idle.as_ref().map_or(0, |it| it.sockets);
    (0..idle).for_each(|_| plan.silent());
    plan.groups
}

struct PlanBuilder {
    nodes: usize,
    tenants: usize,
    /// Size of a frame.
    bytes: usize,
    groups: Vec<GroupPlan>,
}

impl PlanBuilder {
    /// Pairs that ask and answer for the whole run.
    fn add_conversations(&mut self, scenario: &LoadScenario) {
        if let Some(it) = &scenario.pingpong {
            let pace = FlowPace::Window {
                window: it.window,
                quota: None,
            };
            self.pairs(it.pairs, GroupStay::Always, pace);
        }
        if let Some(it) = &scenario.open {
            let pace = FlowPace::Scheduled(LoadKind::Open);
            self.pairs(it.pairs, GroupStay::Always, pace);
        }
        if let Some(it) = &scenario.slow {
            let stalled = it.stalled_pairs();
            let pace = FlowPace::Scheduled(LoadKind::Slow);
            self.pairs(it.pairs - stalled, GroupStay::Always, pace);
            (0..stalled).for_each(|_| self.stalled_pair(it.stalled_bytes));
        }
    }

    /// Groups whose messages nobody answers.
    fn add_one_way(&mut self, scenario: &LoadScenario) {
        if let Some(it) = &scenario.fanout {
            (0..it.bots).for_each(|_| self.bot_with_clients(it.clients, it.devices));
        }
        if let Some(it) = &scenario.partials {
            (0..it.pairs).for_each(|_| self.streaming_pair(it.stream));
        }
        if let Some(it) = &scenario.typing {
            (0..it.pairs).for_each(|_| self.typing_pair());
        }
    }

    /// Pairs that are dropped, and pairs that come and go.
    fn add_visits(&mut self, scenario: &LoadScenario) {
        let window = |quota| FlowPace::Window {
            window: 1,
            quota: Some(quota),
        };
        if let Some(it) = &scenario.storm {
            self.pairs(it.pairs, GroupStay::Storm, window(1));
        }
        if let Some(it) = &scenario.churn {
            self.pairs(it.at_once, GroupStay::Visit, window(it.messages));
        }
    }

    fn add(&mut self, stay: GroupStay, flows: Vec<FlowPlan>, users: Vec<UserPlan>) {
        let index = self.groups.len();
        let tenant = match self.tenants {
            0 => index,
            tenants => index % tenants,
        };
        self.groups.push(GroupPlan {
            index,
            tenant,
            users,
            flows,
            stay,
        });
    }

    fn flow(&self, from: usize, to: usize, pace: FlowPace) -> FlowPlan {
        FlowPlan {
            from,
            to: to..to + 1,
            kind: MessageKind::Message,
            pace,
            other: None,
            stream: None,
            is_exempt: false,
            bytes: self.bytes,
        }
    }

    /// A client of the next group, on that group's gateway.
    fn client(&self) -> UserPlan {
        let index = self.groups.len();
        UserPlan {
            name: format!("c{index:06}"),
            is_bot: false,
            node: index % self.nodes,
            stalls: false,
        }
    }

    /// A bot of the next group, on another gateway than its client if there are two.
    fn bot(&self) -> UserPlan {
        let index = self.groups.len();
        UserPlan {
            name: format!("b{index:06}"),
            is_bot: true,
            node: (index + 1) % self.nodes,
            stalls: false,
        }
    }

    fn pairs(&mut self, pairs: usize, stay: GroupStay, pace: FlowPace) {
        for _ in 0..pairs {
            let question = FlowPlan {
                other: Some(1),
                ..self.flow(0, 1, pace)
            };
            let answer = FlowPlan {
                other: Some(0),
                ..self.flow(1, 0, FlowPace::Answer)
            };
            self.add(
                stay,
                vec![question, answer],
                vec![self.client(), self.bot()],
            );
        }
    }

    fn stalled_pair(&mut self, bytes: usize) {
        let unread = FlowPlan {
            is_exempt: true,
            bytes,
            ..self.flow(1, 0, FlowPace::Scheduled(LoadKind::Stalled))
        };
        let client = UserPlan {
            stalls: true,
            ..self.client()
        };
        self.add(GroupStay::Always, vec![unread], vec![client, self.bot()]);
    }

    fn bot_with_clients(&mut self, clients: usize, devices: usize) {
        let mut users = vec![self.bot()];
        let mut flows = Vec::new();
        for client in 0..clients {
            let first = users.len();
            for device in 0..devices {
                let mut user = self.client();
                user.name = format!("{}-{client}", user.name);
                user.node = (user.node + client + device) % self.nodes;
                users.push(user);
            }
            flows.push(FlowPlan {
                to: first..first + devices,
                ..self.flow(0, first, FlowPace::Scheduled(LoadKind::Fanout))
            });
        }
        self.add(GroupStay::Always, flows, users);
    }

    fn streaming_pair(&mut self, stream: u64) {
        let partials = FlowPlan {
            kind: MessageKind::Partial,
            other: Some(1),
            stream: Some(stream),
            ..self.flow(1, 0, FlowPace::Scheduled(LoadKind::Partials))
        };
        let finals = self.flow(1, 0, FlowPace::Answer);
        self.add(
            GroupStay::Always,
            vec![partials, finals],
            vec![self.client(), self.bot()],
        );
    }

    fn typing_pair(&mut self) {
        let typing = FlowPlan {
            kind: MessageKind::Typing,
            ..self.flow(0, 1, FlowPace::Scheduled(LoadKind::Typing))
        };
        self.add(
            GroupStay::Always,
            vec![typing],
            vec![self.client(), self.bot()],
        );
    }

    fn silent(&mut self) {
        self.add(GroupStay::Always, Vec::new(), vec![self.client()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(name: &str, nodes: usize) -> (LoadScenario, Vec<GroupPlan>) {
        let scenario = LoadScenario::load(name, &[]).unwrap();
        let groups = plan(&scenario, nodes);
        (scenario, groups)
    }

    #[test]
    fn a_plan_has_as_many_sockets_as_its_scenario_says() {
        for (name, _) in crate::scenario::BUILT_IN {
            let (scenario, groups) = planned(name, 2);
            let sockets: usize = groups.iter().map(|it| it.users.len()).sum();
            assert_eq!(sockets, scenario.sockets(), "{name}");
        }
    }

    #[test]
    fn the_ends_of_a_pair_are_on_different_gateways() {
        let (_, groups) = planned("pingpong", 3);
        assert!(groups.iter().all(|it| it.users[0].node != it.users[1].node));
        let mut on_first = groups.iter().filter(|it| it.users[0].node == 0);
        assert!(on_first.nth(40).is_some(), "and they are spread");
        let (_, alone) = planned("pingpong", 1);
        assert!(alone.iter().all(|it| it.users[1].node == 0));
    }

    #[test]
    fn every_group_has_a_tenant_of_its_own_or_one_of_the_given_number() {
        let (mut scenario, groups) = planned("mixed", 1);
        assert!(groups.iter().all(|it| it.tenant == it.index));
        scenario.tenants = 7;
        let few = plan(&scenario, 1);
        assert_eq!(few.iter().map(|it| it.tenant).max(), Some(6));
    }

    #[test]
    fn names_are_unique_but_for_devices_of_one_client() {
        let (scenario, groups) = planned("fanout", 1);
        let devices = scenario.fanout.unwrap().devices;
        for flow in &groups[0].flows {
            let names: Vec<_> = groups[0].users[flow.to.clone()].iter().collect();
            assert_eq!(names.len(), devices);
            assert!(names.iter().all(|it| it.name == names[0].name));
        }
        let (_, groups) = planned("mixed", 1);
        let mut names: Vec<_> = groups.iter().flat_map(|it| &it.users).collect();
        let before = names.len();
        names.sort_by(|a, b| a.name.cmp(&b.name));
        names.dedup_by(|a, b| a.name == b.name);
        assert_eq!(names.len(), before);
    }

    #[test]
    fn the_other_flow_of_a_question_is_its_answer() {
        let (_, groups) = planned("open", 1);
        let flows = &groups[0].flows;
        assert_eq!((flows[0].other, flows[1].other), (Some(1), Some(0)));
        assert_eq!((flows[0].from, &flows[0].to), (flows[1].to.start, &(1..2)));
    }
}
