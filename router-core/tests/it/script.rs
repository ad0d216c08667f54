//! Random tenants: what they do, and the concrete steps that come of it.
//!
//! An [`Op`] says what to do in terms that always make sense ("slot 2 writes to bot 1"); playing it
//! makes a [`Step`] with real keys and JSON texts. Steps can be played again without the ops, all
//! of them or those of one side only.

use std::collections::BTreeSet;

use protocol::TenantId;
use protocol::connect::Acks;
use router_core::Capabilities;
use router_core::auth::Credential;
use router_core::session::OpenedConnection;
use router_core::store::PolicyQuery;
use router_core::{ConnKey, Settings};

use crate::world::{CANARY, Event, World};

/// Sockets that a side has at a time.
pub const SLOTS: u8 = 5;
/// Frames that a socket's queue takes.
const CAPACITY: usize = 6;

#[derive(Debug, Clone)]
pub struct Op {
    pub side: u8,
    pub slot: u8,
    pub act: Act,
}

#[derive(Debug, Clone)]
pub enum Act {
    Pass(u64),
    Open(Cred, Option<u8>),
    /// Over HTTP: a connection for this one thing, in the place of the slot's.
    Call(Capabilities, Cred, Option<u8>, Say),
    Drop,
    Read,
    Answer {
        refuse: bool,
    },
    Revoke,
    Suspend(bool),
    Say(Say),
}

#[derive(Debug, Clone, Copy)]
pub enum Cred {
    Absent,
    Key,
    OldKey,
    WrongKey,
    OthersKey,
    Chat,
    ChatOfOne,
    Bot,
    Short,
    Expired,
}

#[derive(Debug, Clone, Copy)]
pub enum To {
    Name(u8),
    OthersName(u8),
    Conn(u8),
    OthersConn(u8),
    NoConn,
}

#[derive(Debug, Clone)]
pub enum Say {
    Auth(Cred),
    Register(u8, Option<bool>, Option<u8>),
    Unregister(To),
    Message {
        from: Option<u8>,
        to: To,
        key: Option<u8>,
        answers: Option<u8>,
    },
    Partial(Option<u8>, To),
    Typing(To),
    Subscribe(To),
    Unsubscribe(To),
    List(Option<u32>),
    Ping,
    Hostile(usize),
    /// What was said on this slot before, under a new frame id.
    Again,
}

/// Something with all its bytes.
#[derive(Debug, Clone)]
pub enum Step {
    Pass(u64),
    Open(ConnKey, Capabilities, Option<Credential>, Option<String>),
    Text(ConnKey, String),
    /// What the frame of this text would ask.
    Call(ConnKey, String),
    Drop(ConnKey),
    Read(ConnKey),
    Answer(u8, bool),
    Policy(u8, PolicyQuery),
}

/// A world and what was done to it.
pub struct Script {
    pub world: World,
    pub steps: Vec<Step>,
    pub acks: Acks,
    pub slots: [[Option<ConnKey>; SLOTS as usize]; 2],
    opened: [u64; 2],
    pub generations: [u64; 2],
    said: [[Option<Say>; SLOTS as usize]; 2],
    /// Connections that cannot say frames.
    calls: BTreeSet<ConnKey>,
    pub sent: u64,
}

/// Sides have keys of their own, so that a replay without the other gives the same ones.
pub fn side_of(ConnKey(key): ConnKey) -> u8 {
    (key % 2) as u8
}

pub fn tenant(side: u8) -> TenantId {
    let text = match side {
        0 => "alice".to_owned(),
        _ => format!("bob-{CANARY}"),
    };
    TenantId::parse(&text).unwrap()
}

/// Names 0-2 are bots, 3-6 clients; 2, 4 and 5 are the side's own, the others both sides use.
pub fn name(side: u8, n: u8) -> String {
    let own = if side == 0 { "own" } else { CANARY };
    match n % 7 {
        0 => "bot_x".to_owned(),
        1 => "bot_y".to_owned(),
        2 => format!("bot_{own}"),
        3 => "phone".to_owned(),
        4 => format!("desk-{own}"),
        5 => format!("client_{}", tenant(side)),
        _ => "nobody".to_owned(),
    }
}

impl Script {
    pub fn new(settings: Settings, prompt: bool, acks: Acks) -> Self {
        let mut world = World::new(settings);
        world.prompt = prompt;
        Self {
            world,
            steps: Vec::new(),
            acks,
            slots: Default::default(),
            opened: [0; 2],
            generations: [0; 2],
            said: Default::default(),
            calls: BTreeSet::new(),
            sent: 0,
        }
    }

