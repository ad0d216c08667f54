//! Every row of the error table, provoked through a real socket.

use backplane::StoreFault;
use protocol::ErrorCode;
use protocol::error::Since;
use router_core::auth::TokenScope;
use router_core::store::{
    DirectoryQuery, DirectoryReply, StoreFailure, StoreQuery, StoreReply, StoreResult,
};
use serde_json::{Value, json};

use crate::harness::{Server, Socket, eventually, message, register};
use crate::stalled::fill;

/// Said of other nodes: the router's `every_error_code.rs` provokes them, and `cli/tests/cluster`
/// meets them on real sockets.
const OF_A_CLUSTER: [ErrorCode; 2] = [ErrorCode::Unreachable, ErrorCode::DeliveryUnknown];

#[tokio::test]
async fn every_row_is_provoked() {
    let rows = ErrorCode::ALL.iter();
    let rows = rows.filter(|code| !code.is_http_only() && !OF_A_CLUSTER.contains(code));
    for code in rows {
        let Some(error) = provoke(*code).await else {
            assert!(
                matches!(code.since(), Since::Reserved(_)),
                "{code} has no test"
            );
            continue;
        };
        let data = &error["data"];
        assert_eq!(error["type"], "error", "{code}: {error}");
        assert_eq!(data["reason"], code.reason());
        assert_eq!(data["code"], code.status());
        let told = data["message"].as_str().unwrap();
        assert!(told.starts_with(code.text()), "{code}: {told}");
        assert_eq!(data["retryable"], code.retryable(), "{code}");
    }
}

