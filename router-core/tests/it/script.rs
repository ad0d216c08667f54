//! Random tenants: what they do, and the concrete steps that come of it.
//!
//! An [`Op`] says what to do in terms that always make sense ("slot 2 writes to bot 1"); playing it
//! makes a [`Step`] with real keys and JSON texts. Steps can be played again without the ops, all
//! of them or those of one side only.

use protocol::connect::Acks;
use protocol::{BotId, ClientId, Secret, TenantId};
use router_core::auth::{Claims, Credential, TokenScope};
use router_core::session::Opened;
use router_core::store::Ask;
use router_core::{ConnKey, Settings};

use crate::hostile::HOSTILE;
use crate::world::{CANARY, Event, KEYRING, START_MS, World};

/// Sockets that a side has at a time.
pub const SLOTS: u8 = 4;
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
    Drop,
    Read,
    Answer { refuse: bool },
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
    Open(ConnKey, Option<Credential>, Option<String>),
    Text(ConnKey, String),
    Drop(ConnKey),
    Read(ConnKey),
    Answer(u8, bool),
    Policy(u8, Ask),
}

/// A world and what was done to it.
pub struct Script {
    pub world: World,
    pub steps: Vec<Step>,
    pub acks: Acks,
    slots: [[Option<ConnKey>; SLOTS as usize]; 2],
    opened: [u64; 2],
    generations: [u64; 2],
    said: [[Option<Say>; SLOTS as usize]; 2],
    sent: u64,
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
fn name(side: u8, n: u8) -> String {
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
            sent: 0,
        }
    }

    /// The same steps in a new world: those that `keep` keeps.
    pub fn again(&self, settings: Settings, acks: Acks, keep: impl Fn(&Step) -> bool) -> Self {
        let mut script = Script::new(settings, self.world.prompt, acks);
        for step in self.steps.iter().filter(|step| keep(step)) {
            script.perform(step);
        }
        script
    }

    /// All that the peers of one side could see.
    pub fn seen_by(&self, side: u8) -> impl Iterator<Item = &Event> {
        let log = self.world.log.iter();
        log.filter(move |event| side_of(event.conn()) == side)
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
                Step::Policy(side, Ask::Revoke)
            }
            (Act::Suspend(on), _) => Step::Policy(side, Ask::Suspend(*on)),
            (Act::Open(cred, client), key) => {
                if let Some(key) = key {
                    self.step(Step::Drop(key));
                }
                self.open(side, slot, *cred, *client)
            }
            (_, None) => self.open(
                side,
                slot,
                Cred::Key,
                [None, Some(3), Some(4)][slot as usize % 3],
            ),
            (Act::Drop, Some(key)) => Step::Drop(key),
            (Act::Read, Some(key)) => Step::Read(key),
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

    fn open(&mut self, side: u8, slot: u8, cred: Cred, client: Option<u8>) -> Step {
        let opened = &mut self.opened[side as usize];
        *opened += 1;
        let key = ConnKey(*opened * 2 + u64::from(side));
        self.slots[side as usize][slot as usize] = Some(key);
        let client = client.map(|n| name(side, n));
        Step::Open(key, self.credential(side, cred), client)
    }

    fn perform(&mut self, step: &Step) {
        let world = &mut self.world;
        match step {
            Step::Pass(ms) => world.pass(*ms),
            Step::Open(key, credential, client) => {
                let opened = Opened {
                    credential: credential.clone(),
                    client: client.clone(),
                    acks: self.acks,
                };
                world.open(*key, side_of(*key), opened);
                world.conns.get_mut(key).unwrap().capacity = CAPACITY;
            }
            Step::Text(key, text) => world.text(*key, text.clone()),
            Step::Drop(key) => world.drop_conn(*key),
            Step::Read(key) => world.read(*key),
            Step::Answer(side, refuse) => world.answer(&tenant(*side), *refuse),
            Step::Policy(side, ask) => world.policy(&tenant(*side), ask.clone()),
        }
    }

    fn credential(&self, side: u8, cred: Cred) -> Option<Credential> {
        let generation = self.generations[side as usize];
        let key = |side, g| Credential::ApiKey(KEYRING.issue_key(&tenant(side), g));
        let wrong = |side| {
            let text = format!("t2b_{}_0123456789abcdef", tenant(side));
            Credential::ApiKey(Secret::new(text))
        };
        let now_s = self.world.now_ms / 1000;
        let token = |scope, bots: Option<u8>, iat, exp| {
            let bots = bots.map(|n| [BotId::parse(&name(side, n)).unwrap()].into());
            Credential::Token(KEYRING.issue_token(&Claims {
                tenant: tenant(side),
                client: ClientId::parse(&name(side, 4)).unwrap(),
                scope: vec![scope],
                g: generation,
                iat,
                exp,
                bots,
            }))
        };
        Some(match cred {
            Cred::Absent => return None,
            Cred::Key => key(side, generation),
            Cred::OldKey => key(side, generation.wrapping_sub(1)),
            Cred::WrongKey => wrong(side),
            Cred::OthersKey => wrong(1 - side),
            Cred::Chat => token(TokenScope::Chat, None, now_s, now_s + 3600),
            Cred::ChatOfOne => token(TokenScope::Chat, Some(0), now_s, now_s + 3600),
            Cred::Bot => token(TokenScope::Bot, Some(1), now_s, now_s + 3600),
            Cred::Short => token(TokenScope::Chat, None, now_s, now_s + 20),
            Cred::Expired => token(TokenScope::Chat, None, START_MS / 1000 - 90, now_s - 60),
        })
    }

    fn target(&self, side: u8, to: To) -> String {
        let conn = |side: u8, slot: u8| {
            let key = self.slots[side as usize][slot as usize];
            key.map(|key| self.world.conns[&key].session.id().to_string())
        };
        let known = match to {
            To::Name(n) => Some(name(side, n)),
            To::OthersName(n) => Some(name(1 - side, n)),
            To::Conn(slot) => conn(side, slot),
            To::OthersConn(slot) => conn(1 - side, slot),
            To::NoConn => None,
        };
        known.unwrap_or_else(|| "conn_01JD3ZK6M8QW4V5N7R9T2Y0ABC".to_owned())
    }

    fn text(&mut self, side: u8, say: &Say) -> String {
        self.sent += 1;
        let n = self.sent;
        let mark = if side == 1 { CANARY } else { "" };
        let target = |to: &To| self.target(side, *to);
        let from = |from: &Option<u8>| {
            let from = from.map(|n| format!(r#""from":"{}","#, name(side, n)));
            from.unwrap_or_default()
        };
        let (kind, data) = match say {
            Say::Auth(cred) => ("auth", self.auth_data(side, *cred)),
            Say::Register(bot, reject, instance) => {
                let takeover = match reject {
                    Some(true) => r#","takeover":"reject""#,
                    Some(false) => r#","takeover":"replace""#,
                    None => "",
                };
                let instance = instance.map(|i| format!(r#","instance":"i{i}{mark}""#));
                let (id, instance) = (name(side, *bot), instance.unwrap_or_default());
                let data = format!(r#""botId":"{id}","name":"Bot {mark}"{takeover}{instance}"#);
                ("register_bot", data)
            }
            Say::Unregister(to) => ("unregister_bot", format!(r#""botId":"{}""#, target(to))),
            Say::Message { from: own, to, key } => {
                let key = key.map(|key| format!(r#""messageId":"k{key}","#));
                let (own, to, key) = (from(own), target(to), key.unwrap_or_default());
                let data = format!(r#"{own}{key}"to":"{to}","text":"{mark}","n":{n}"#);
                ("message", data)
            }
            Say::Partial(own, to) => {
                let (own, to) = (from(own), target(to));
                let stream = format!(r#""streamId":"s","seq":{n}"#);
                let data = format!(r#"{own}"to":"{to}",{stream},"text":"{mark}""#);
                ("message_partial", data)
            }
            Say::Typing(to) => {
                let data = format!(r#""to":"{}","active":true,"who":"{mark}""#, target(to));
                ("typing", data)
            }
            Say::Subscribe(to) => ("subscribe", format!(r#""botId":"{}""#, target(to))),
            Say::Unsubscribe(to) => ("unsubscribe", format!(r#""botId":"{}""#, target(to))),
            Say::List(limit) => {
                let limit = limit.map(|limit| format!(r#""limit":{limit}"#));
                ("list_bots", limit.unwrap_or_default())
            }
            Say::Ping | Say::Again => ("ping", String::new()),
            Say::Hostile(i) => return HOSTILE[i % HOSTILE.len()].to_owned(),
        };
        format!(r#"{{"type":"{kind}","data":{{{data}}},"id":"f{n}{mark}"}}"#)
    }

    fn auth_data(&self, side: u8, cred: Cred) -> String {
        match self.credential(side, cred) {
            None => String::new(),
            Some(Credential::ApiKey(key)) => format!(r#""apiKey":"{}""#, key.reveal()),
            Some(Credential::Token(token)) => format!(r#""token":"{}""#, token.reveal()),
        }
    }
}
