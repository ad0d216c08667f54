//! Bots and clients: they act at random and check what they receive.
//!
//! ```text
//!  bot    ─ connects ─ registers ─ answers with partials and a final ─ moves, quits, comes back
//!  client ─ connects ─ sends bursts, repeats, types ─ goes, comes back elsewhere
//! ```
//!
//! A peer knows what a real one knows: its socket's frames. Its key is renewed when it is refused.

mod say;

use std::collections::BTreeSet;

use protocol::{Secret, TenantId};
use router_core::auth::Credential;
use router_core::session::OpenedConnection;
use router_core::{ConnKey, Millis};

use crate::agenda::{AgendaEvent, MachineProcess, PeerManner, ProcessArrival};
use crate::checks::HeardFrame;
use crate::dice::SeededDice;
use crate::machine::SimMachine;
use crate::outside::OutsideWorld;
use crate::profile::{NOISY_TENANT, RunProfile};
use crate::said::SaidRecord;

/// From a peer to its node, milliseconds; always the same, as a stream is in order.
const WAY_MS: Millis = 3;
/// How long a peer waits for `auth_ok` before it goes elsewhere, milliseconds.
const PATIENCE_MS: Millis = 12_000;

/// One peer.
pub(crate) struct SimPeer {
    pub tenant: usize,
    /// Its client id; bots have none.
    client: Option<String>,
    /// The bots it wants to hold.
    bots: Vec<String>,
    /// Its process.
    instance: String,
    socket: Option<PeerSocket>,
    /// How often it acts, milliseconds on average.
    pace_ms: Millis,
    manner: PeerManner,
    /// Its messages that it might repeat.
    recent: Vec<usize>,
    /// Connections it heard from.
    known: Vec<String>,
    rests_until_ms: Millis,
}

#[derive(Debug)]
struct PeerSocket {
    process: MachineProcess,
    key: ConnKey,
    since_ms: Millis,
    greeted: bool,
    /// Bots that it asked for or has.
    asked: BTreeSet<String>,
    requests: u64,
}

/// All of them.
pub(crate) struct SimPeers {
    pub all: Vec<SimPeer>,
    pub tenants: Vec<TenantId>,
    /// Whether they still do something by themselves.
    pub busy: bool,
    /// Whether the noisy tenant asks for more than its rates.
    pub is_noisy: bool,
    profile: &'static RunProfile,
}

/// Makes some of the peers read late.
fn slow_down(all: &mut [SimPeer], dice: &mut SeededDice, profile: &RunProfile, slow_seed: bool) {
    for peer in all {
        if slow_seed && dice.permille(300) {
            peer.manner = PeerManner {
                reads_after_ms: dice.between(1000, 14_000),
                capacity: dice.between(4, 20) as usize,
            };
        }
        let slow = peer.client.is_some() && profile.slow_clients > 0;
        if slow && dice.permille(profile.slow_clients) {
            peer.manner = PeerManner {
                reads_after_ms: dice.between(1000, 9000),
                capacity: dice.between(1, 4) as usize,
            };
        }
    }
}

impl SimPeers {
    /// As many of each kind as the seed says.
    pub fn new(
        dice: &mut SeededDice,
        profile: &'static RunProfile,
        tenants: Vec<TenantId>,
    ) -> Self {
        let mut all = Vec::new();
        let slow_seed = dice.permille(250);
        let pace_ms = dice.between(60, 500);
        for tenant in 0..tenants.len() {
            let bots = dice.between(2, 4);
            for n in 0..bots {
                let mut names = vec![format!("bot_{}", n % 3)];
                if dice.permille(300) {
                    names.push(format!("bot_{}", 3 + dice.below(2)));
                }
                // Two peers of one instance are a process that starts again before it is gone.
                let instance = match dice.permille(400) {
                    true => "shared".to_owned(),
                    false => format!("i{n}"),
                };
                all.push(SimPeer::new(tenant, None, names, instance, pace_ms));
            }
            for n in 0..dice.between(2, 5) {
                let client = Some(["phone", "desk", "phone", "tv", "desk"][n as usize].to_owned());
                all.push(SimPeer::new(
                    tenant,
                    client,
                    Vec::new(),
                    String::new(),
                    pace_ms,
                ));
            }
        }
        slow_down(&mut all, dice, profile, slow_seed);
        Self {
            all,
            tenants,
            busy: true,
            is_noisy: profile.is_noisy,
            profile,
        }
    }

