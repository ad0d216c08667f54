//! Connections without a socket: what a call over HTTP receives, what it costs.

use protocol::Limits;
use protocol::http::decode_message;
use protocol::presence::ListBots;
use protocol::{CloseCode, OutboundKind};
use router_core::Capabilities;
use router_core::ConnKey;
use router_core::auth::{Credential, TokenScope};
use router_core::session::{CallRequest, OpenedConnection, SessionInput};
use serde_json::{Value, json};

use crate::talk::{alice, gist, key, message, token};
use crate::world::{Event, START_MS, World};

impl World {
    /// A call of alice's that has joined her.
    pub fn calls(&mut self, capabilities: Capabilities, client: Option<&str>) -> ConnKey {
        self.calls_with(key("alice", 0), capabilities, client)
    }

    pub fn calls_with(
        &mut self,
        credential: Credential,
        capabilities: Capabilities,
        client: Option<&str>,
    ) -> ConnKey {
        let last = self.conns.last_key_value().map_or(0, |(key, _)| key.0);
        let conn = ConnKey(last + 2);
        let opened = OpenedConnection {
            credential: Some(credential),
            client: client.map(str::to_owned),
            capabilities,
            ..OpenedConnection::default()
        };
        self.open(conn, 0, opened);
        conn
    }

    fn sends(&mut self, conn: ConnKey, data: &Value) -> Value {
        let send = decode_message(&data.to_string().into()).unwrap();
        self.input(conn, SessionInput::Call(CallRequest::Send(send)));
        self.take(conn).pop().unwrap()
    }

    /// Has a bot send this; what it is answered, and what the call gets.
    fn says_to(&mut self, bot: ConnKey, data: Value, conn: ConnKey) -> (Value, Vec<Value>) {
        self.text(bot, json!({"type": "message", "data": data}).to_string());
        let answer = self.take(bot).pop().unwrap();
        (answer["data"].clone(), self.take(conn))
    }
}

#[test]
fn a_call_is_told_its_answers_and_nothing_else() {
    let mut w = World::plain();
    for capabilities in [Capabilities::call(), Capabilities::waiting_call()] {
        let conn = w.calls(capabilities, None);
        let bot = w.join_bot(&["bot_a"]);
        w.pass(200);
        assert_eq!(w.take(conn), [] as [Value; 0], "no greeting, no presence");
        let ack = w.sends(conn, &json!({"to": "bot_a"}));
        assert_eq!(ack["data"]["status"], "delivered", "{ack}");
        w.pass(10 * 60_000);
        assert_eq!(w.closed(conn), None, "it needs no heartbeat");
        assert!(!w.log.contains(&Event::Ping(conn)));
        assert_eq!(w.closed(bot), Some(CloseCode::Timeout), "as a socket does");
    }
}

#[test]
fn one_bot_is_found_as_the_list_has_it() {
    let mut w = World::plain();
    w.join_bot(&["bot_a", "bot_b"]);
    let ask = |w: &mut World, conn, call| {
        w.input(conn, SessionInput::Call(call));
        w.take(conn).pop().unwrap()
    };
    let conn = w.calls(Capabilities::call(), None);
    let list = ask(&mut w, conn, CallRequest::List(ListBots::default()));
    let found = ask(&mut w, conn, CallRequest::Find("bot_b".to_owned()));
    assert_eq!(found["data"]["bots"][0], list["data"]["bots"][1]);
    let chat = token(TokenScope::Chat, Some(&["bot_a"]), START_MS, 60);
    let chat = w.calls_with(chat, Capabilities::call(), None);
    let hidden = ask(&mut w, chat, CallRequest::Find("bot_b".to_owned()));
    let unknown = ask(&mut w, chat, CallRequest::Find("bot_z".to_owned()));
    assert_eq!(hidden["data"]["reason"], "bot_not_found");
    assert_eq!(hidden, unknown);
    let invalid = ask(&mut w, chat, CallRequest::Find("-".to_owned()));
    assert_eq!(invalid["data"]["reason"], "invalid_id");
}

