//! A reload: other settings hold, and other secrets sign. No socket closes, except those that the policy of their
//! tenant does not allow any more.

use std::sync::Arc;
use std::time::Duration;

use protocol::lane::LaneKeys;
use router_core::membership::PeerState;
use router_core::shard::ShardInput;
use router_core::{Millis, Settings};

use super::core::Node;
use super::work::DeferredWork;
use crate::config::Config;

impl Node {
    /// Takes over what this configuration says of limits, plans, tenants and the drain, and of secrets if it has
    /// any.
    pub(crate) fn reconfigure(&self, config: &Config) {
        self.tracer.store(Arc::new(config.tracer()));
        self.drain.set_times(config.drain);
        let mut settings = Settings {
            limits: Arc::new(config.limits.clone()),
            plans: config.plans.clone(),
            default_plan: config.default_plan.clone(),
            tenants: config.tenants.clone(),
            usage_flush_ms: ms(config.usage_flush),
            ..Settings::clone(&self.settings())
        };
        if !config.secrets.is_empty() {
            let keyring = config.keyring();
            settings.first_secret = keyring.first_id();
            self.credentials.set_keyring(keyring);
            self.lanes.set_keys(config.lane_keys());
            self.membership.said_anew.notify_one();
        }
        self.lanes
            .allow_frames_of(settings.largest_frame() as usize);
        self.settle(Arc::new(settings));
    }

    /// Settings hold from now on, for the tenants in memory too.
    fn settle(&self, settings: Arc<Settings>) {
        self.settings.store(Arc::clone(&settings));
        for (index, cell) in self.shards.cells().iter().enumerate() {
            let mut work = DeferredWork::default();
            let snapshot = self.snapshot();
            let mut state = cell.lock();
            state.settings = Arc::clone(&settings);
            let env = self.env(&snapshot);
            self.handle(&env, index, &mut state, ShardInput::Reconfigured, &mut work);
            drop(state);
            self.finish(&mut work);
        }
    }

    /// Who would be cut off if these were the secrets: sockets whose credential the present first secret verified, or
    /// a live node that shares none of them. A sentence; `None`: nobody.
    pub(crate) fn cut_off_by(&self, keys: &LaneKeys) -> Option<String> {
        let (known, new) = (self.lanes.keys().ids(), keys.ids());
        let [first, _] = self.sockets_by_secret();
        if !new.contains(&known[0]) && first > 0 {
            return Some(format!(
                "the new secrets lack {}, which signs now: {first} open sockets use it; keep it as a further line",
                known[0]
            ));
        }
        let view = self.view();
        let mut live = view.peers.iter();
        let cut_off = live.find_map(|(boot, peer)| {
            let hello = peer.hello.as_ref()?;
            let shares = |ours: &[_]| hello.keys.iter().any(|key| ours.contains(key));
            let is_cut_off = peer.state == PeerState::Live && shares(&known) && !shares(&new);
            is_cut_off.then(|| (boot, hello.name.as_str()))
        });
        let (boot, name) = cut_off?;
        Some(format!(
            "the node {name} ({boot}) has none of the new secrets: messages to it would be refused"
        ))
    }
}

fn ms(time: Duration) -> Millis {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
