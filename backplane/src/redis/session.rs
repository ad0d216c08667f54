//! All connections of one time of health. When one of them fails, all are replaced: what is lost
//! with one has to be compared for all, and a failover seldom touches one alone.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{join, join_all, try_join_all};
use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::time::sleep;

use super::admin::Admin;
use super::dial::Commands;
use super::end::End;
use super::error::{ConnectError, Fail, is_elsewhere, wrong_type};
use super::find::{self, Master};
use super::inbound::Intake;
use super::listen::Listener;
use super::publish::Publisher;
use super::url::{Address, Kind};
use super::{Place, server};
use crate::scripts::{self, Script};

/// Names in one SUBSCRIBE.
const BATCH: usize = 512;
/// Between looks whether the connections answer.
const WATCH: Duration = Duration::from_millis(500);
/// Looks without an answer after which they are given up.
const MISSES: u32 = 4;

/// One server's connections.
struct Shard {
    master: Master,
    /// Scripts.
    commands: Commands,
    /// PUBLISH, so that a long script's reply delays no message.
    publisher: Publisher,
    listener: Listener,
    admin: Admin,
}

/// The connections to every master.
pub(super) struct Session {
    shards: Vec<Shard>,
    intake: Arc<Intake>,
    pub(super) end: End,
    /// PUBLISH or SPUBLISH.
    pub(super) publish: &'static str,
    /// The version of the first server; whether all persist, and whether one evicts.
    pub(super) server: server::Info,
}

impl Session {
    /// Finds the masters and connects to all of them; where that fails, to those that somebody else
    /// names. Errors: of the last that were named, or of the last that was asked.
    pub(super) async fn open(
        place: &Place,
        intake: &Arc<Intake>,
        known: &[Address],
    ) -> Result<Self, ConnectError> {
        let mut views = find::views(place, known);
        let mut tried = Vec::new();
        let (mut named, mut asked) = (None, None);
        while let Some(view) = views.next().await {
            match view {
                Ok(masters) if tried.contains(&masters) => {}
                Ok(masters) => match Self::connect(place, intake, masters.clone()).await {
                    Ok(session) => return Ok(session),
                    Err(error) => {
                        tried.push(masters);
                        named = Some(error);
                    }
                },
                Err(error) => asked = Some(error),
            }
        }
        Err(named.or(asked).expect("a URL has an address"))
    }

    async fn connect(
        place: &Place,
        intake: &Arc<Intake>,
        masters: Vec<Master>,
    ) -> Result<Self, ConnectError> {
        let end = End::new(intake);
        let shards = masters.into_iter().enumerate();
        let shards = shards.map(|(index, master)| Shard::open(place, intake, &end, index, master));
        let (shards, infos): (Vec<_>, Vec<_>) = try_join_all(shards).await?.into_iter().unzip();
        let persistent = infos.iter().all(|info| info.persistent);
        let evicts = infos.iter().any(|info| info.evicts);
        let first = infos.into_iter().next().expect("there is a master");
        let server = server::Info {
            persistent,
            evicts,
            ..first
        };
        Ok(Self {
            shards,
            intake: intake.clone(),
            end,
            publish: place.publish(),
            server,
        })
    }

