//! Extractors: query members, path members, credential and body of a request to the HTTP API.
//!
//! The order of a handler's arguments is the order of its checks: query and headers (400) stand before
//! [`HttpExchange`] (401), and the body is read once the caller has joined its tenant. A handler refuses nothing between
//! the two: a request whose credential is valid counts when it joins.

use std::str::FromStr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::HeaderMap;
use http::request::Parts;
use protocol::{ErrorCode, Refusal, Rule};
use router_core::Capabilities;
use router_core::auth::Credential;
use router_core::session::OpenedConnection;

use super::body::UnreadBody;
use super::call_context::{CallContext, JoinedTenant};
use super::context::PublicContext;
use super::headers::bearer;
use super::problem::ProblemResponse;
use crate::node::{CallConnection, Node};

/// The members of a query. Of a member that is given twice the first counts; unknown ones are ignored.
///
/// axum's `Query` refuses a member that is given twice, and does not name the rule that a member breaks.
pub(crate) struct QueryMembers<'a>(&'a str);

impl<'a> QueryMembers<'a> {
    /// The members of a query, as the request has it.
    pub(crate) const fn new(query: &'a str) -> Self {
        Self(query)
    }

    /// A member, decoded.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.0.as_bytes())
            .find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    }

    /// Errors: a member has none of these names, or comes twice. For routes on which a member that is not understood
    /// would give a wrong answer.
    pub(crate) fn only(&self, names: &[&str]) -> Result<(), Refusal> {
        let mut seen: Vec<String> = Vec::new();
        for (key, _) in form_urlencoded::parse(self.0.as_bytes()) {
            if !names.contains(&&*key) || seen.iter().any(|name| *name == key) {
                return Err(Refusal::over(ErrorCode::BadRequest, Rule::UsageQuery));
            }
            seen.push(key.into_owned());
        }
        Ok(())
    }

    /// The member that a rule is about, a number. Errors: it is none.
    pub(crate) fn number<N: FromStr>(&self, rule: Rule) -> Result<Option<N>, Refusal> {
        let number = self.text(rule.field()).map(|text| text.parse());
        let number = number.transpose();
        number.map_err(|_| Refusal::over(ErrorCode::BadRequest, rule))
    }
}

/// The query members of one route.
pub(super) trait FromQuery: Sized {
    /// Errors: a member breaks its rule.
    fn from_query(query: &QueryMembers<'_>) -> Result<Self, Refusal>;
}

/// The query of a request, checked.
pub(super) struct CheckedQuery<Q>(pub(super) Q);

impl<S: Sync, Q: FromQuery> FromRequestParts<S> for CheckedQuery<Q> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, ProblemResponse> {
        let query = QueryMembers::new(head.uri.query().unwrap_or_default());
        Ok(Self(Q::from_query(&query)?))
    }
}

/// The `{id}` of a path, decoded and not checked: the session refuses an id that is none once it knows the credential.
/// Bytes that are not UTF-8 are read as the empty text, which is no id either.
pub(super) struct PathId(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let id = Path::<String>::from_request_parts(head, state).await;
        Ok(Self(id.map(|Path(id)| id).unwrap_or_default()))
    }
}

/// A request with a credential that is not verified yet and a body that is not read yet.
///
/// Only `Authorization: Bearer` is looked at: queries stand in the logs of proxies. Errors: `unauthorized` without one.
pub(super) struct HttpExchange {
    node: Arc<Node>,
    call: Arc<CallContext>,
    credential: Credential,
    headers: HeaderMap,
    body: Body,
}

impl FromRequest<Arc<PublicContext>> for HttpExchange {
    type Rejection = ProblemResponse;

    async fn from_request(
        request: Request,
        context: &Arc<PublicContext>,
    ) -> Result<Self, ProblemResponse> {
        let (head, body) = request.into_parts();
        let credential = bearer(&head.headers).ok_or(ErrorCode::Unauthorized)?;
        let call = head.extensions.get::<Arc<CallContext>>();
        Ok(Self {
            node: Arc::clone(&context.node),
            // The outermost layer puts it there.
            call: Arc::clone(call.ok_or(ErrorCode::Internal)?),
            credential,
            headers: head.headers,
            body,
        })
    }
}

impl HttpExchange {
    /// Verifies the credential and joins its tenant. Errors: as a socket is refused.
    pub(super) async fn join(
        self,
        capabilities: Capabilities,
        client: Option<String>,
    ) -> Result<(CallConnection, UnreadBody), Refusal> {
        let opened = OpenedConnection {
            credential: Some(self.credential),
            client,
            capabilities,
            ..OpenedConnection::default()
        };
        let peer = (self.call.peer.source, self.call.peer.open.clone());
        let caller = CallConnection::join(&self.node, peer, opened).await?;
        if let Some((tenant, outbound)) = caller.charged() {
            // It joins once.
            let _ = self.call.joined.set(JoinedTenant {
                tenant,
                outbound,
                quotas: caller.quotas.clone(),
            });
        }
        let body = UnreadBody::new(self.headers, self.body, &self.node, self.call);
        Ok((caller, body))
    }

    /// Returns once the peer has ended its sending side.
    pub(super) fn input_ended(&self) -> impl Future<Output = ()> + use<> {
        let call = Arc::clone(&self.call);
        async move { call.input_ended().await }
    }
}
