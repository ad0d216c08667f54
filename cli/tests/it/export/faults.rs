//! What goes wrong between the exporter and a receiver.

use super::billing::MockKind;
use super::receiver::ReceiverFault::{
    self, Busy, Garbage, GarbageOfProxy, LateAnswer, LostAnswer, LostRequest, None as Fine,
    Refusal, Status, Unavailable,
};
use super::stage::ExportStage;

/// Ends with 0 although some requests fail, and everything is billed once.
#[track_caller]
fn check_overcome(kind: MockKind, faults: &[ReceiverFault]) {
    let stage = ExportStage::with_hours(kind, 2);
    stage.receiver.fail(faults);
    let said = stage.export(&["--timeout", "500ms"]).with(0);
    stage.check(&format!("{kind:?} {faults:?}: {said}"));
    // All of it is acknowledged: nothing is sent again.
    let requests = stage.receiver.requests().len();
    stage.export(&[]).with(0);
    stage.export(&["--from", &stage.first.rfc3339()]).with(0);
    assert_eq!(
        stage.receiver.requests().len(),
        requests,
        "{kind:?} {faults:?}"
    );
}

#[test]
fn whatever_fails_for_a_while_is_tried_again() {
    for kind in MockKind::ALL {
        for fault in [
            LostRequest,
            LostAnswer,
            Garbage,
            GarbageOfProxy,
            Status(500),
            Status(503),
            Busy(0),
        ] {
            check_overcome(kind, &[Fine, fault, fault, Fine, fault]);
        }
    }
}

#[test]
fn a_late_answer_is_a_lost_one() {
    for kind in MockKind::ALL {
        check_overcome(kind, &[Fine, LateAnswer]);
    }
}

/// Each fault, until the exporter gives up: the state is kept, and a later export goes on.
#[test]
fn what_fails_for_long_ends_with_75() {
    for kind in MockKind::ALL {
        for fault in [LostRequest, LostAnswer, Garbage, Status(500), Busy(0)] {
            let stage = ExportStage::with_hours(kind, 2);
            stage.receiver.fail(&[&[Fine][..], &[fault; 3]].concat());
            let said = stage.export(&["--attempts", "3"]).with(75);
            assert!(said.contains("receiver_unavailable"), "{said}");
            assert_eq!(stage.receiver.requests().len(), 4);
            stage.export(&[]).with(0);
            stage.check(&format!("{kind:?} {fault:?}"));
        }
    }
}

#[test]
fn a_receiver_that_asks_for_a_long_wait_is_left_alone() {
    for (fault, status) in [
        (Busy(301), "429"),
        (Unavailable("301"), "503"),
        (Unavailable("Fri, 31 Dec 9999 23:59:59 GMT"), "503"),
    ] {
        let stage = ExportStage::with_hours(MockKind::Orb, 1);
        stage.receiver.fail(&[fault]);
        let said = stage.export(&[]).with(75);
        assert!(said.contains(status), "{said}");
        assert_eq!(stage.receiver.requests().len(), 1);
        stage.export(&[]).with(0);
        stage.check(status);
    }
}

#[test]
fn retry_after_is_waited_for() {
    let stage = ExportStage::with_hours(MockKind::Orb, 1);
    stage.receiver.fail(&[Busy(1)]);
    let started = std::time::Instant::now();
    let said = stage.export(&[]).with(0);
    assert!(started.elapsed().as_secs() >= 1, "{said}");
    assert!(said.contains("next attempt in 1.0 s"), "{said}");
}

#[test]
fn nobody_there_is_75() {
    let stage = ExportStage::with_hours(MockKind::Lago, 1);
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", nowhere.local_addr().unwrap());
    drop(nowhere);
    let mut args = stage.args(&["--attempts", "2"]);
    let place = args
        .iter()
        .position(|arg| *arg == stage.receiver.url)
        .unwrap();
    args[place] = url;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let variables = [("T2B_ADMIN_TOKEN", super::ledger::TOKEN)];
    stage.home.run_with(&args, &variables).with(75);
    // Nothing is in doubt: no window matters.
    stage.export(&["--window", "1ms"]).with(0);
    stage.check("nobody was there");
}