    /// Runs a script where its first key is.
    pub(super) async fn run(
        &self,
        script: &Script,
        keys: &[String],
        args: &[String],
    ) -> Result<Value, Fail> {
        let commands = &self.shard(&keys[0]).commands;
        let known = eval("EVALSHA", &script.sha, keys, args);
        let answer = match commands.ask(&known).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let unknown = eval("EVAL", &script.text, keys, args);
                commands.ask(&unknown).await
            }
            answer => answer,
        };
        answer.map_err(|error| self.failed(&error, &keys[0]))
    }

    /// Publishes. Errors: it may have been published or not.
    pub(super) async fn publish(&self, channel: &str, payload: &[u8]) -> Result<(), ()> {
        let command = [self.publish.as_bytes(), channel.as_bytes(), payload];
        let answer = self.shard(channel).publisher.ask(&command).await;
        answer.map(drop).map_err(|error| {
            self.failed(&error, channel);
        })
    }

    /// Reads a hash beside the hot path.
    pub(super) async fn read(&self, key: &str) -> Result<Value, ConnectError> {
        let mut command = redis::cmd("HGETALL");
        command.arg(key);
        self.shard(key).admin.ask(&command).await
    }

    /// The time of the first server, Unix milliseconds.
    pub(super) async fn time(&self) -> Result<i64, ConnectError> {
        let admin = &self.shards[0].admin;
        let (seconds, micros): (i64, i64) = admin.ask(&redis::cmd("TIME")).await?;
        Ok(seconds * 1000 + micros / 1000)
    }

    /// Subscribes to all of these. Errors: to some it may not be.
    pub(super) async fn subscribe(&self, names: Vec<String>) -> Result<(), ()> {
        for (shard, names) in self.by_shard(names) {
            for batch in names.chunks(BATCH) {
                shard.listener.subscribe(batch.to_vec()).await?;
            }
        }
        Ok(())
    }

    /// Unsubscribes some time.
    pub(super) fn unsubscribe(&self, names: Vec<String>) {
        for (shard, names) in self.by_shard(names) {
            shard.listener.unsubscribe(names);
        }
    }

    /// The channels by which a node hears: its inbox, and a probe on each connection without it.
    pub(super) fn node_channels(&self, boot: protocol::BootId) -> Vec<String> {
        let keys = &self.intake.keys;
        let inbox = keys.inbox(boot);
        let home = self.index(&inbox);
        let others = (0..self.shards.len()).filter(|index| *index != home);
        let probe = |number| keys.probe(boot, number);
        let probes = others.map(|index| self.shards[index].master.first(probe));
        std::iter::once(inbox.clone()).chain(probes).collect()
    }

    /// Sends a probe to all connections that listen.
    pub(super) async fn probe(&self, boot: protocol::BootId, number: u64) -> Result<(), ()> {
        let payload = self.intake.probe(number, self.shards.len());
        let channels = self.node_channels(boot);
        let sent = channels.iter().map(|name| self.publish(name, &payload));
        try_join_all(sent).await.map(drop)
    }

    /// Whose these connections are.
    pub(super) fn addresses(&self) -> Vec<Address> {
        let masters = self.shards.iter().map(|shard| &shard.master);
        masters.map(|master| master.address.clone()).collect()
    }

    /// Waits until a connection is gone, silent, or not to a master any more.
    pub(super) async fn ended(&self) {
        tokio::select! {
            () = self.end.come() => {}
            () = self.silent() => self.end.because("Redis does not answer"),
        }
    }

    /// Waits until nothing comes from it any more.
    pub(super) async fn close(&self) {
        self.end.now();
        join_all(self.shards.iter().map(|shard| shard.listener.closed())).await;
    }

    async fn silent(&self) {
        let ping = redis::cmd("PING");
        let mut misses = 0;
        while misses < MISSES {
            sleep(WATCH).await;
            let all = self.shards.iter().map(|it| async {
                let asked = join(it.commands.ask(&ping), it.publisher.ask(&[b"PING"]));
                let (commands, publisher) = asked.await;
                commands.is_ok() && publisher.is_ok()
            });
            match join_all(all).await.iter().all(|is_well| *is_well) {
                true => misses = 0,
                false => misses += 1,
            }
        }
    }

    /// Notes an error, and what it means for the command that got it. `name`: the first key, or the
    /// channel.
    fn failed(&self, error: &RedisError, name: &str) -> Fail {
        if let Some(problem) = wrong_type(error, name) {
            self.intake.counters.misread(problem);
        } else if is_elsewhere(error) {
            self.end.because(error);
        } else {
            self.intake.counters.error(error.to_string());
        }
        Fail::of(error)
    }

    fn index(&self, name: &str) -> usize {
        self.shards
            .iter()
            .position(|shard| shard.master.has(name))
            .expect("the masters have all slots")
    }

    fn shard(&self, name: &str) -> &Shard {
        &self.shards[self.index(name)]
    }

    fn by_shard(&self, names: Vec<String>) -> impl Iterator<Item = (&Shard, Vec<String>)> {
        let mut parts: Vec<Vec<String>> = vec![Vec::new(); self.shards.len()];
        for name in names {
            let index = self.index(&name);
            parts[index].push(name);
        }
        let parts = self.shards.iter().zip(parts);
        parts.filter(|(_, names)| !names.is_empty())
    }
}

impl Shard {
    async fn open(
        place: &Place,
        intake: &Arc<Intake>,
        end: &End,
        index: usize,
        master: Master,
    ) -> Result<(Self, server::Info), ConnectError> {
        let address = &master.address;
        let refused = |error: RedisError| ConnectError::Refused {
            address: address.clone(),
            reason: error.to_string(),
        };
        let admin = Admin::new(&place.dialer, address, place.insecure)?;
        let info = server::look(&admin, address, &place.kind).await?;
        let commands = place.dialer.commands(address, end.clone());
        let publishes = place.dialer.frames(address);
        let listens = place.dialer.frames(address);
        let (commands, publishes, listens) =
            tokio::try_join!(commands, publishes, listens).map_err(refused)?;
        for script in scripts::all() {
            let mut load = redis::cmd("SCRIPT");
            load.arg("LOAD").arg(&script.text);
            commands.ask(&load).await.map_err(refused)?;
        }
        // Anywhere: a slot that is on its way to another node would refuse it.
        let any = fastrand::u32(..1 << 20);
        let name = master.first(|number| intake.keys.check(any + number));
        let args = [place.publish().to_owned(), name.clone()];
        let check = eval("EVALSHA", &scripts::CHECK.sha, &[name], &args);
        commands.ask(&check).await.map_err(refused)?;
        let sharded = place.kind == Kind::Cluster;
        let listener = Listener::start(
            listens,
            address,
            sharded,
            index,
            intake.clone(),
            end.clone(),
        );
        let shard = Self {
            publisher: Publisher::start(publishes, address, end.clone()),
            master,
            commands,
            listener,
            admin,
        };
        Ok((shard, info))
    }
}

fn eval(verb: &str, script: &str, keys: &[String], args: &[String]) -> Cmd {
    let mut command = redis::cmd(verb);
    command.arg(script).arg(keys.len()).arg(keys).arg(args);
    command
}
