//! `bot echo`: many at once, each sender in order, and nobody waits for a sender that has gone.

use std::time::{Duration, Instant};

use crate::harness::{TestHome, http_post};

/// An answer to who has gone is repeated, which takes up to 17 s.
const AT_ONCE: Duration = Duration::from_secs(2);

fn question(text: &str) -> String {
    format!(r#"{{"to":"bot_clawra","text":"{text}"}}"#)
}

#[test]
fn a_caller_that_has_gone_does_not_delay_the_next() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let key = home.run(&["keys", "issue", "local"]).with(0);
    let _bot = home.echo_bot("bot_clawra", &gateway.url, &[]);
    let path = "/v1/messages?waitMs=30000&clientId=script";
    for _ in 0..3 {
        // It has its answer, and is gone when the bot's comes.
        let taken = "/v1/messages?clientId=script";
        let answer = http_post(&gateway.public, taken, key.trim(), &question("gone"));
        assert!(answer.contains(r#""status":"delivered""#), "{answer}");
    }
    let begun = Instant::now();
    let answer = http_post(&gateway.public, path, key.trim(), &question("here"));
    assert!(answer.contains(r#""text":"here""#), "{answer}");
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
}

#[test]
fn lines_of_one_sender_are_answered_in_order() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let _bot = home.echo_bot("bot_clawra", &gateway.url, &[]);
    let lines: String = (0..40).map(|n| format!("line {n}\n")).collect();
    let chat = ["chat", "bot_clawra", "--url", &gateway.url];
    assert_eq!(home.run_typing(&chat, &lines).stdout, lines);
}

#[test]
fn it_says_when_it_is_connected_again() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let mut bot = home.echo_bot("bot_clawra", &gateway.url, &[]);
    let public = gateway.public.clone();
    gateway.process.terminate().with(0);
    bot.wait_for("retrying in");
    let _again = home.gateway_at(&public, &[]);
    bot.wait_for("reconnected");
}

/// The answer to the longest question has no room for what an answer says besides.
#[test]
fn an_answer_that_is_too_large_is_told_to_both() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let key = home.run(&["keys", "issue", "local"]).with(0);
    let mut bot = home.echo_bot("bot_clawra", &gateway.url, &[]);
    let longest = "x".repeat(262_144 - question("").len());
    let path = "/v1/messages?waitMs=30000";
    let answer = http_post(&gateway.public, path, key.trim(), &question(&longest));
    assert!(answer.contains(r#""reason":"too_large""#), "{answer}");
    bot.wait_for("not answered: too_large");
}

/// The gateway passes a body verbatim that the bot's JSON library refuses.
#[test]
fn what_the_bot_cannot_read_is_answered_with_an_error() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let key = home.run(&["keys", "issue", "local"]).with(0);
    let mut bot = home.echo_bot("bot_clawra", &gateway.url, &[]);
    let path = "/v1/messages?waitMs=30000";
    let answer = http_post(&gateway.public, path, key.trim(), &question(r"cut \ud83d"));
    assert!(answer.contains(r#""reason":"unreadable""#), "{answer}");
    bot.wait_for("not answered: unreadable");
}