#[test]
fn a_wait_hears_its_reply_and_nobody_elses() {
    let mut w = World::plain();
    let bot = w.join_bot(&["bot_a"]);
    let other = w.join_bot(&["bot_b"]);
    let wait = w.calls(Capabilities::waiting_call(), Some("script"));
    let early = json!({"to": "script", "from": "bot_a", "replyTo": "m"});
    let (answer, heard) = w.says_to(bot, early, wait);
    assert_eq!(
        (&answer["reason"], heard.len()),
        (&json!("recipient_offline"), 0)
    );

    w.sends(wait, &json!({"to": "bot_a", "messageId": "m"}));
    let own = w.take(bot).pop().unwrap()["data"]["connectionId"].clone();
    for (from, data) in [
        (bot, json!({"to": "script", "from": "bot_a"})),
        (
            bot,
            json!({"to": "script", "from": "bot_a", "replyTo": "n"}),
        ),
        (
            other,
            json!({"to": "script", "from": "bot_b", "replyTo": "m"}),
        ),
        (other, json!({"to": own, "from": "bot_b"})),
    ] {
        let (answer, heard) = w.says_to(from, data.clone(), wait);
        assert_eq!(answer["reason"], "recipient_offline", "{data}");
        assert_eq!(heard, [] as [Value; 0], "{data}");
    }
    let partial = json!({"to": "script", "from": "bot_a", "streamId": "s", "seq": 1, "text": ""});
    w.text(
        bot,
        json!({"type": "message_partial", "data": partial}).to_string(),
    );
    assert_eq!(w.take(wait), [] as [Value; 0]);
    let (answer, heard) = w.says_to(bot, json!({"to": own, "from": "bot_a"}), wait);
    assert_eq!(answer["status"], "delivered");
    assert_eq!((heard.len(), &heard[0]["type"]), (1, &json!("message")));
    // A phone of the same client id hears all of it, and the wait still its own reply only.
    let phone = w.join(Some("script"));
    let (answer, heard) = w.says_to(bot, json!({"to": "script", "from": "bot_a"}), wait);
    assert_eq!((&answer["status"], heard.len()), (&json!("delivered"), 0));
    assert_eq!(w.take(phone).len(), 1);
}

#[test]
fn a_wait_hears_one_reply() {
    let mut w = World::plain();
    let bot = w.join_bot(&["bot_a"]);
    let whole = (None, None);
    let part = |n, of| (Some(n), Some(of));
    for says in [
        vec![(whole, true), (whole, false), (part(1, 1), false)],
        vec![(part(1, 1), true), (whole, false)],
        vec![
            (part(2, 3), true),
            (part(2, 3), false),
            (part(1, 4), false),
            (whole, false),
            (part(1, 3), true),
            (part(3, 3), true),
            (part(3, 3), false),
            (whole, false),
        ],
    ] {
        let wait = w.calls(Capabilities::waiting_call(), Some("script"));
        w.sends(wait, &json!({"to": "bot_a", "messageId": "m"}));
        w.take(bot);
        for (i, ((part, parts), is_heard)) in says.into_iter().enumerate() {
            let data = json!({"to": "script", "from": "bot_a", "replyTo": "m", "part": part, "parts": parts});
            let (answer, heard) = w.says_to(bot, data, wait);
            let told = if is_heard { "status" } else { "reason" };
            let word = if is_heard {
                "delivered"
            } else {
                "recipient_offline"
            };
            assert_eq!(answer[told], word, "{i}: {part:?} of {parts:?}");
            assert_eq!(heard.len(), usize::from(is_heard), "{i}");
        }
        w.drop_conn(wait);
    }
}

#[test]
fn what_no_queue_took_was_not_heard() {
    let mut w = World::plain();
    let bot = w.join_bot(&["bot_a"]);
    let wait = w.calls(Capabilities::waiting_call(), Some("script"));
    w.sends(wait, &json!({"to": "bot_a", "messageId": "m"}));
    let reply = json!({"to": "script", "from": "bot_a", "replyTo": "m"});
    w.conns.get_mut(&wait).unwrap().capacity = 0;
    let (answer, _) = w.says_to(bot, reply.clone(), wait);
    assert_eq!(answer["reason"], "recipient_busy");
    w.conns.get_mut(&wait).unwrap().capacity = 9;
    let (answer, _) = w.says_to(bot, reply, wait);
    assert_eq!(answer["status"], "delivered");
}

#[test]
fn who_does_not_wait_hears_no_reply() {
    let mut w = World::plain();
    let bot = w.join_bot(&["bot_a"]);
    let call = w.calls(Capabilities::call(), Some("script"));
    w.sends(call, &json!({"to": "bot_a", "messageId": "m"}));
    let own = w.take(bot).pop().unwrap()["data"]["connectionId"].clone();
    for to in [json!("script"), own] {
        let reply = json!({"to": to, "from": "bot_a", "replyTo": "m"});
        let (answer, heard) = w.says_to(bot, reply, call);
        assert_eq!(answer["reason"], "recipient_offline");
        assert_eq!(heard, [] as [Value; 0]);
    }
}

#[test]
fn a_reply_to_a_connection_comes_from_there() {
    let mut w = World::plain();
    let bot = w.join_bot(&["bot_a"]);
    let phone = w.join(Some("phone"));
    w.text(phone, message("bot_a", "hi").to_string());
    let there = w.take(bot).pop().unwrap()["data"]["connectionId"].clone();
    w.take(phone);
    let wait = w.calls(Capabilities::waiting_call(), Some("script"));
    w.sends(wait, &json!({"to": there, "messageId": "m"}));
    let reply = json!({"to": "script", "replyTo": "m"});
    let (answer, heard) = w.says_to(phone, reply, wait);
    assert_eq!((&answer["status"], heard.len()), (&json!("delivered"), 1));
}

