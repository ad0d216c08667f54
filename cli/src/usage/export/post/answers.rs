//! What an answer means for the rows of the batch.
//!
//! | answer | means |
//! | --- | --- |
//! | 2xx in the receiver's own form | every row is acknowledged |
//! | 2xx in any other form | in doubt: a proxy or another program may have answered |
//! | Lago: 422 that has `value_already_exist` at some indexes and nothing else | these are acknowledged, the rest was rolled back |
//! | Stripe: 400 that says that the identifier exists | acknowledged |
//! | 429 | the receiver has none of the rows, later it takes them |
//! | 408, 425, 5xx, no answer | in doubt; the receiver may say when to try again |
//! | no connection | the receiver has none of the rows |
//! | any other | refused: the receiver has none of the rows, and never takes them like this |

use std::time::Duration;

use serde_json::Value;

use super::client::{PostOutcome, ReceiverAnswer};
use crate::export_args::ReceiverKind;

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum BatchVerdict {
    /// The receiver has every row.
    Acknowledged,
    /// The receiver had the rows at these indexes before. It has not taken the others.
    Rest(Vec<usize>),
    /// The receiver has none of the rows. It may take them later, after a time that it may have said.
    Later(String, Option<Duration>),
    /// The receiver may have the rows or not. It may have said after which time to try again.
    InDoubt(String, Option<Duration>),
    /// The receiver had the rows at these indexes before. It refuses the others.
    Refused(String, Vec<usize>),
}

impl BatchVerdict {
    /// Judges an answer. `ids`: the idempotency fields of the batch. `is_batch`: whether the body was a list.
    pub(in super::super) fn of(
        outcome: &PostOutcome,
        kind: ReceiverKind,
        (ids, is_batch): (&[String], bool),
        shown: impl Fn(&[u8]) -> String,
    ) -> Self {
        let answer = match outcome {
            PostOutcome::NotSent(error) => return Self::Later(error.clone(), None),
            PostOutcome::NoAnswer(error) => return Self::InDoubt(error.clone(), None),
            PostOutcome::Answer(answer) => answer,
        };
        let text = format!("{}: {}", answer.status, shown(&answer.body));
        let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
        match answer.status.as_u16() {
            200..300 if is_own(kind, (ids, is_batch), answer, body.as_ref()) => Self::Acknowledged,
            200..300 => Self::InDoubt(format!("unexpected answer, {text}"), None),
            429 => Self::Later(text, answer.retry_after),
            408 | 425 | 500..600 => Self::InDoubt(text, answer.retry_after),
            status => match (kind, status, &body) {
                (ReceiverKind::Lago, 422, Some(body)) => of_lago(body, ids.len(), text),
                (ReceiverKind::Stripe, 400 | 409, Some(body)) if !is_batch && is_known(body) => {
                    Self::Acknowledged
                }
                _ => Self::Refused(text, Vec::new()),
            },
        }
    }
}

/// Whether a 2xx is one that this receiver gives for these events.
fn is_own(
    kind: ReceiverKind,
    (ids, is_batch): (&[String], bool),
    answer: &ReceiverAnswer,
    body: Option<&Value>,
) -> bool {
    let is_empty = answer.body.trim_ascii().is_empty();
    let has_id = |event: &Value, name: &str, id: &String| event[name].as_str() == Some(id);
    match (kind, body) {
        (ReceiverKind::Stripe, Some(event)) if !is_batch => {
            ids.iter().all(|id| has_id(event, "identifier", id))
        }
        // A stream answers `{}`.
        (ReceiverKind::Stripe, body) => is_empty || body.is_some_and(Value::is_object),
        (ReceiverKind::Lago, Some(body)) => body["events"].as_array().is_some_and(|events| {
            let mut pairs = events.iter().zip(ids);
            events.len() == ids.len()
                && pairs.all(|(event, id)| has_id(event, "transaction_id", id))
        }),
        (ReceiverKind::Orb, Some(body)) => {
            let failed = body["validation_failed"].as_array();
            failed.is_some_and(Vec::is_empty)
        }
        (ReceiverKind::Metronome, body) => is_empty || body.is_some_and(Value::is_object),
        (ReceiverKind::Cloudevents, _) => is_empty,
        (ReceiverKind::Lago | ReceiverKind::Orb, None) => false,
        (ReceiverKind::Csv | ReceiverKind::Ndjson, _) => false,
    }
}

/// `{"error_details":{"<index>":{"<field>":["<code>"]}}}`: the batch was rolled back because of these events.
fn of_lago(body: &Value, count: usize, text: String) -> BatchVerdict {
    let mut known = Vec::new();
    let mut is_refused = false;
    for (index, fields) in body["error_details"].as_object().into_iter().flatten() {
        let index = index.parse().ok().filter(|index| *index < count);
        let is_known = *fields == serde_json::json!({"transaction_id": ["value_already_exist"]});
        match index {
            Some(index) if is_known => known.push(index),
            Some(_) | None => is_refused = true,
        }
    }
    known.sort_unstable();
    match known.is_empty() || is_refused {
        true => BatchVerdict::Refused(text, known),
        false => BatchVerdict::Rest(known),
    }
}

