//! The replica of a tenant's directory, so that routing never asks the store.
//!
//! ```text
//!  event, prev = ver ─▶ apply            event, prev ≠ ver ─▶ keep it, Load again
//!  Loaded ─▶ replace, then the events above it
//!  every 5 s, and when the link is back: Version ─ behind ─▶ Load
//!                                                └ lower, none ─▶ the store lost data: heal
//! ```
//!
//! A step that this node asked for takes effect here when its reply *or* its event comes, whichever
//! is first; the other one finds nothing left to do. So the replica may know more of this node's own
//! bots than its number says, never less; an epoch that is lower than the known one is old news.
//!
//! What the directory says of this node and this node does not hold is let go again (`owed.rs`).

use std::collections::{BTreeMap, BTreeSet};

use protocol::limits::{EVENTS_WAITING_MAX, HEAL_MS};
use protocol::presence::{BotInfo, BotState};
use protocol::{BootId, BotId, ConnectionId};

use super::routes::{Bot, Home};
use super::{Asked, Tenant};
use crate::effect::{Effect, Effects, Fact};
use crate::env::{Env, Millis};
use crate::store::{Ask, BotRecord, Change, ConnRecord, Event, Fence, Snapshot};

/// How long a counter that is ahead may wait for the events that are on their way, milliseconds.
const BEHIND_MS: Millis = 300;

/// When to compare again if the directory could not be read, milliseconds.
const READ_AGAIN_MS: Millis = 1000;

/// How long a node with entries may stay unknown, milliseconds. Who lives is seen with the next
/// beat; who does not was buried before this process began, and is in nobody's list of the dead.
const STRANGER_MS: Millis = 6000;

/// Where the replica stands.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// The number of the last step that was applied.
    ver: u64,
    /// The number of the first step of the directory that was read last.
    born: u64,
    /// Whether that number says nothing: what waited to be said again was not.
    doubtful: bool,
    /// Whether the store took a step of this node since the last event: its event may be lost, and
    /// then a store that goes back to before it is not told by the number.
    pub unseen: bool,
    /// The highest number that was seen anywhere.
    pub known_ver: u64,
    /// The same when the directory was last asked for: a store that has less has lost data.
    known_when_asked: u64,
    /// Whether it is being read; then events wait.
    reading: bool,
    waiting: BTreeMap<u64, Event>,
    /// When to compare next, once it was read.
    compare_ms: Option<Millis>,
    comparing: bool,
    /// A number that the store has and this replica has not, and until when it may come by itself.
    behind: Option<(u64, Millis)>,
    heal: Option<Heal>,
    /// When to tell the store of the buried that this replica had entries of.
    reap_ms: Option<Millis>,
    /// Nodes with entries that nobody here knows, and until when they may show that they live.
    strangers: BTreeMap<BootId, Millis>,
}

/// The bots of a snapshot, with their epochs.
type Listed = BTreeMap<BotId, u64>;

/// What the store lost and others must say again.
#[derive(Debug)]
struct Heal {
    until_ms: Millis,
    bots: BTreeSet<BotId>,
    conns: BTreeSet<ConnectionId>,
}

impl Directory {
    pub fn next_wakeup(&self) -> Millis {
        let behind = self.behind.map_or(Millis::MAX, |(_, at_ms)| at_ms);
        let heal = self.heal.as_ref().map_or(Millis::MAX, |heal| heal.until_ms);
        let compare = if self.comparing {
            Millis::MAX
        } else {
            self.compare_ms.unwrap_or(Millis::MAX)
        };
        let stranger = self.strangers.values().min();
        compare
            .min(behind)
            .min(heal)
            .min(stranger.copied().unwrap_or(Millis::MAX))
            .min(self.reap_ms.unwrap_or(Millis::MAX))
    }

    /// The number of the last step that was applied.
    pub fn ver(&self) -> u64 {
        self.ver
    }

    fn saw(&mut self, ver: u64) {
        self.known_ver = self.known_ver.max(ver);
    }
}

