//! One request on its way to an answer: its query, its credential, its body.

use std::future::pending;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use protocol::{ErrorCode, Refusal, Rule, TenantId};
use router_core::Capabilities;
use router_core::auth::Source;
use router_core::session::Opened;
use tokio::time::{Instant, sleep, timeout_at};

use crate::gate::Open;
use crate::http::context::bearer;
use crate::node::{Caller, Node};
use crate::progress::{PROGRESS_BYTES, Turns};
use crate::ws::budget::Charge;
use crate::ws::{Budget, ReadLimits};

/// How long a body may still go on after the end of its stream was seen: it is in this process.
const LAST_FRAME: Duration = Duration::from_millis(200);

/// A request whose head was read and whose body was not.
pub(super) struct Exchange<'a> {
    node: &'a Arc<Node>,
    head: &'a Parts,
    body: Incoming,
    peer: (Source, Open),
    joined: &'a OnceLock<JoinedTenant>,
}

/// Whose a request is, once it has joined a tenant.
pub(super) struct JoinedTenant {
    pub(super) tenant: TenantId,
    /// What is charged with its answer.
    pub(super) outbound: Budget,
}

impl<'a> Exchange<'a> {
    /// `joined` is set as soon as the request has joined a tenant.
    pub(super) fn new(
        node: &'a Arc<Node>,
        head: &'a Parts,
        body: Incoming,
        peer: (Source, Open),
        joined: &'a OnceLock<JoinedTenant>,
    ) -> Self {
        Self {
            node,
            head,
            body,
            peer,
            joined,
        }
    }

    /// A member of the query; given twice, the first.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let query = self.head.uri.query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes())
            .find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    }

    /// The member of the query that a rule is about, a number. Errors: it is none.
    pub(super) fn query_number<N: std::str::FromStr>(
        &self,
        rule: Rule,
    ) -> Result<Option<N>, Refusal> {
        let number = self.query(rule.field()).map(|text| text.parse());
        let number = number.transpose();
        number.map_err(|_| Refusal::over(ErrorCode::BadRequest, rule))
    }

    /// A header that may be given once. Errors: twice, or no text.
    pub(super) fn header(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        let mut values = self.head.headers.get_all(name).iter();
        let value = values.next().map(|value| value.to_str()).transpose();
        match (value, values.next()) {
            (Ok(value), None) => Ok(value),
            (Ok(_) | Err(_), _) => Err(ErrorCode::BadRequest.into()),
        }
    }

    /// Verifies the credential and joins its tenant. Only `Authorization: Bearer` is looked at:
    /// queries stand in the logs of proxies.
    ///
    /// Errors: `unauthorized` without one; else as a socket is refused.
    pub(super) async fn join(
        &self,
        capabilities: Capabilities,
        client: Option<String>,
    ) -> Result<Caller, Refusal> {
        let credential = bearer(self.head).ok_or(ErrorCode::Unauthorized)?;
        let opened = Opened {
            credential: Some(credential),
            client,
            capabilities,
            ..Opened::default()
        };
        let caller = Caller::join(self.node, self.peer.clone(), opened).await?;
        if let Some((tenant, outbound)) = caller.charged() {
            // It joins once.
            let _ = self.joined.set(JoinedTenant { tenant, outbound });
        }
        Ok(caller)
    }

    fn turns(&self) -> Option<&'a Turns> {
        super::v1::turns_of(self.head)
    }

    /// Returns once the peer has ended its sending side.
    pub(super) fn input_ended(&self) -> impl Future<Output = ()> + use<'a> {
        input_ended(self.turns())
    }

    /// The whole JSON body.
    ///
    /// Errors: another media type, more than the tenant's largest frame, less than
    /// [`PROGRESS_BYTES`] more within a handshake timeout before it is all there, its end missing, or no
    /// room for what other requests are still sending.
    pub(super) async fn json_body(self, limits: &ReadLimits) -> Result<Bytes, Refusal> {
        let kind = self.header(CONTENT_TYPE.as_str())?.unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(ErrorCode::UnsupportedMediaType.into());
        }
        let limit = Duration::from_millis(self.node.settings.handshake_timeout_ms);
        let turns = self.turns();
        let body = read(self.body, limits, limit, turns).await?;
        match simdutf8::basic::from_utf8(&body) {
            Ok(_) => Ok(body),
            Err(_) => Err(ErrorCode::BadFrame.into()),
        }
    }
}

async fn input_ended(turns: Option<&Turns>) {
    match turns {
        Some(turns) => turns.input_ended().await,
        None => pending().await,
    }
}

async fn read(
    mut body: Incoming,
    limits: &ReadLimits,
    limit: Duration,
    turns: Option<&Turns>,
) -> Result<Bytes, Refusal> {
    let is_too_large = |bytes: u64| bytes > limits.message_bytes as u64;
    if is_too_large(body.size_hint().lower()) {
        return Err(ErrorCode::TooLarge.into());
    }
    let mut charge = Charge::new(limits.assembly.clone());
    let mut whole = BytesMut::new();
    let (mut deadline, mut counted) = (Instant::now() + limit, 0);
    while let Some(frame) = next_frame(&mut body, deadline, turns).await? {
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let bytes = (whole.len() + data.len()) as u64;
        if is_too_large(bytes) {
            return Err(ErrorCode::TooLarge.into());
        }
        if !charge.set(bytes) {
            return Err(ErrorCode::QuotaExceeded.into());
        }
        whole.extend_from_slice(&data);
        if bytes - counted >= PROGRESS_BYTES {
            (deadline, counted) = (Instant::now() + limit, bytes);
        }
    }
    if let Some(turns) = turns {
        turns.body_ended();
    }
    Ok(whole.freeze())
}

/// The next part of a body; none: it is all there.
///
/// Errors: nothing by the deadline; the peer broke off, or its chunks are not well formed.
async fn next_frame(
    body: &mut Incoming,
    deadline: Instant,
    turns: Option<&Turns>,
) -> Result<Option<Frame<Bytes>>, Refusal> {
    let broken_off = async {
        input_ended(turns).await;
        // What came before the end may still be on its way from hyper to here.
        sleep(LAST_FRAME).await;
    };
    let frame = tokio::select! {
        biased;
        frame = timeout_at(deadline, body.frame()) => {
            frame.map_err(|_| ErrorCode::RequestTimeout)?.transpose()
        }
        () = broken_off => return Err(ErrorCode::BadRequest.into()),
    };
    frame.map_err(|_| ErrorCode::BadRequest.into())
}
