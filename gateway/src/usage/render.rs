//! A page of usage as JSON, NDJSON or CSV, as the `Accept` header asks.

use axum::response::Response;
use http::header::{ACCEPT, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use protocol::http::{UsagePage, UsageRow};

use crate::http::typed;

/// The header with the cursor of the next page, where the body has no place for it.
const NEXT: HeaderName = HeaderName::from_static("t2b-next-cursor");
/// The header with the time of the ledger.
const AS_OF: HeaderName = HeaderName::from_static("t2b-as-of");

/// The header with the first hour that may still change.
const CLOSED_UNTIL: HeaderName = HeaderName::from_static("t2b-closed-until");

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageFormat {
    /// One object.
    Json,
    /// One object a row and line.
    Ndjson,
    /// RFC 4180, with a head line.
    Csv,
}

impl PageFormat {
    /// The first of the formats that the request accepts; JSON if it names none of them.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(ACCEPT).iter();
        let accepted = accepted.filter_map(|value| value.to_str().ok());
        let kinds = accepted.flat_map(|value| value.split(','));
        let formats =
            kinds.filter_map(
                |kind| match kind.split(';').next().unwrap_or_default().trim() {
                    "application/x-ndjson" => Some(Self::Ndjson),
                    "text/csv" => Some(Self::Csv),
                    "application/json" => Some(Self::Json),
                    _ => None,
                },
            );
        formats.into_iter().next().unwrap_or(Self::Json)
    }

    /// The answer that has a page.
    pub(crate) fn answer(self, page: &UsagePage) -> Response {
        let (kind, body) = match self {
            Self::Json => ("application/json", serde_json::to_string(page)),
            Self::Ndjson => ("application/x-ndjson", ndjson(&page.rows)),
            Self::Csv => ("text/csv; charset=utf-8", Ok(csv(&page.rows))),
        };
        let Ok(body) = body else {
            debug_assert!(false, "rows are texts and numbers");
            return typed(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "");
        };
        let mut response = typed(StatusCode::OK, kind, body);
        let headers = response.headers_mut();
        for (name, value) in [
            (AS_OF, Some(&page.as_of)),
            (CLOSED_UNTIL, Some(&page.closed_until)),
            (NEXT, page.next_cursor.as_ref()),
        ] {
            let value = value.and_then(|value| HeaderValue::from_str(value).ok());
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
        response
    }
}

fn ndjson(rows: &[UsageRow]) -> serde_json::Result<String> {
    let mut text = String::new();
    for row in rows {
        text.push_str(&serde_json::to_string(row)?);
        text.push('\n');
    }
    Ok(text)
}

/// No text of a row has a comma, a quote or a line break: they are ids, names and times.
fn csv(rows: &[UsageRow]) -> String {
    let mut text = "id,tenant,meter,unit,from,to,value,late,closed\r\n".to_owned();
    for row in rows {
        let late = row.late.as_ref().map(ToString::to_string);
        let fields = [
            row.id.as_str(),
            &row.tenant,
            row.meter.name(),
            row.meter.unit(),
            &row.from,
            &row.to,
            &row.value.to_string(),
            late.as_deref().unwrap_or("0"),
            if row.closed { "true" } else { "false" },
        ];
        text.push_str(&fields.join(","));
        text.push_str("\r\n");
    }
    text
}