/// Stripe has no stable code for it: v2 has `duplicate_meter_event`, older versions only a sentence.
fn is_known(body: &Value) -> bool {
    let error = &body["error"];
    let message = error["message"].as_str().unwrap_or_default();
    error["code"] == "duplicate_meter_event" || message.contains("already exists with identifier")
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[track_caller]
    fn check(kind: ReceiverKind, is_batch: bool, answer: (u16, &'static str), expected: &str) {
        let ids: Vec<String> = ["a", "b"].map(str::to_owned).to_vec();
        let ids = if is_batch { &ids[..] } else { &ids[..1] };
        let (status, body) = answer;
        let outcome = PostOutcome::Answer(ReceiverAnswer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: Some(Duration::from_secs(7)),
            body: body.into(),
        });
        let verdict = BatchVerdict::of(&outcome, kind, (ids, is_batch), |_| String::new());
        let found = match verdict {
            BatchVerdict::Acknowledged => "acknowledged".to_owned(),
            BatchVerdict::Rest(known) => format!("rest {known:?}"),
            BatchVerdict::Later(_, wait) => format!("later {wait:?}"),
            BatchVerdict::InDoubt(_, None) => "in doubt".to_owned(),
            BatchVerdict::InDoubt(_, wait) => format!("in doubt {wait:?}"),
            BatchVerdict::Refused(_, known) => format!("refused {known:?}"),
        };
        assert_eq!(found, expected, "{kind:?} {answer:?}");
    }

    #[test]
    fn a_success_is_one_only_in_the_form_of_the_receiver() {
        use ReceiverKind::{Cloudevents, Lago, Metronome, Orb, Stripe};
        let lago = r#"{"events":[{"transaction_id":"a"},{"transaction_id":"b"}]}"#;
        for (kind, is_batch, status, body) in [
            (Stripe, false, 200, r#"{"identifier":"a"}"#),
            (Stripe, true, 200, "{}"),
            (Lago, true, 200, lago),
            (Orb, true, 200, r#"{"validation_failed":[]}"#),
            (Metronome, true, 200, ""),
            (Metronome, true, 200, "{}"),
            (Cloudevents, true, 204, ""),
        ] {
            check(kind, is_batch, (status, body), "acknowledged");
            check(kind, is_batch, (200, "<html>Log in</html>"), "in doubt");
            check(kind, is_batch, (302, body), "refused []");
            for status in [408, 500, 503] {
                check(kind, is_batch, (status, body), "in doubt Some(7s)");
            }
            check(kind, is_batch, (429, body), "later Some(7s)");
            check(kind, is_batch, (401, body), "refused []");
        }
        check(Stripe, false, (200, r#"{"identifier":"b"}"#), "in doubt");
        check(
            Orb,
            true,
            (200, r#"{"validation_failed":[{"idempotency_key":"a"}]}"#),
            "in doubt",
        );
        check(
            Lago,
            true,
            (200, r#"{"events":[{"transaction_id":"a"}]}"#),
            "in doubt",
        );
        let other = r#"{"events":[{"transaction_id":"b"},{"transaction_id":"a"}]}"#;
        check(Lago, true, (200, other), "in doubt");
    }

    #[test]
    fn lago_says_which_events_it_has() {
        let kind = ReceiverKind::Lago;
        let known = r#"{"1":{"transaction_id":["value_already_exist"]}"#;
        for (details, expected) in [
            (format!("{known}}}"), "rest [1]"),
            (
                format!(r#"{known},"0":{{"code":["missing"]}}}}"#),
                "refused [1]",
            ),
            (
                format!(r#"{known},"7":{{"transaction_id":["value_already_exist"]}}}}"#),
                "refused [1]",
            ),
            ("{}".to_owned(), "refused []"),
            (
                r#"{"0":{"transaction_id":["value_already_exist","invalid"]}}"#.to_owned(),
                "refused []",
            ),
        ] {
            let body = format!(r#"{{"status":422,"error_details":{details}}}"#);
            check(kind, true, (422, body.leak()), expected);
        }
        check(kind, true, (422, "no JSON"), "refused []");
    }

    #[test]
    fn stripe_says_that_it_has_an_event() {
        let sentence = r#"{"error":{"message":"An event already exists with identifier a."}}"#;
        let code = r#"{"error":{"code":"duplicate_meter_event"}}"#;
        for body in [sentence, code] {
            check(ReceiverKind::Stripe, false, (400, body), "acknowledged");
            check(ReceiverKind::Orb, true, (400, body), "refused []");
        }
        let other = r#"{"error":{"message":"No such customer"}}"#;
        check(ReceiverKind::Stripe, false, (400, other), "refused []");
    }
}