impl Tenant {
    /// Reads the directory, unless it is being read.
    pub(super) fn read(&mut self, env: &Env<'_>, fx: &mut Effects) {
        if std::mem::replace(&mut self.directory.reading, true) {
            return;
        }
        self.directory.behind = None;
        self.directory.known_when_asked = self.directory.known_ver;
        // What is read from now on knows of every order before.
        self.ordered = false;
        let dead = env.nodes.dead.clone();
        self.ask(env, Ask::Load { dead }, Asked::Load, fx);
    }

    /// Nothing was read: events must not wait for it. The next comparison tries again.
    pub(super) fn not_read(&mut self, env: &Env<'_>) {
        self.directory.reading = false;
        self.directory.waiting.clear();
        let compares = env.nodes.shared && self.loading.is_none();
        self.directory.compare_ms = compares.then_some(env.now_ms + READ_AGAIN_MS);
    }

    /// A step of the directory, as its maker told all nodes.
    pub(crate) fn event(&mut self, env: &Env<'_>, event: Event, fx: &mut Effects) {
        self.directory.saw(event.ver);
        if self.directory.reading || self.loading.is_some() {
            // Too many: those that are missing will show as a gap.
            if self.directory.waiting.len() < EVENTS_WAITING_MAX {
                self.directory.waiting.insert(event.ver, event);
            }
            return;
        }
        self.apply_event(env, event, fx);
    }

    fn apply_event(&mut self, env: &Env<'_>, event: Event, fx: &mut Effects) {
        if event.ver <= self.directory.ver && !self.directory.doubtful {
            return;
        }
        if event.prev != self.directory.ver || self.directory.doubtful {
            self.read(env, fx);
            self.directory.waiting.insert(event.ver, event);
            return;
        }
        self.directory.ver = event.ver;
        if event.prev == 0 {
            self.directory.born = event.ver;
        }
        self.directory.unseen = false;
        for change in event.changes {
            self.apply(env, change, fx);
        }
    }

    fn apply(&mut self, env: &Env<'_>, change: Change, fx: &mut Effects) {
        match change {
            Change::Bot(record) => self.apply_bot(env, *record, fx),
            Change::Forgotten(bot) => self.told_forgotten(env, &bot, fx),
            Change::Entered(conn, record) => self.apply_conn(env, conn, record, fx),
            Change::Left(conn) => match self.routes.key_of(&conn) {
                Some(key) => {
                    self.say_again_conn(key);
                    self.say_again(env, fx);
                }
                None => {
                    self.owed.confirm_conn(&conn);
                    self.routes.remove_there(&conn);
                }
            },
            Change::Seen(client, at_ms) => self.routes.see((client, at_ms)),
            Change::Policy(policy) => self.policy(env, policy, fx),
        }
    }

    /// A bot is this now, by an event or a snapshot.
    fn apply_bot(&mut self, env: &Env<'_>, record: BotRecord, fx: &mut Effects) {
        self.directory.saw(record.epoch);
        let known = self.routes.bot(&record.info.id);
        if known.is_some_and(|known| record.epoch < known.epoch) {
            return;
        }
        if let Some(heal) = &mut self.directory.heal {
            heal.bots.remove(&record.info.id);
        }
        let Some(holder) = record.holder.clone() else {
            return self.apply_offline(env, record, fx);
        };
        let own = holder.boot == env.nodes.own;
        let key = self.routes.key_of(&holder.conn);
        let conn = key.and_then(|key| self.routes.connection(key));
        if conn.is_some_and(|conn| conn.bots.contains(&record.info.id)) {
            let bot = record.info.id.clone();
            self.rehome(env, record, key.map(Home::Here), fx);
            // The directory has it under an earlier name of this node.
            if !own {
                self.say_again_bot(bot);
                self.say_again(env, fx);
            }
            return;
        }
        if !own {
            let boot = holder.boot;
            let is_dead = env.nodes.is_dead(boot);
            let home = (!is_dead).then_some(Home::There(holder));
            match is_dead {
                true => self.reap_soon(env),
                false => self.meet(env, boot),
            }
            return self.rehome(env, record, home, fx);
        }
        if self.claim_came_true(env, &record, fx) {
            return;
        }
        let bot = record.info.id.clone();
        let fence = Fence {
            conn: holder.conn,
            epoch: record.epoch,
        };
        self.apply_offline(env, record, fx);
        self.owed.let_go_bot(bot, fence);
        self.pay(env, fx);
    }

