//! `chat` says what it waits for, what it cannot send, and what it cannot read.

use std::time::{Duration, Instant};

use crate::harness::{TestHome, http_post};

/// Far below the 30 s for which a known bot is waited for.
const AT_ONCE: Duration = Duration::from_secs(10);

#[test]
fn a_name_that_nobody_has_is_reported_at_once() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let chat = ["chat", "bot_typo", "--text", "x", "--url", &gateway.url];
    let begun = Instant::now();
    let said = home.run(&chat).with(77);
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    assert!(
        said.contains("error: bot_not_found: you have no bot bot_typo"),
        "{said}"
    );
    assert!(said.contains("next: t2b bots"), "{said}");
}

#[test]
fn it_says_what_it_waits_for() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let url = ["--url", gateway.url.as_str()];
    // With --wait the bot may register for the first time while chat waits.
    let chat = ["chat", "bot_late", "--text", "hi", "--wait", "25s"];
    let mut waiting = home.start(&[&chat[..], &url].concat(), &[]);
    waiting.wait_for("waiting for bot_late to come online, at most 25 s");
    let bot = home.echo_bot("bot_late", &gateway.url, &[]);
    assert!(waiting.wait().with(0).contains("hi"));

    bot.terminate().with(0);
    let chat = ["chat", "bot_late", "--text", "hi", "--wait", "1s"];
    let said = home.run(&[&chat[..], &url].concat()).with(69);
    assert!(said.contains("waiting for bot_late"), "{said}");
    assert!(said.contains("error: bot_offline: bot_late"), "{said}");
}

/// A gateway that has just started cannot know yet which names nobody has.
#[test]
fn during_the_start_grace_a_name_is_waited_for() {
    let home = TestHome::new();
    let grace = ["--listen", "127.0.0.1:0", "--start-grace", "60s"];
    let gateway = home.gateway_with(&grace, &[]);
    let chat = ["chat", "bot_typo", "--text", "x", "--url", &gateway.url];
    let mut waiting = home.start(&chat, &[]);
    waiting.wait_for("waiting for bot_typo to come online, at most 30 s");
    waiting.terminate();
}

#[test]
fn a_text_over_the_limit_is_refused_before_it_is_sent() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let url = ["--url", gateway.url.as_str()];
    let _bot = home.echo_bot("bot_clawra", &gateway.url, &[]);
    let chat = ["chat", "bot_clawra"];
    let long = "x".repeat(262_144);
    let lines = format!("before\n{long}\nbehind\n");
    let said = home.run_typing(&[&chat[..], &url].concat(), &lines);
    assert_eq!(said.stdout, "before\nbehind\n");
    let told = said.with(1);
    assert!(
        told.contains("error: too_large: the frame has 262"),
        "{told}"
    );
}

#[test]
fn it_says_why_the_connection_is_lost_and_when_it_is_back() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let url = ["--url", gateway.url.as_str()];
    let chat = ["chat", "bot_late", "--text", "hi", "--wait", "30s"];
    let mut waiting = home.start(&[&chat[..], &url].concat(), &[]);
    waiting.wait_for("waiting for bot_late");
    let public = gateway.public.clone();
    gateway.process.terminate().with(0);
    waiting.wait_for("retrying in");
    let _again = home.gateway_at(&public, &[]);
    waiting.wait_for("reconnected");
}

#[test]
fn the_loss_is_told_while_a_line_is_under_way() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let url = ["--url", gateway.url.as_str()];
    let _bot = home.echo_bot("bot_clawra", &gateway.url, &[]);
    let mut phone = home.start_typing(&[&["chat", "bot_clawra"][..], &url].concat());
    phone.type_line("answered");
    phone.wait_for("answered");
    // Its socket still takes the next line, and no answer comes.
    gateway.process.signal("-STOP");
    phone.type_line("not answered");
    gateway.process.signal("-KILL");
    phone.wait_for("retrying in");
    let _again = home.gateway_at(&gateway.public, &[]);
    phone.wait_for("reconnected");
}

#[test]
fn a_line_that_is_no_text_is_told_and_the_others_are_sent() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let url = ["--url", gateway.url.as_str()];
    let _bot = home.echo_bot("bot_clawra", &gateway.url, &[]);
    let mut phone = home.start_typing(&[&["chat", "bot_clawra"][..], &url].concat());
    phone.type_bytes(b"\xff\xfe\nafter it\r\n");
    assert_eq!(phone.wait_for("after it"), "after it");
    phone.end_input();
    let said = phone.wait().with(1);
    assert!(said.contains("error: stdin: a line is not UTF-8"), "{said}");
}

/// A bot that is a script may answer with what no JSON library reads.
#[test]
fn an_answer_that_cannot_be_read_is_shown_as_it_came() {
    let home = TestHome::new();
    let gateway = home.gateway(&[]);
    let key = home.run(&["keys", "issue", "local"]).with(0);
    let url = ["--url", gateway.url.as_str()];
    let _bot = home.echo_bot("bot_clawra", &gateway.url, &[]);
    let listening = ["chat", "bot_clawra", "--client-id", "phone", "--json"];
    let mut phone = home.start_typing(&[&listening[..], &url].concat());
    phone.type_line("hello");
    phone.wait_for("hello");
    let body = r#"{"to":"phone","text":"cut \ud83d"}"#;
    http_post(&gateway.public, "/v1/messages", key.trim(), body);
    assert!(phone.wait_for(r"cut \ud83d").starts_with('{'));
    phone.end_input();
    let said = phone.wait().with(1);
    assert!(said.contains("error: unreadable: "), "{said}");
}