    /// One more client, for a last word.
    pub(crate) fn add_client(&mut self, tenant: usize) -> usize {
        let client = Some(format!("last-{}", self.all.len()));
        self.all.push(SimPeer::new(
            tenant,
            client,
            Vec::new(),
            String::new(),
            1000,
        ));
        self.all.len() - 1
    }

    /// A peer's next deed.
    pub fn act(&mut self, outside: &mut OutsideWorld, machines: &[SimMachine], i: usize) {
        let peer = &mut self.all[i];
        let again_ms = 1 + outside.dice.below(2 * peer.pace_ms);
        outside.later(again_ms, AgendaEvent::Act(i));
        let now_ms = outside.now_ms;
        if !self.busy {
            return;
        }
        let Some(socket) = &peer.socket else {
            if now_ms >= peer.rests_until_ms {
                self.connect(outside, machines, i);
            }
            return;
        };
        if !socket.greeted {
            if now_ms > socket.since_ms + PATIENCE_MS {
                self.quit(outside, i, 500);
            }
            return;
        }
        self.register_missing(outside, i);
        let is_bot = self.all[i].client.is_none();
        let moves = self.profile.moves;
        if is_bot && moves > 0 && outside.dice.permille(moves) {
            return self.move_on(outside, machines, i);
        }
        match (outside.dice.below(1000), is_bot) {
            (0..15, _) => {
                let rest_ms = outside.dice.below(3000);
                self.quit(outside, i, rest_ms);
            }
            (15..30, true) => self.move_on(outside, machines, i),
            (30..40, true) => self.register_again(outside, i),
            (40..45, true) => self.unregister(outside, i),
            (45..100, true) => self.write_to_a_client(outside, i),
            (100..700, false) => self.burst(outside, i),
            (700..850, false) => self.repeat(outside, i),
            (850..900, false) => self.typing(outside, i),
            (_, _) => {}
        }
        if self.is_noisy && self.all[i].tenant == NOISY_TENANT {
            self.flood(outside, i);
        }
    }

    /// Connects to any machine that the balancer knows.
    fn connect(&mut self, outside: &mut OutsideWorld, machines: &[SimMachine], i: usize) {
        let ready = machines.iter().filter(|it| it.runs && it.ready);
        let ready: Vec<MachineProcess> = ready.map(|it| it.process).collect();
        if ready.is_empty() {
            return;
        }
        let process = *outside.dice.one_of(&ready);
        self.connect_to(outside, process, i);
    }

    pub(crate) fn connect_to(
        &mut self,
        outside: &mut OutsideWorld,
        process: MachineProcess,
        i: usize,
    ) {
        let tenant = &self.tenants[self.all[i].tenant];
        let now_ms = outside.now_ms;
        let generation = outside.redis.snapshot(tenant, now_ms).policy.generation;
        let key = outside.keyring.issue_key(tenant, generation);
        let peer = &mut self.all[i];
        let opened = OpenedConnection {
            credential: Some(Credential::ApiKey(Secret::new(key.reveal().clone()))),
            client: peer.client.clone(),
            ..OpenedConnection::default()
        };
        let key = outside.new_conn();
        peer.socket = Some(PeerSocket {
            process,
            key,
            since_ms: now_ms,
            greeted: false,
            asked: BTreeSet::new(),
            requests: 0,
        });
        let arrival = ProcessArrival::Open(key, i, Box::new(opened), peer.manner);
        outside.later(WAY_MS, AgendaEvent::Arrive(process, arrival));
    }

