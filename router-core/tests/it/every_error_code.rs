//! Each row of the error table that this version says, and each close code that layer 1 gives, is
//! provoked once.

use std::collections::BTreeSet;

use protocol::connect::Migrate;
use protocol::error::Since;
use protocol::{CloseCode, ErrorCode, Limits};
use router_core::auth::{Credential, TokenScope};
use router_core::lane::LaneOutcome;
use router_core::session::SessionInput;
use router_core::store::{DirectoryReply, PolicyQuery, StoreReply};
use router_core::{ConnKey, Settings};
use serde_json::json;

use crate::other_nodes::OTHER;
use crate::talk::{alice, key, message, register, token};
use crate::world::{START_MS, World};

/// Makes a socket be refused; which one.
type Provoke = fn(&mut World) -> ConnKey;

const ROWS: &[(ErrorCode, Provoke)] = &[
    (ErrorCode::BadFrame, |w| says(w, "[]")),
    (ErrorCode::UnknownType, |w| says(w, r#"{"type":"x"}"#)),
    (ErrorCode::MissingField, |w| {
        says(w, r#"{"type":"message"}"#)
    }),
    (ErrorCode::InvalidId, |w| {
        says(w, r#"{"type":"message","data":{"to":" "}}"#)
    }),
    (ErrorCode::Unauthorized, |w| {
        w.arrive(Some(key("alice", 1)), None)
    }),
    (ErrorCode::ForbiddenScope, |w| {
        let chat = w.arrive(Some(token(TokenScope::Chat, None, START_MS, 60)), None);
        w.text(chat, register("bot_b").to_string());
        chat
    }),
    (ErrorCode::BotNotFound, |w| {
        says(w, &message("bot_z", "").to_string())
    }),
    (ErrorCode::NotYourIdentity, |w| {
        says(
            w,
            r#"{"type":"message","data":{"to":"bot_a","from":"bot_a"}}"#,
        )
    }),
    (ErrorCode::TenantSuspended, |w| {
        w.policy(&alice(), PolicyQuery::Suspend(true));
        w.arrive(Some(key("alice", 0)), None)
    }),
    (ErrorCode::AlreadyRegistered, |w| {
        says(w, &register("client_alice").to_string())
    }),
    (ErrorCode::TakeoverFlapping, |w| {
        for _ in 0..Limits::default().takeovers_per_minute {
            w.join_bot(&["bot_a"]);
        }
        says(w, &register("bot_a").to_string())
    }),
    (ErrorCode::IdempotencyConflict, |w| {
        let conn = w.join(None);
        for text in ["one", "two"] {
            let data = json!({"to": "bot_a", "messageId": "m-1", "text": text});
            w.text(conn, json!({"type": "message", "data": data}).to_string());
        }
        conn
    }),
    (ErrorCode::Unreachable, |w| far(w, LaneOutcome::Unsent)),
    (ErrorCode::DeliveryUnknown, |w| far(w, LaneOutcome::Unknown)),
    (ErrorCode::TooLarge, |w| {
        let data = json!({"botId": "bot_b", "name": "n".repeat(129)});
        says(
            w,
            &json!({"type": "register_bot", "data": data}).to_string(),
        )
    }),
    (ErrorCode::RateLimited, |w| {
        let limits = Limits {
            frames_burst: 0,
            ..Limits::default()
        };
        w.settings = Settings {
            limits: limits.into(),
            ..Settings::default()
        }
        .into();
        // A tenant keeps the limits that it was loaded with.
        let conn = w.arrive(Some(key("bob", 0)), None);
        w.take(conn);
        w.text(conn, r#"{"type":"ping"}"#.to_owned());
        conn
    }),
    (ErrorCode::QuotaExceeded, |w| {
        w.model = router_core::store::Model::new(0);
        says(w, &register("bot_b").to_string())
    }),
    (ErrorCode::Internal, |w| {
        let conn = w.join(None);
        w.prompt = false;
        w.text(conn, register("bot_b").to_string());
        w.answer_with(&alice(), |_, _| Ok(DONE));
        conn
    }),
    (ErrorCode::NotSupported, |w| {
        says(w, r#"{"type":"received"}"#)
    }),
    (ErrorCode::BotOffline, |w| {
        w.drop_conn(ConnKey(2));
        says(w, &message("bot_a", "").to_string())
    }),
    (ErrorCode::RecipientOffline, |w| {
        says(w, &message("client_alice", "").to_string())
    }),
    (ErrorCode::RecipientBusy, |w| {
        w.conns.get_mut(&ConnKey(2)).unwrap().capacity = 0;
        says(w, &message("bot_a", "").to_string())
    }),
    (ErrorCode::Draining, |w| {
        let conn = w.join(None);
        let migrate = Migrate {
            reason: "restart".to_owned(),
            reconnect_within_ms: 5000,
        };
        w.input(conn, SessionInput::Draining(migrate));
        w.text(conn, message("bot_a", "").to_string());
        conn
    }),
    (ErrorCode::StoreUnavailable, |w| {
        let conn = w.join(None);
        w.prompt = false;
        w.text(conn, register("bot_b").to_string());
        w.answer(&alice(), true);
        conn
    }),
];

/// No answer to a claim or a load.
const DONE: StoreReply = StoreReply::Directory(DirectoryReply::Done);

const CLOSES: &[(CloseCode, Provoke)] = &[
    (CloseCode::PolicyViolation, |w| {
        let conn = w.join(None);
        (0..20).for_each(|_| w.text(conn, "x"));
        conn
    }),
    (CloseCode::Internal, |w| {
        w.prompt = false;
        let conn = w.arrive(Some(key("bob", 0)), None);
        w.answer_with(&protocol::TenantId::parse("bob").unwrap(), |_, _| Ok(DONE));
        conn
    }),
    (CloseCode::TryLater, |w| {
        w.prompt = false;
        let conn = w.arrive(Some(key("bob", 0)), None);
        w.pass(10_000);
        conn
    }),
    (CloseCode::Unauthorized, |w| {
        w.arrive(Some(Credential::from_bearer("x")), None)
    }),
    (CloseCode::TokenExpired, |w| {
        w.arrive(
            Some(token(TokenScope::Chat, None, START_MS - 90_000, 10)),
            None,
        )
    }),
    (CloseCode::Suspended, |w| {
        w.policy(&alice(), PolicyQuery::Suspend(true));
        ConnKey(2)
    }),
    (CloseCode::Replaced, |w| {
        w.join_bot(&["bot_a"]);
        ConnKey(2)
    }),
    (CloseCode::Timeout, |w| {
        w.pass(50_000);
        ConnKey(2)
    }),
    (CloseCode::TooManyRefusals, |w| {
        for _ in 0..10 {
            w.arrive(Some(Credential::from_bearer("x")), None);
        }
        w.arrive(Some(Credential::from_bearer("x")), None)
    }),
];

/// A socket of alice's says one thing.
/// A message to another node comes to this.
fn far(w: &mut World, settled: LaneOutcome) -> ConnKey {
    w.nodes = World::of_three().nodes;
    let conn = w.join(None);
    w.far_bot(OTHER);
    w.text(conn, message("bot_far", "hello").to_string());
    w.settle(settled);
    conn
}

fn says(w: &mut World, text: &str) -> ConnKey {
    let conn = w.join(None);
    w.text(conn, text.to_owned());
    conn
}

/// A world in which the socket of key 2 holds `bot_a`.
fn world() -> World {
    let mut w = World::plain();
    assert_eq!(w.join_bot(&["bot_a"]), ConnKey(2));
    w
}

#[test]
fn every_error_is_provoked_and_worded_as_the_table_has_it() {
    for (code, provoke) in ROWS {
        let mut w = world();
        let conn = provoke(&mut w);
        let error = w.take(conn).pop().unwrap();
        assert_eq!(error["type"], "error", "{code}: {error}");
        let data = &error["data"];
        assert_eq!(data["reason"], code.reason(), "{error}");
        assert_eq!(data["code"], code.status());
        let told = data["message"].as_str().unwrap();
        match data["field"].as_str() {
            None => assert_eq!(told, code.text()),
            Some(field) => {
                let told = told.strip_prefix(code.text()).unwrap();
                assert!(told.starts_with(&format!(": `{field}` must ")), "{error}");
            }
        }
        assert_eq!(data["retryable"], code.retryable());
    }
    let provoked: BTreeSet<_> = ROWS.iter().map(|(code, _)| *code).collect();
    let said = ErrorCode::ALL
        .iter()
        .filter(|code| code.since() == Since::Now && !code.is_http_only());
    assert_eq!(provoked, said.copied().collect());
}

#[test]
fn every_close_is_provoked() {
    for (close, provoke) in CLOSES {
        let mut w = world();
        let conn = provoke(&mut w);
        assert_eq!(w.closed(conn), Some(*close));
    }
}