/// A refusal stops the export: nothing of the batch is acknowledged, and nothing after it is sent.
#[test]
fn what_is_refused_is_neither_acknowledged_nor_sent_again_at_once() {
    for kind in MockKind::ALL {
        for status in [400, 401, 403, 404, 413, 422, 302] {
            let stage = ExportStage::with_hours(kind, 1);
            stage.receiver.fail(&[Fine, Status(status)]);
            let said = stage.export(&[]).with(1);
            assert!(
                said.contains(&format!("receiver_refused: {status}")),
                "{said}"
            );
            assert_eq!(stage.receiver.requests().len(), 2);
            // It was certainly not taken, so no window matters.
            stage.export(&["--window", "1ms"]).with(0);
            stage.check(&format!("{kind:?} {status}"));
        }
    }
}

#[test]
fn an_answer_cannot_pass_for_lines_of_the_export() {
    let stage = ExportStage::with_hours(MockKind::Orb, 1);
    let text = "no\n0 rows exported; hours until 2026-12-01T00:00:00Z are closed\r\u{202e}x";
    stage.receiver.fail(&[Refusal(text)]);
    let said = stage.export(&[]).with(1);
    let expected = "receiver_refused: 400 Bad Request: no\\u000a0 rows exported; \
                    hours until 2026-12-01T00:00:00Z are closed\\u000d\\u202ex";
    assert!(said.contains(expected), "{said}");
}

/// The rest of a batch that was rolled back is sent again, whatever of it is there already.
#[test]
fn lago_keeps_what_it_has_and_gets_the_rest() {
    let stage = ExportStage::with_hours(MockKind::Lago, 1);
    stage.receiver.fail(&[LostAnswer]);
    stage.export(&["--attempts", "1", "--batch", "2"]).with(75);
    // Two of the six rows are there. A batch of four has them in it.
    stage.export(&["--batch", "4"]).with(0);
    stage.check("lago");
    let lengths: Vec<usize> = stage
        .receiver
        .requests()
        .iter()
        .map(|body| count(body))
        .collect();
    assert_eq!(lengths, [2, 4, 2, 2]);
}

fn count(body: &str) -> usize {
    body.matches("transaction_id").count()
}

#[test]
fn credentials_are_sent_and_never_shown() {
    let stage = ExportStage::with_hours(MockKind::Stripe, 1);
    let headers = stage.home.path().join("headers");
    std::fs::write(
        &headers,
        "# the key\nAuthorization: Bearer sk_secret_0123456\n",
    )
    .unwrap();
    let headers = headers.to_str().unwrap();
    stage.receiver.fail(&[Status(401)]);
    let mut said = stage.export(&["--header-file", headers]).with(1);
    std::fs::write(
        headers,
        "Authorization: Bearer sk_secret_0123456\nsk_secret_0123456\n",
    )
    .unwrap();
    said += &stage.export(&["--header-file", headers]).with(64);
    said += &stage.export(&["--header", "sk_secret_0123456"]).with(64);
    assert!(!said.contains("sk_secret"), "{said}");
    let sent = stage.receiver.authorization();
    assert_eq!(sent.as_deref(), Some("Bearer sk_secret_0123456"));
    let state = std::fs::read_to_string(stage.state()).unwrap();
    assert!(!state.contains("sk_secret"), "{state}");
}

#[test]
fn clear_text_goes_to_this_machine_only() {
    let stage = ExportStage::with_hours(MockKind::Orb, 1);
    let url = "http://receiver.invalid/v1/ingest";
    let args = [
        "usage", "export", "--as", "orb", "--state", "s", "--post", url,
    ];
    let said = stage.home.run(&args).with(64);
    assert!(said.contains("--insecure-http"), "{said}");
}