    /// Closes the socket, and rests.
    fn quit(&mut self, outside: &mut OutsideWorld, i: usize, rest_ms: Millis) {
        let peer = &mut self.all[i];
        peer.rests_until_ms = outside.now_ms + rest_ms;
        if let Some(socket) = peer.socket.take() {
            let arrival = ProcessArrival::Gone(socket.key);
            outside.later(WAY_MS, AgendaEvent::Arrive(socket.process, arrival));
        }
    }

    /// Opens a new socket elsewhere while the old one still holds the bots; that goes later, or
    /// never knows.
    fn move_on(&mut self, outside: &mut OutsideWorld, machines: &[SimMachine], i: usize) {
        let Some(old) = self.all[i].socket.take() else {
            return;
        };
        let arrival = ProcessArrival::Gone(old.key);
        let after_ms = outside.dice.below(800);
        outside.later(WAY_MS + after_ms, AgendaEvent::Arrive(old.process, arrival));
        self.connect(outside, machines, i);
    }

    /// A peer's socket is gone.
    pub(crate) fn hung_up(&mut self, outside: &mut OutsideWorld, i: usize, key: ConnKey) {
        let peer = &mut self.all[i];
        if peer.socket.as_ref().is_some_and(|socket| socket.key == key) {
            peer.socket = None;
            peer.rests_until_ms = outside.now_ms + outside.dice.between(50, 2000);
        }
    }

    /// A peer reads a frame.
    pub fn heard(
        &mut self,
        outside: &mut OutsideWorld,
        i: usize,
        key: ConnKey,
        heard: &HeardFrame,
    ) {
        let peer = &mut self.all[i];
        let Some(socket) = peer.socket.as_mut().filter(|socket| socket.key == key) else {
            return;
        };
        match heard.kind.as_str() {
            "auth_ok" => {
                socket.greeted = true;
                if self.busy {
                    self.register_missing(outside, i);
                }
            }
            // It must not take the bot back by itself, at least not for a while.
            "bot_unregistered" if heard.reason == "replaced" => {}
            "bot_unregistered" => {
                socket.asked.remove(&heard.bot);
            }
            "error" if heard.id.starts_with('r') => {
                let bot = heard.id.split('-').nth(1).unwrap_or_default();
                socket.asked.remove(bot);
            }
            "message" => {
                if peer.known.len() < 8 && !heard.connection.is_empty() {
                    peer.known.push(heard.connection.clone());
                }
                if peer.client.is_none() && self.busy && outside.dice.permille(600) {
                    self.reply(outside, i, heard);
                }
            }
            _ => {}
        }
    }

    fn register_missing(&mut self, outside: &mut OutsideWorld, i: usize) {
        let peer = &self.all[i];
        let Some(socket) = &peer.socket else { return };
        let missing = peer.bots.iter().filter(|bot| !socket.asked.contains(*bot));
        for bot in missing.cloned().collect::<Vec<_>>() {
            self.register(outside, i, &bot);
        }
    }

    /// Says a frame.
    fn say(&mut self, outside: &mut OutsideWorld, i: usize, text: String, said: SaidRecord) {
        if let Some(socket) = &self.all[i].socket {
            let arrival = ProcessArrival::Text(socket.key, text.into(), said);
            outside.later(WAY_MS, AgendaEvent::Arrive(socket.process, arrival));
        }
    }
}

impl SimPeer {
    fn new(
        tenant: usize,
        client: Option<String>,
        bots: Vec<String>,
        instance: String,
        pace_ms: Millis,
    ) -> Self {
        Self {
            tenant,
            client,
            bots,
            instance,
            socket: None,
            pace_ms,
            manner: PeerManner {
                reads_after_ms: 5,
                capacity: 2000,
            },
            recent: Vec::new(),
            known: Vec::new(),
            rests_until_ms: 0,
        }
    }
}
