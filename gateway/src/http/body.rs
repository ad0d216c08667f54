//! The body of a request to the HTTP API: read at the pace of its peer, charged to its tenant.
//!
//! tower-http's `RequestBodyLimitLayer` and `TimeoutLayer` do not do: the limit is the tenant's, known once the caller has joined,
//! the bytes count for its assembly budget while they arrive, and a body may take as long as it moves on.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame};
use protocol::{ErrorCode, Refusal};
use tokio::time::{Instant, sleep, timeout_at};

use super::call_context::CallContext;
use super::headers::single_header;
use crate::node::Node;
use crate::progress::PROGRESS_BYTES;
use crate::ws::ReadLimits;
use crate::ws::budget::BudgetCharge;

/// How long a body may still go on after the end of its stream was seen: it is in this process.
const LAST_FRAME: Duration = Duration::from_millis(200);

/// The body of a request whose caller has joined.
pub(super) struct UnreadBody {
    headers: HeaderMap,
    body: Body,
    call: Arc<CallContext>,
    /// In which time it must move on.
    pace: Duration,
}

impl UnreadBody {
    /// A body of which nothing was read.
    pub(super) fn new(headers: HeaderMap, body: Body, node: &Node, call: Arc<CallContext>) -> Self {
        Self {
            headers,
            body,
            call,
            pace: Duration::from_millis(node.settings().handshake_timeout_ms),
        }
    }

    /// The whole JSON body.
    ///
    /// Errors: another media type, more than the tenant's largest frame, less than
    /// [`PROGRESS_BYTES`] more within a handshake timeout before it is all there, its end missing, or no
    /// room for what other requests are still sending.
    pub(super) async fn json(self, limits: &ReadLimits) -> Result<Bytes, Refusal> {
        let kind = single_header(&self.headers, CONTENT_TYPE.as_str())?.unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(ErrorCode::UnsupportedMediaType.into());
        }
        let body = self.read(limits).await?;
        match simdutf8::basic::from_utf8(&body) {
            Ok(_) => Ok(body),
            Err(_) => Err(ErrorCode::BadFrame.into()),
        }
    }

    async fn read(mut self, limits: &ReadLimits) -> Result<Bytes, Refusal> {
        let is_too_large = |bytes: u64| bytes > limits.message_bytes as u64;
        if is_too_large(self.body.size_hint().lower()) {
            return Err(ErrorCode::TooLarge.into());
        }
        let mut charge = BudgetCharge::new(limits.assembly.clone());
        let mut whole = BytesMut::new();
        let (mut deadline, mut counted) = (Instant::now() + self.pace, 0);
        while let Some(frame) = self.next_frame(deadline).await? {
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
                (deadline, counted) = (Instant::now() + self.pace, bytes);
            }
        }
        if let Some(turns) = &self.call.turns {
            turns.body_ended();
        }
        Ok(whole.freeze())
    }

    /// The next part of the body; none: it is all there.
    ///
    /// Errors: nothing by the deadline; the peer broke off, or its chunks are not well formed.
    async fn next_frame(&mut self, deadline: Instant) -> Result<Option<Frame<Bytes>>, Refusal> {
        let broken_off = async {
            self.call.input_ended().await;
            // What came before the end may still be on its way from hyper to here.
            sleep(LAST_FRAME).await;
        };
        let frame = tokio::select! {
            biased;
            frame = timeout_at(deadline, self.body.frame()) => {
                frame.map_err(|_| ErrorCode::RequestTimeout)?.transpose()
            }
            () = broken_off => return Err(ErrorCode::BadRequest.into()),
        };
        frame.map_err(|_| ErrorCode::BadRequest.into())
    }
}