    /// The same steps in a new world: those that `keep` keeps.
    pub fn again(&self, settings: Settings, acks: Acks, keep: impl Fn(&Step) -> bool) -> Self {
        let mut script = Script::new(settings, self.world.prompt, acks);
        for step in self.steps.iter().filter(|step| keep(step)) {
            script.step(step.clone());
        }
        script
    }

    /// All that the peers of one side could see.
    pub fn seen_by(&self, side: u8) -> impl Iterator<Item = &Event> {
        let log = self.world.log.iter();
        log.filter(move |event| side_of(event.conn()) == side)
    }

    /// The store answers all that it owes.
    pub fn answer_all(&mut self) {
        for side in [0, 1] {
            let tenant = tenant(side);
            while self
                .world
                .asks
                .get(&tenant)
                .is_some_and(|asks| !asks.is_empty())
            {
                self.step(Step::Answer(side, false));
            }
        }
    }

    pub fn play(&mut self, op: &Op) {
        let Op {
            side,
            slot,
            ref act,
        } = *op;
        let key = self.slots[side as usize][slot as usize];
        let key = key.filter(|key| self.world.conns[key].open);
        let step = match (act, key) {
            (Act::Pass(ms), _) => Step::Pass(*ms),
            (Act::Answer { refuse }, _) => Step::Answer(side, *refuse),
            (Act::Revoke, _) => {
                self.generations[side as usize] += 1;
                Step::Policy(side, PolicyQuery::Revoke)
            }
            (Act::Suspend(on), _) => Step::Policy(side, PolicyQuery::Suspend(*on)),
            (Act::Open(cred, client), key) => {
                if let Some(key) = key {
                    self.step(Step::Drop(key));
                }
                self.open(side, slot, Capabilities::lasting(), *cred, *client)
            }
            (Act::Call(capabilities, cred, client, say), key) => {
                if let Some(key) = key {
                    self.step(Step::Drop(key));
                }
                let open = self.open(side, slot, *capabilities, *cred, *client);
                let Step::Open(key, ..) = open else {
                    unreachable!("opening is a step")
                };
                self.calls.insert(key);
                self.step(open);
                Step::Call(key, self.text(side, say))
            }
            (_, None) => self.open(
                side,
                slot,
                Capabilities::lasting(),
                Cred::Key,
                [None, Some(3), Some(4)][slot as usize % 3],
            ),
            (Act::Drop, Some(key)) => Step::Drop(key),
            (Act::Read, Some(key)) => Step::Read(key),
            (Act::Say(_), Some(key)) if self.calls.contains(&key) => Step::Drop(key),
            (Act::Say(say), Some(key)) => {
                let said = &mut self.said[side as usize][slot as usize];
                let say = match (say, &*said) {
                    (Say::Again, Some(before)) => before.clone(),
                    (Say::Again, None) => Say::Ping,
                    (say, _) => say.clone(),
                };
                *said = Some(say.clone());
                Step::Text(key, self.text(side, &say))
            }
        };
        self.step(step);
    }

    fn step(&mut self, step: Step) {
        self.perform(&step);
        self.steps.push(step);
    }

    fn open(
        &mut self,
        side: u8,
        slot: u8,
        capabilities: Capabilities,
        cred: Cred,
        client: Option<u8>,
    ) -> Step {
        let opened = &mut self.opened[side as usize];
        *opened += 1;
        let key = ConnKey(*opened * 2 + u64::from(side));
        self.slots[side as usize][slot as usize] = Some(key);
        let client = client.map(|n| name(side, n));
        Step::Open(key, capabilities, self.credential(side, cred), client)
    }

    fn perform(&mut self, step: &Step) {
        let world = &mut self.world;
        match step {
            Step::Pass(ms) => world.pass(*ms),
            Step::Open(key, capabilities, credential, client) => {
                let opened = OpenedConnection {
                    capabilities: *capabilities,
                    credential: credential.clone(),
                    client: client.clone(),
                    acks: self.acks,
                };
                world.open(*key, side_of(*key), opened);
                world.conns.get_mut(key).unwrap().capacity = CAPACITY;
            }
            Step::Text(key, text) => world.text(*key, text.clone()),
            Step::Call(key, text) => world.call(*key, text.clone()),
            Step::Drop(key) => world.drop_conn(*key),
            Step::Read(key) => world.read(*key),
            Step::Answer(side, refuse) => world.answer(&tenant(*side), *refuse),
            Step::Policy(side, query) => world.policy(&tenant(*side), query.clone()),
        }
    }
}