    /// Nobody holds a bot any more. If a connection of this node does, its claim was reaped: it
    /// claims anew.
    fn apply_offline(&mut self, env: &Env<'_>, record: BotRecord, fx: &mut Effects) {
        let bot = &record.info.id;
        self.owed.confirm_bot(bot, record.epoch);
        let here = self.routes.bot(bot).and_then(Bot::here);
        if let Some(conn) = here {
            return self.claim_anew(env, conn, bot.clone(), fx);
        }
        self.rehome(env, record, None, fx);
    }

    pub(super) fn apply_forgotten(&mut self, env: &Env<'_>, bot: &BotId, fx: &mut Effects) {
        if let Some(heal) = &mut self.directory.heal {
            heal.bots.remove(bot);
        }
        let Some(gone) = self.routes.remove_bot(bot) else {
            return;
        };
        let was_online = gone.info.status == BotState::Online;
        if let Some(home) = gone.here() {
            if let Some(conn) = self.routes.connection_mut(home) {
                conn.bots.remove(bot);
            }
            fx.push(Effect::Note(Fact::BotOffline));
        }
        if was_online {
            let info = BotInfo {
                status: BotState::Offline,
                since: env.now_ms,
                ..gone.info
            };
            self.presence.changed(&info, env.now_ms);
        }
    }

    fn apply_conn(
        &mut self,
        env: &Env<'_>,
        conn: ConnectionId,
        record: ConnRecord,
        fx: &mut Effects,
    ) {
        if let Some(heal) = &mut self.directory.heal {
            heal.conns.remove(&conn);
        }
        if record.boot != env.nodes.own {
            if env.nodes.is_dead(record.boot) {
                return self.reap_soon(env);
            }
            self.meet(env, record.boot);
            // One of an earlier life of this node is here, whatever the directory says yet.
            if self.routes.key_of(&conn).is_none() {
                self.routes.insert_there(conn, record);
            }
            return;
        }
        let is_here = self.routes.key_of(&conn).is_some() || self.is_entering(&conn);
        if !is_here {
            self.owed.let_go_conn(conn);
            self.pay(env, fx);
        }
    }

    /// A node has entries: if nobody knows it, it has to show that it lives.
    fn meet(&mut self, env: &Env<'_>, boot: BootId) {
        if env.nodes.shared && !env.nodes.is_live(boot) {
            let until_ms = env.now_ms + STRANGER_MS;
            self.directory.strangers.entry(boot).or_insert(until_ms);
        }
    }

    /// Who was not seen to live in all that time is dead. If that is wrong after all, it finds its
    /// entries gone and says them again.
    fn judge_strangers(&mut self, env: &Env<'_>, fx: &mut Effects) {
        let now_ms = env.now_ms;
        let strangers = &mut self.directory.strangers;
        strangers.retain(|boot, _| !env.nodes.is_live(*boot) && !env.nodes.is_dead(*boot));
        if env.nodes.degraded {
            // Nobody is seen to live now.
            strangers
                .values_mut()
                .for_each(|at_ms| *at_ms = now_ms + STRANGER_MS);
            return;
        }
        let due = strangers.iter().filter(|(_, at_ms)| now_ms >= **at_ms);
        let dead: Vec<BootId> = due.map(|(boot, _)| *boot).collect();
        if dead.is_empty() {
            return;
        }
        for boot in &dead {
            self.directory.strangers.remove(boot);
            self.gone(env, *boot);
        }
        let dead = dead.into();
        self.ask(env, Ask::Reap { dead }, Asked::Step, fx);
    }

