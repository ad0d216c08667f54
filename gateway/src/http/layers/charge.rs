//! Charges a tenant with each answer until it is written, and with a large one until the peer has taken it
//! from the kernel.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use protocol::ErrorCode;

use crate::http::call_context::CallContext;
use crate::http::problem::ProblemResponse;
use crate::progress::ConnectionTurns;
use crate::ws::Budget;
use crate::ws::budget::BudgetCharge;

/// Bytes of an answer in the kernel that are part of what every socket costs.
const KERNEL_BYTES_FREE: u64 = 4096;

/// Replaces an answer by `quota_exceeded` if its tenant has no room for it. Refusals are not charged.
pub(in crate::http) async fn charge_answer(
    Extension(call): Extension<Arc<CallContext>>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    match call.joined.get() {
        Some(joined) if response.status().is_success() => {
            let charged = charged(response, &joined.outbound, call.turns.as_deref());
            charged.await.unwrap_or_else(IntoResponse::into_response)
        }
        Some(_) | None => response,
    }
}

/// Charges a budget with an answer. Errors: `quota_exceeded` if the budget has no room for it.
async fn charged(
    response: Response,
    outbound: &Budget,
    turns: Option<&ConnectionTurns>,
) -> Result<Response, ProblemResponse> {
    let (head, body) = response.into_parts();
    // A handler's answer is in memory as a whole.
    let body = to_bytes(body, usize::MAX).await;
    let body = body.map_err(|_| ErrorCode::Internal)?;
    let mut charge = BudgetCharge::new(outbound.clone());
    if !charge.set(body.len() as u64) {
        return Err(ErrorCode::QuotaExceeded.into());
    }
    if let Some(turns) = turns
        && charge.bytes() >= KERNEL_BYTES_FREE
    {
        turns.charge_until_taken(charge);
        return Ok(Response::from_parts(head, Body::from(body)));
    }
    let body = Bytes::from_owner(ChargedBody {
        body,
        _charge: charge,
    });
    Ok(Response::from_parts(head, Body::from(body)))
}

/// An answer that is charged until it is dropped.
struct ChargedBody {
    body: Bytes,
    _charge: BudgetCharge,
}

impl AsRef<[u8]> for ChargedBody {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}