/// The `error` frame of a row, or nothing if it is reserved. A new row does not compile without a
/// line here.
async fn provoke(code: ErrorCode) -> Option<Value> {
    Some(match code {
        ErrorCode::BadFrame => answer_to("[]").await,
        ErrorCode::UnknownType => answer_to(r#"{"type":"shout"}"#).await,
        ErrorCode::MissingField => answer_to(r#"{"type":"message","data":{"text":"hi"}}"#).await,
        ErrorCode::InvalidId => answer_to(message("-not an id", "hi")).await,
        ErrorCode::BotNotFound => answer_to(message("bot_nobody", "hi")).await,
        ErrorCode::NotSupported => answer_to(r#"{"type":"task","data":{}}"#).await,
        ErrorCode::TooLarge => {
            answer_to(
                json!({"type": "register_bot", "data": {"botId": "b", "name": "n".repeat(129)}})
                    .to_string(),
            )
            .await
        }
        ErrorCode::IdempotencyConflict => idempotency_conflict().await,
        ErrorCode::NotYourIdentity => {
            answer_to(
                json!({"type": "message", "data": {"to": "phone", "from": "bot_a", "text": ""}})
                    .to_string(),
            )
            .await
        }
        ErrorCode::Unauthorized => unauthorized().await,
        ErrorCode::ForbiddenScope => forbidden_scope().await,
        ErrorCode::TenantSuspended => tenant_suspended().await,
        ErrorCode::AlreadyRegistered => already_registered().await,
        ErrorCode::TakeoverFlapping => takeover_flapping().await,
        ErrorCode::RateLimited => rate_limited().await,
        ErrorCode::QuotaExceeded => quota_exceeded().await,
        ErrorCode::Internal => {
            claim_answered(Ok(StoreReply::Directory(DirectoryReply::Done))).await
        }
        ErrorCode::StoreUnavailable => {
            claim_answered(Err(StoreFailure::Refused(ErrorCode::StoreUnavailable))).await
        }
        ErrorCode::BotOffline => bot_offline().await,
        ErrorCode::RecipientOffline => recipient_offline().await,
        ErrorCode::RecipientBusy => recipient_busy().await,
        ErrorCode::Draining => draining().await,
        // The tests of `api/` provoke these.
        ErrorCode::BadRequest
        | ErrorCode::OriginNotAllowed
        | ErrorCode::NotFound
        | ErrorCode::MethodNotAllowed
        | ErrorCode::RequestTimeout
        | ErrorCode::UnsupportedMediaType
        | ErrorCode::Misdirected
        | ErrorCode::LeaseLost
        | ErrorCode::Unreachable
        | ErrorCode::DeliveryUnknown => return None,
    })
}

/// What a client with a key is answered on a fresh gateway.
async fn answer_to(frame: impl Into<String>) -> Value {
    let server = Server::start().await;
    server
        .client("alice", "phone")
        .await
        .ask(frame.into())
        .await
}

async fn idempotency_conflict() -> Value {
    let server = Server::start().await;
    let _bot = server.bot("alice", "bot_a").await;
    let mut phone = server.client("alice", "phone").await;
    let message = |text: &str| {
        let data = json!({"to": "bot_a", "messageId": "m-1", "text": text});
        json!({"type": "message", "data": data}).to_string()
    };
    assert_eq!(phone.ask(message("one")).await["type"], "message_ack");
    phone.ask(message("two")).await
}

async fn unauthorized() -> Value {
    let server = Server::start().await;
    expelled(&server, "t2b_alice_0123456789abcdef").await
}

async fn tenant_suspended() -> Value {
    let server = Server::start().await;
    server.order("alice", "suspend").await;
    expelled(&server, &server.key("alice")).await
}

/// The `error` that follows `auth_error`.
async fn expelled(server: &Server, credential: &str) -> Value {
    let mut socket = server.open("/ws", Some(credential)).await;
    socket.expect("status").await;
    socket.expect("auth_error").await;
    socket.expect("error").await
}

async fn forbidden_scope() -> Value {
    let server = Server::start().await;
    let token = server.token("alice", "phone", TokenScope::Chat, None, 60);
    server.bearer(&token).await.ask(register("bot_a")).await
}

async fn already_registered() -> Value {
    let server = Server::start().await;
    let _holder = server.bot("alice", "bot_a").await;
    let mut other = server.client("alice", "other").await;
    let politely =
        json!({"type": "register_bot", "data": {"botId": "bot_a", "takeover": "reject"}});
    other.ask(politely.to_string()).await
}

/// Each takeover closes the loser; the fourth within a minute is refused.
async fn takeover_flapping() -> Value {
    let server = Server::start().await;
    let mut holder = server.bot("alice", "bot_a").await;
    for _ in 0..3 {
        let newcomer = server.bot("alice", "bot_a").await;
        assert_eq!(holder.closed().await, 4409);
        holder = newcomer;
    }
    server
        .client("alice", "fourth")
        .await
        .ask(register("bot_a"))
        .await
}

async fn rate_limited() -> Value {
    let server = Server::start_with(|config| {
        (
            config.limits.messages_per_second,
            config.limits.messages_burst,
        ) = (1, 1);
    });
    let server = server.await;
    let _bot = server.bot("alice", "bot_a").await;
    let mut phone = server.client("alice", "phone").await;
    phone.tell("bot_a", "one").await;
    let error = phone.ask(message("bot_a", "two")).await;
    assert!(
        (1..=1000).contains(&error["data"]["retryAfterMs"].as_u64().unwrap()),
        "{error}"
    );
    error
}

async fn quota_exceeded() -> Value {
    let server = Server::start_with(|config| config.limits.bots_per_socket = 1).await;
    let mut bot = server.bot("alice", "bot_a").await;
    bot.ask(register("bot_b")).await
}

/// What `register_bot` comes to when the store answers the claim with this.
async fn claim_answered(reply: StoreResult) -> Value {
    let fault: StoreFault = Box::new(move |request| {
        let StoreQuery::Directory(asked) = &request.query else {
            return None;
        };
        matches!(asked.query, DirectoryQuery::Claim(_)).then(|| reply.clone())
    });
    let server = Server::start_faulty(|_| {}, Some(fault)).await;
    server
        .client("alice", "phone")
        .await
        .ask(register("bot_a"))
        .await
}

async fn bot_offline() -> Value {
    let server = Server::start().await;
    let mut phone = server.client("alice", "phone").await;
    drop(server.bot("alice", "bot_a").await);
    while phone.expect_status("bot_a").await != "offline" {}
    phone.ask(message("bot_a", "hi")).await
}

async fn recipient_offline() -> Value {
    let server = Server::start().await;
    let mut phone = server.client("alice", "phone").await;
    drop(server.client("alice", "tablet").await);
    eventually("the tablet leaves", || async {
        server.metric("t2b_connections").await == 1.0
    })
    .await;
    phone.ask(message("tablet", "hi")).await
}

async fn recipient_busy() -> Value {
    let server = Server::start().await;
    let _tablet = server.narrow("alice", "tablet").await;
    let mut phone = server.client("alice", "phone").await;
    fill(&mut phone, "tablet").await;
    phone.ask(message("tablet", &"x".repeat(BULK_TOO))).await
}

/// As much as `fill` sends at once: what did not fit before does not fit again.
const BULK_TOO: usize = crate::stalled::BULK;

/// A peer that does not read holds the gateway back for as long as this takes.
async fn draining() -> Value {
    let server = Server::start().await;
    let _tablet = server.narrow("alice", "tablet").await;
    let mut phone: Socket = server.client("alice", "phone").await;
    fill(&mut phone, "tablet").await;
    server.shutdown.begin();
    phone.expect("migrate").await;
    phone.ask(message("tablet", "hi")).await
}