    /// All of the directory, as the store has it. It replaces the replica, whatever its number; but
    /// if it is lower, or another directory, the store lost data, and what is missing waits for its
    /// holders.
    pub(super) fn replace(&mut self, env: &Env<'_>, snapshot: Snapshot, fx: &mut Effects) {
        let known = &self.directory;
        let other_birth = known.born != 0 && snapshot.born != known.born;
        let lost = snapshot.ver < known.ver.max(known.known_when_asked) || other_birth;
        self.directory.born = snapshot.born;
        self.directory.reading = false;
        self.directory.saw(snapshot.ver);
        self.directory.ver = snapshot.ver;
        self.directory.doubtful = false;
        self.directory.unseen = false;
        self.take_policy(env, snapshot.policy);
        self.expel_strangers(env, fx);
        let bots = snapshot.bots.iter();
        let listed: Listed = bots.map(|it| (it.info.id.clone(), it.epoch)).collect();
        let there: BTreeSet<ConnectionId> = snapshot.conns.iter().map(|it| it.0.clone()).collect();
        for seen in snapshot.clients {
            self.routes.see(seen);
        }
        for (conn, record) in snapshot.conns {
            self.apply_conn(env, conn, record, fx);
        }
        for record in snapshot.bots {
            if !lost && self.directory.heal.is_none() {
                self.go_back(&record, snapshot.ver);
            }
            self.apply_bot(env, record, fx);
        }
        self.missing(env, snapshot.ver, &listed, &there, lost, fx);
        for (_, event) in std::mem::take(&mut self.directory.waiting) {
            self.event(env, event, fx);
        }
        self.schedule_compare(env);
    }

    /// The store lost a later claim of another node, and nobody has said it again: what is stored
    /// holds, although it is older.
    fn go_back(&mut self, record: &BotRecord, ver: u64) {
        if let Some(known) = self.routes.bot_mut(&record.info.id)
            && known.here().is_none()
            && known.epoch <= ver
        {
            known.epoch = known.epoch.min(record.epoch);
        }
    }

    /// What the replica has and the store has not, or an older claim of: own entries are said again;
    /// others' are gone, or lost and have time to be said again.
    fn missing(
        &mut self,
        env: &Env<'_>,
        ver: u64,
        listed: &Listed,
        there: &BTreeSet<ConnectionId>,
        lost: bool,
        fx: &mut Effects,
    ) {
        let is_missing = |id: &BotId, bot: &Bot| listed.get(id).is_none_or(|it| *it < bot.epoch);
        let bots = self.routes.bots().iter();
        let bots = bots.filter(|(id, bot)| is_missing(id, bot));
        // A claim above the snapshot came after it.
        let bots = bots.filter(|(_, bot)| lost || bot.epoch <= ver);
        let (own, others): (Vec<_>, Vec<_>) = bots.partition(|(_, bot)| bot.here().is_some());
        let own: Vec<BotId> = own.into_iter().map(|(id, _)| id.clone()).collect();
        let others: BTreeSet<BotId> = others.into_iter().map(|(id, _)| id.clone()).collect();
        let conns = self.routes.there().keys().filter(|id| !there.contains(*id));
        let conns: BTreeSet<ConnectionId> = conns.cloned().collect();
        for bot in own {
            self.say_again_bot(bot);
        }
        for (key, id) in self.routes.entered() {
            if !there.contains(&id) {
                self.say_again_conn(key);
            }
        }
        if lost {
            let until_ms = env.now_ms + HEAL_MS;
            self.directory.heal = Some(Heal {
                until_ms,
                bots: others,
                conns,
            });
            fx.push(Effect::Note(Fact::StoreLostData));
        } else if let Some(heal) = &mut self.directory.heal {
            heal.bots.extend(others);
            heal.conns.extend(conns);
        } else {
            self.drop_others(env, others, conns, fx);
        }
        self.say_again(env, fx);
    }

    fn drop_others(
        &mut self,
        env: &Env<'_>,
        bots: BTreeSet<BotId>,
        conns: BTreeSet<ConnectionId>,
        fx: &mut Effects,
    ) {
        for bot in bots {
            self.apply_forgotten(env, &bot, fx);
        }
        for conn in conns {
            self.routes.remove_there(&conn);
        }
    }

    /// The store's number.
    pub(super) fn compared(&mut self, env: &Env<'_>, ver: Option<u64>, fx: &mut Effects) {
        self.directory.comparing = false;
        self.schedule_compare(env);
        let Some(ver) = ver else { return };
        let own = self.directory.ver;
        if self.directory.doubtful {
            self.read(env, fx);
        } else if ver > own {
            self.directory.behind = Some((ver, env.now_ms + BEHIND_MS));
        } else if ver < own {
            self.read(env, fx);
        }
        self.pay(env, fx);
        self.say_again(env, fx);
    }

