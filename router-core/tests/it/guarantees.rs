//! ORD-1, DUP-1, HOME-1 and BND-1 over random tenants.

use std::collections::BTreeMap;

use proptest::prelude::*;
use protocol::limits::DEDUPE_MS;
use router_core::invariant::Invariant;
use router_core::{ConnKey, check};
use serde_json::Value;

use crate::answers::played;
use crate::isolation::tight;
use crate::script::{Script, Step, tenant};
use crate::strategies::{config, ops};
use crate::world::{Event, Frame};

/// The frames that sockets got, in order.
fn frames(script: &Script) -> impl Iterator<Item = (ConnKey, Value)> {
    script.world.log.iter().filter_map(|event| match event {
        Event::Frame(conn, sent) => Some((*conn, json(sent))),
        Event::Fed(..) | Event::Ping(_) | Event::Closed(..) | Event::Gone(_) => None,
    })
}

fn json(sent: &Frame) -> Value {
    serde_json::from_slice(&sent.text).expect("frames out are JSON")
}

/// Who is whose home, as the sockets were told.
#[derive(Default)]
struct Homes {
    homes: BTreeMap<String, ConnKey>,
    epochs: BTreeMap<String, u64>,
}

impl Homes {
    fn on_event(&mut self, event: &Event) -> Result<(), TestCaseError> {
        match event {
            Event::Frame(conn, sent) => self.on_frame(*conn, &json(sent)),
            Event::Closed(conn, _) | Event::Gone(conn) => {
                self.homes.retain(|_, home| home != conn);
                Ok(())
            }
            Event::Fed(..) | Event::Ping(_) => Ok(()),
        }
    }

    fn on_frame(&mut self, conn: ConnKey, frame: &Value) -> Result<(), TestCaseError> {
        let data = &frame["data"];
        match frame["type"].as_str().unwrap() {
            "bot_registered" => {
                let bot = data["id"].as_str().unwrap().to_owned();
                let epoch = data["epoch"].as_u64().unwrap();
                let last = self.epochs.insert(bot.clone(), epoch).unwrap_or(0);
                let holder = self.homes.insert(bot, conn);
                prop_assert!(epoch >= last, "epoch went back from {last}: {frame}");
                prop_assert!(epoch > last || holder == Some(conn), "two homes: {frame}");
            }
            "bot_unregistered" => {
                let bot = data["botId"].as_str().unwrap();
                if self.homes.get(bot) == Some(&conn) || data.get("reason").is_none() {
                    self.homes.remove(bot);
                }
            }
            "message" | "message_partial" | "typing" => {
                if let Some(home) = self.homes.get(data["to"].as_str().unwrap()) {
                    prop_assert_eq!(*home, conn, "not its home: {}", frame);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(config(5_000))]

    #[test]
    fn messages_between_two_sockets_keep_their_order(ops in ops(1, 80), prompt in any::<bool>()) {
        let script = played(&ops, prompt);
        let mut last: BTreeMap<(ConnKey, String), u64> = BTreeMap::new();
        for (conn, frame) in frames(&script).filter(|(_, frame)| frame["type"] == "message") {
            let data = &frame["data"];
            let Some(n) = data["n"].as_u64() else { continue };
            let from = data["connectionId"].as_str().unwrap().to_owned();
            let before = last.insert((conn, from), n);
            let in_order = before.is_none_or(|before| before < n);
            check!(Invariant::Ordered, in_order, "{before:?} before {frame}");
        }
    }

    #[test]
    fn a_message_id_is_delivered_once(ops in ops(1, 80), prompt in any::<bool>()) {
        let script = played(&ops, prompt);
        let mut seen: BTreeMap<(ConnKey, String), u64> = BTreeMap::new();
        for (conn, frame) in frames(&script).filter(|(_, frame)| frame["type"] == "message") {
            let data = &frame["data"];
            if data["messageId"].as_str().is_some_and(|id| id.starts_with('k')) {
                let at_ms = frame["timestamp"].as_u64().unwrap();
                let key = format!("{} {} {}", data["from"], data["to"], data["messageId"]);
                let before = seen.insert((conn, key), at_ms);
                let once = before.is_none_or(|it| at_ms - it >= DEDUPE_MS);
                check!(Invariant::NoDuplicate, once, "again: {frame}");
            }
        }
    }

    #[test]
    fn a_bot_has_one_home_and_the_store_knows_it(ops in ops(1, 80), prompt in any::<bool>()) {
        let mut script = played(&ops, prompt);
        let mut homes = Homes::default();
        for event in &script.world.log {
            homes.on_event(event)?;
        }
        let world = &mut script.world;
        let bots = world.snapshot(&tenant(0)).bots;
        for (bot, home) in &homes.homes {
            let record = bots.iter().find(|it| it.info.id.as_str() == bot);
            let holder = record.and_then(|it| it.holder.as_ref()).map(|it| &it.conn);
            prop_assert_eq!(holder, Some(world.conns[home].session.id()), "holder of {}", bot);
            prop_assert_eq!(record.map(|it| it.epoch), homes.epochs.get(bot).copied());
        }
        // A release that the store refuses is made up for when the tenant is loaded again.
        let refused = |step: &Step| matches!(step, Step::Answer(_, true));
        if !script.steps.iter().any(refused) {
            let conns = script.world.conns.values();
            let open: Vec<_> = conns.filter(|it| it.open).map(|it| it.session.id()).collect();
            for holder in bots.iter().filter_map(|it| it.holder.as_ref()) {
                let holder = &holder.conn;
                prop_assert!(open.contains(&holder), "{holder} is gone and still a holder");
            }
        }
    }

    #[test]
    fn no_count_passes_its_limit(ops in ops(1, 80), prompt in any::<bool>()) {
        let mut script = played(&ops, prompt);
        let limits = tight().limits;
        let (mut homes, mut joined) = (Homes::default(), Vec::new());
        for event in &script.world.log {
            homes.on_event(event)?;
            let conn = event.conn();
            let held = homes.homes.values().filter(|home| **home == conn).count();
            let may_hold = limits.bots_per_socket as usize;
            check!(Invariant::Bounded, held <= may_hold, "{held} bots on {conn:?}");
            match event {
                Event::Frame(_, sent) if json(sent)["type"] == "auth_ok" => joined.push(conn),
                Event::Closed(..) | Event::Gone(_) => joined.retain(|other| *other != conn),
                Event::Frame(..) | Event::Fed(..) | Event::Ping(_) => {}
            }
            prop_assert!(joined.len() <= limits.sockets_per_tenant as usize);
        }
        let bots = script.world.snapshot(&tenant(0)).bots.len();
        prop_assert!(bots <= limits.bots_per_tenant as usize, "{bots} bots");
        for (conn, state) in &script.world.conns {
            check!(Invariant::Bounded, state.unread <= state.capacity, "queue of {conn:?}");
        }
    }
}
