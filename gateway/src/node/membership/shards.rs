//! What all shards are told of the cluster.

use router_core::shard::ShardInput;

use crate::node::core::Node;
use crate::node::work::DeferredWork;

impl Node {
    /// The store is back: every tenant looks whether it missed something, every lane goes on.
    pub(super) fn resync(&self) {
        self.lanes.resume(self.now_ms());
        self.tell_shards(|| ShardInput::Resync);
    }

    pub(super) fn tell_shards(&self, input: impl Fn() -> ShardInput) {
        for index in 0..self.shards.cells().len() {
            self.tell_shard(index, input());
        }
    }

    pub(super) fn tell_shard(&self, index: usize, input: ShardInput) {
        let mut work = DeferredWork::default();
        self.in_shard(&self.env(&self.snapshot()), index, input, &mut work);
        self.finish(&mut work);
    }
}