    /// Compares now: the link is back, and what happened meanwhile was not told.
    pub(crate) fn compare_soon(&mut self, env: &Env<'_>) {
        if self.loading.is_none() {
            self.directory.doubtful |= self.directory.unseen;
            let wait_ms = (env.jitter() * 300.0) as Millis;
            self.directory.compare_ms = Some(env.now_ms + wait_ms);
        }
    }

    pub(super) fn schedule_compare(&mut self, env: &Env<'_>) {
        let factor = 0.75 + env.jitter() / 2.0;
        let wait_ms = (env.compare_ms as f64 * factor) as Millis;
        let compares = env.nodes.shared && self.loading.is_none();
        self.directory.compare_ms = compares.then_some(env.now_ms + wait_ms);
    }

    pub(super) fn wake_directory(&mut self, env: &Env<'_>, fx: &mut Effects) {
        let now_ms = env.now_ms;
        if self
            .directory
            .compare_ms
            .is_some_and(|at_ms| now_ms >= at_ms)
            && !self.directory.comparing
        {
            self.directory.comparing = true;
            self.ask(env, Ask::Version, Asked::Version, fx);
        }
        if let Some((ver, at_ms)) = self.directory.behind
            && now_ms >= at_ms
        {
            self.directory.behind = None;
            if self.directory.ver < ver {
                self.read(env, fx);
            }
        }
        if self
            .directory
            .heal
            .as_ref()
            .is_some_and(|heal| now_ms >= heal.until_ms)
        {
            // What was not said again is gone: the store is believed again, whatever it says.
            self.directory.heal = None;
            self.directory.doubtful = true;
            self.read(env, fx);
        }
        self.judge_strangers(env, fx);
        if self.directory.reap_ms.is_some_and(|at_ms| now_ms >= at_ms) {
            self.directory.reap_ms = None;
            let dead = env.nodes.dead.clone();
            self.ask(env, Ask::Reap { dead }, Asked::Step, fx);
        }
    }

    fn reap_soon(&mut self, env: &Env<'_>) {
        // At a random time, so that the first of the nodes does it for all.
        let wait_ms = 100 + (env.jitter() * 900.0) as Millis;
        self.directory.reap_ms.get_or_insert(env.now_ms + wait_ms);
    }

    /// A node was buried: what it held here is gone at once, and soon in the store.
    pub(crate) fn gone(&mut self, env: &Env<'_>, boot: BootId) {
        let conns = self.routes.there().iter();
        let conns = conns.filter(|(_, record)| record.boot == boot);
        let conns: BTreeSet<ConnectionId> = conns.map(|(id, _)| id.clone()).collect();
        let is_there = |bot: &Bot| matches!(&bot.home, Some(Home::There(it)) if it.boot == boot);
        let bots = self.routes.bots().iter().filter(|(_, bot)| is_there(bot));
        let bots: Vec<BotId> = bots.map(|(id, _)| id.clone()).collect();
        if conns.is_empty() && bots.is_empty() {
            return;
        }
        self.reap_soon(env);
        for id in bots {
            if let Some(bot) = self.routes.bot_mut(&id) {
                bot.home = None;
                bot.info.status = BotState::Offline;
                bot.info.since = env.now_ms;
                let info = bot.info.clone();
                self.presence.changed(&info, env.now_ms);
            }
        }
        for conn in conns {
            if let Some(record) = self.routes.there().get(&conn) {
                let seen = (record.client.clone(), env.now_ms);
                self.routes.remove_there(&conn);
                self.routes.see(seen);
            }
        }
    }

    /// This node goes on under a new name: all that it holds is said again.
    pub(crate) fn reborn(&mut self, env: &Env<'_>, fx: &mut Effects) {
        let here = self
            .routes
            .bots()
            .iter()
            .filter(|(_, bot)| bot.here().is_some());
        let here: Vec<BotId> = here.map(|(id, _)| id.clone()).collect();
        for bot in here {
            self.say_again_bot(bot);
        }
        for (key, _) in self.routes.entered() {
            self.say_again_conn(key);
        }
        self.say_again(env, fx);
    }
}
