//! The connections to one master.

use std::sync::Arc;

use redis::RedisError;

use super::check;
use super::end::SessionEnd;
use super::eval::eval_sha;
use crate::redis::error::ConnectError;
use crate::redis::pool::admin::AdminPool;
use crate::redis::pool::dialer::CommandLink;
use crate::redis::pubsub::intake::MessageIntake;
use crate::redis::pubsub::listener::SubscriptionListener;
use crate::redis::pubsub::publisher::MessagePublisher;
use crate::redis::topology::masters::RedisMaster;
use crate::redis::topology::place::RedisPlace;
use crate::redis::topology::server::{self, ServerInfo};
use crate::redis::topology::url::RedisKind;

/// One server's connections.
pub(super) struct MasterLinks {
    pub(super) master: RedisMaster,
    /// Scripts.
    pub(super) commands: CommandLink,
    /// PUBLISH, so that a long script's reply delays no message.
    pub(super) publisher: MessagePublisher,
    pub(super) listener: SubscriptionListener,
    pub(super) admin: AdminPool,
}

impl MasterLinks {
    pub(super) async fn open(
        place: &RedisPlace,
        intake: &Arc<MessageIntake>,
        end: &SessionEnd,
        index: usize,
        master: RedisMaster,
    ) -> Result<(Self, ServerInfo), ConnectError> {
        let address = &master.address;
        let refused = |error: RedisError| ConnectError::Refused {
            address: address.clone(),
            reason: error.to_string(),
        };
        let admin = AdminPool::new(&place.dialer, address)?;
        let info = server::look(&admin, address, &place.kind).await?;
        let commands = place.dialer.commands(address, end.clone());
        let publishes = place.dialer.frames(address);
        let listens = place.dialer.frames(address);
        let (commands, publishes, listens) =
            tokio::try_join!(commands, publishes, listens).map_err(refused)?;
        for script in place.scripts.iter().copied().chain(check::all()) {
            let mut load = redis::cmd("SCRIPT");
            load.arg("LOAD").arg(&script.text);
            commands.ask(&load).await.map_err(refused)?;
        }
        // Anywhere: a slot that is on its way to another node would refuse it.
        let any = fastrand::u32(..1 << 20);
        let name = master.first(|number| intake.names.check(any + number));
        let check = check::call(place.publish(), name);
        commands.ask(&eval_sha(&check)).await.map_err(refused)?;
        let sharded = place.kind == RedisKind::Cluster;
        let listener = SubscriptionListener::start(
            listens,
            address,
            sharded,
            index,
            intake.clone(),
            end.clone(),
        );
        let shard = Self {
            publisher: MessagePublisher::start(publishes, address, end.clone()),
            master,
            commands,
            listener,
            admin,
        };
        Ok((shard, info))
    }
}
