//! All connections of one time of health. When one of them fails, all are replaced: what is lost
//! with one has to be compared for all, and a failover seldom touches one alone.

mod check;
pub(super) mod end;
mod eval;
mod links;
pub(super) mod supervise;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{join, join_all, try_join_all};
use protocol::BootId;
use redis::{ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::time::sleep;

use self::end::SessionEnd;
use self::eval::{eval_sha, eval_text};
use self::links::MasterLinks;
use super::error::{CommandFailure, ConnectError, is_elsewhere, is_full, wrong_type};
use super::pubsub::counters::CommandKind;
use super::pubsub::intake::MessageIntake;
use super::topology::address::ServerAddress;
use super::topology::masters::{self, RedisMaster};
use super::topology::place::RedisPlace;
use super::topology::server::ServerInfo;
use crate::script::ScriptCall;

/// Names in one SUBSCRIBE.
const BATCH: usize = 512;
/// Between looks whether the connections answer.
const WATCH: Duration = Duration::from_millis(500);
/// Looks without an answer after which they are given up.
const MISSES: u32 = 4;

/// The connections to every master.
pub(crate) struct RedisSession {
    masters: Vec<MasterLinks>,
    intake: Arc<MessageIntake>,
    pub(super) end: SessionEnd,
    /// PUBLISH or SPUBLISH.
    pub(crate) publish: &'static str,
    /// The version of the first server; whether all persist, and whether one evicts.
    pub(super) server: ServerInfo,
}

impl RedisSession {
    /// Finds the masters and connects to all of them; where that fails, to those that somebody else
    /// names. Errors: of the last that were named, or of the last that was asked.
    pub(super) async fn open(
        place: &RedisPlace,
        intake: &Arc<MessageIntake>,
        known: &[ServerAddress],
    ) -> Result<Self, ConnectError> {
        let mut views = masters::views(place, known);
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
        place: &RedisPlace,
        intake: &Arc<MessageIntake>,
        masters: Vec<RedisMaster>,
    ) -> Result<Self, ConnectError> {
        let end = SessionEnd::new(intake);
        let links = masters.into_iter().enumerate();
        let links =
            links.map(|(index, master)| MasterLinks::open(place, intake, &end, index, master));
        let (links, infos): (Vec<_>, Vec<_>) = try_join_all(links).await?.into_iter().unzip();
        let persistent = infos.iter().all(|info| info.persistent);
        let evicts = infos.iter().any(|info| info.evicts);
        let first = infos.into_iter().next().expect("there is a master");
        let server = ServerInfo {
            persistent,
            evicts,
            ..first
        };
        Ok(Self {
            masters: links,
            intake: intake.clone(),
            end,
            publish: place.publish(),
            server,
        })
    }

    /// Runs a script where its first key is.
    pub(crate) async fn run(&self, call: &ScriptCall) -> Result<Value, CommandFailure> {
        let commands = &self.links(&call.keys[0]).commands;
        self.sent(CommandKind::Script);
        let answer = match commands.ask(&eval_sha(call)).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.sent(CommandKind::Script);
                commands.ask(&eval_text(call)).await
            }
            answer => answer,
        };
        answer.map_err(|error| self.failed(&error, &call.keys[0]))
    }

    /// Publishes. Errors: it may have been published or not.
    pub(super) async fn publish(&self, channel: &str, payload: &[u8]) -> Result<(), ()> {
        let command = [self.publish.as_bytes(), channel.as_bytes(), payload];
        self.sent(CommandKind::Publish);
        let answer = self.links(channel).publisher.ask(&command).await;
        answer.map(drop).map_err(|error| {
            self.failed(&error, channel);
        })
    }

    /// Reads a hash beside the hot path.
    pub(crate) async fn read(&self, key: &str) -> Result<Value, ConnectError> {
        let mut command = redis::cmd("HGETALL");
        command.arg(key);
        self.sent(CommandKind::Other);
        self.links(key).admin.ask(&command).await
    }

    /// The time of the first server, Unix milliseconds.
    pub(super) async fn time(&self) -> Result<i64, ConnectError> {
        let admin = &self.masters[0].admin;
        self.sent(CommandKind::Other);
        let (seconds, micros): (i64, i64) = admin.ask(&redis::cmd("TIME")).await?;
        Ok(seconds * 1000 + micros / 1000)
    }

    /// Subscribes to all of these. Errors: to some it may not be.
    pub(crate) async fn subscribe(&self, names: Vec<String>) -> Result<(), ()> {
        for (links, names) in self.by_master(names) {
            for batch in names.chunks(BATCH) {
                self.sent(CommandKind::Other);
                links.listener.subscribe(batch.to_vec()).await?;
            }
        }
        Ok(())
    }

    /// Unsubscribes some time.
    pub(crate) fn unsubscribe(&self, names: Vec<String>) {
        for (links, names) in self.by_master(names) {
            self.sent(CommandKind::Other);
            links.listener.unsubscribe(names);
        }
    }

    /// The channels by which a node hears: its inbox, and a probe on each connection without it.
    pub(super) fn node_channels(&self, boot: BootId) -> Vec<String> {
        let names = &self.intake.names;
        let inbox = names.inbox(boot);
        let home = self.index(&inbox);
        let others = (0..self.masters.len()).filter(|index| *index != home);
        let probe = |number| names.probe(boot, number);
        let probes = others.map(|index| self.masters[index].master.first(probe));
        std::iter::once(inbox.clone()).chain(probes).collect()
    }

    /// Sends a probe to all connections that listen.
    pub(super) async fn probe(&self, boot: BootId, number: u64) -> Result<(), ()> {
        let payload = self.intake.probe(number, self.masters.len());
        let channels = self.node_channels(boot);
        let sent = channels.iter().map(|name| self.publish(name, &payload));
        try_join_all(sent).await.map(drop)
    }

    /// Whose these connections are.
    pub(super) fn addresses(&self) -> Vec<ServerAddress> {
        let masters = self.masters.iter().map(|links| &links.master);
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
        join_all(self.masters.iter().map(|links| links.listener.closed())).await;
    }

    fn sent(&self, kind: CommandKind) {
        self.intake.counters.sent(kind);
    }

    async fn silent(&self) {
        let ping = redis::cmd("PING");
        let mut misses = 0;
        while misses < MISSES {
            sleep(WATCH).await;
            let all = self.masters.iter().map(|it| async {
                self.sent(CommandKind::Other);
                self.sent(CommandKind::Other);
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
    fn failed(&self, error: &RedisError, name: &str) -> CommandFailure {
        if let Some(problem) = wrong_type(error, name) {
            self.intake.counters.misread(problem);
        } else if is_elsewhere(error) {
            self.end.because(error);
        } else if is_full(error) {
            self.intake.counters.full(&error.to_string());
        } else {
            self.intake.counters.error(error.to_string());
        }
        CommandFailure::of(error)
    }

    fn index(&self, name: &str) -> usize {
        self.masters
            .iter()
            .position(|links| links.master.has(name))
            .expect("the masters have all slots")
    }

    fn links(&self, name: &str) -> &MasterLinks {
        &self.masters[self.index(name)]
    }

    fn by_master(&self, names: Vec<String>) -> impl Iterator<Item = (&MasterLinks, Vec<String>)> {
        let mut parts: Vec<Vec<String>> = vec![Vec::new(); self.masters.len()];
        for name in names {
            let index = self.index(&name);
            parts[index].push(name);
        }
        let parts = self.masters.iter().zip(parts);
        parts.filter(|(_, names)| !names.is_empty())
    }
}