#[test]
fn a_tenant_has_a_limit_of_waits() {
    let limits = Limits {
        waits_per_tenant: 3,
        ..Limits::default()
    };
    let mut w = World::limited(limits);
    let waits: Vec<ConnKey> = (0..3)
        .map(|_| w.calls(Capabilities::waiting_call(), None))
        .collect();
    assert!(waits.iter().all(|wait| w.take(*wait).is_empty()));
    let above = w.calls(Capabilities::waiting_call(), None);
    let errors = w.take(above);
    assert_eq!(errors.last().unwrap()["data"]["reason"], "quota_exceeded");
    assert_eq!(w.closed(above), Some(CloseCode::TryLater));
    let call = w.calls(Capabilities::call(), None);
    assert_eq!(w.take(call), [] as [Value; 0], "only waits count");
    w.drop_conn(waits[0]);
    let again = w.calls(Capabilities::waiting_call(), None);
    assert_eq!(w.take(again), [] as [Value; 0]);
}

#[test]
fn calls_count_against_the_rate_of_messages() {
    let limits = Limits {
        messages_burst: 2,
        messages_per_second: 1,
        ..Limits::default()
    };
    let mut w = World::limited(limits);
    let mut list = || {
        let conn = w.calls(Capabilities::call(), None);
        w.input(
            conn,
            SessionInput::Call(CallRequest::List(ListBots::default())),
        );
        w.take(conn).pop().unwrap()
    };
    assert_eq!(
        (gist(&[list()]), gist(&[list()])),
        (vec!["bots_list"], vec!["bots_list"])
    );
    let refused = list();
    assert_eq!(refused["data"]["reason"], "rate_limited");
    assert!(
        refused["data"]["retryAfterMs"]
            .as_u64()
            .is_some_and(|ms| ms <= 1000)
    );
}

#[test]
fn a_call_costs_once_and_at_its_join() {
    let limits = Limits {
        messages_burst: 2,
        messages_per_second: 1,
        ..Limits::default()
    };
    let mut w = World::limited(limits);
    let strange = w.calls_with(key("alice", 7), Capabilities::call(), None);
    assert_eq!(w.closed(strange), Some(CloseCode::Unauthorized));
    for capabilities in [Capabilities::call(), Capabilities::waiting_call()] {
        let conn = w.calls(capabilities, None);
        let sent = w.sends(conn, &json!({"to": "bot_a"}));
        assert_eq!(sent["data"]["reason"], "bot_not_found", "{sent}");
    }
    let above = w.calls(Capabilities::call(), None);
    let refused = w.take(above).pop().unwrap();
    assert_eq!(refused["data"]["reason"], "rate_limited");
    assert_eq!(refused["data"]["retryAfterMs"], 1000);
    assert_eq!(w.closed(above), Some(CloseCode::TryLater));
    w.pass(1000);
    let later = w.calls(Capabilities::call(), None);
    assert_eq!(w.take(later), [] as [Value; 0]);
}

#[test]
fn a_call_that_sent_nothing_is_not_remembered() {
    let mut w = World::plain();
    let silent = w.calls(Capabilities::call(), Some("bot_squat"));
    w.drop_conn(silent);
    let bot = w.join_bot(&["bot_squat"]);
    let phone = w.join(Some("phone"));
    w.drop_conn(phone);
    let silent = w.calls(Capabilities::call(), Some("phone"));
    w.drop_conn(silent);
    let call = w.calls(Capabilities::call(), Some("script"));
    w.sends(call, &json!({"to": "bot_squat"}));
    w.drop_conn(call);
    let refused = w.calls(Capabilities::call(), Some("refused"));
    w.sends(refused, &json!({"to": "nobody"}));
    w.drop_conn(refused);
    w.take(bot);
    for (to, reason) in [
        ("phone", "recipient_offline"),
        ("script", "recipient_offline"),
        ("refused", "bot_not_found"),
    ] {
        assert_eq!(w.ask(bot, message(to, "hi")), [reason], "{to}");
    }
}

#[test]
fn a_call_leaves_nothing_in_the_store() {
    let mut w = World::plain();
    let conn = w.calls(Capabilities::call(), Some("script"));
    w.drop_conn(conn);
    assert!(w.snapshot(&alice()).clients.is_empty());
}

#[test]
fn a_wait_is_answered_in_the_order_of_its_frames() {
    let mut w = World::plain();
    let bot = w.join_bot(&["bot_a"]);
    let wait = w.calls(Capabilities::waiting_call(), Some("script"));
    let send = decode_message(&r#"{"to":"bot_a","messageId":"m"}"#.into()).unwrap();
    w.input(wait, SessionInput::Call(CallRequest::Send(send)));
    let reply =
        json!({"type": "message", "data": {"to": "script", "from": "bot_a", "replyTo": "m"}});
    w.text(bot, reply.to_string());
    let kinds = w.log.iter().filter_map(|event| match event {
        Event::Frame(conn, frame) if *conn == wait => Some(frame.kind),
        Event::Frame(..) | Event::Fed(..) | Event::Ping(_) | Event::Closed(..) | Event::Gone(_) => {
            None
        }
    });
    let kinds: Vec<OutboundKind> = kinds.collect();
    assert_eq!(kinds, [OutboundKind::Answer, OutboundKind::Message]);
}
