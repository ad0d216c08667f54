//! `bot exec`: a program as a bot. Its words are its standard output, its silence an error.

use std::fs;

use fixtures::{DEADLINE, blocking_until};

use crate::harness::{PipedProcess, RunningGateway, TestHome, http_post};

const WAIT: &str = "/v1/messages?waitMs=30000&clientId=script";

struct ExecScene {
    home: TestHome,
    gateway: RunningGateway,
    key: String,
}

impl ExecScene {
    fn new() -> Self {
        let home = TestHome::new();
        let gateway = home.gateway(&[]);
        let key = home.run(&["keys", "issue", "local"]).with(0);
        Self {
            home,
            gateway,
            key: key.trim().to_owned(),
        }
    }

    /// A bot that is `sh -c script`.
    fn bot(&self, options: &[&str], script: &str) -> PipedProcess {
        let exec = ["bot", "exec", "--id", "bot_sh", "--url", &self.gateway.url];
        let args = [&exec[..], options, &["--", "sh", "-c", script]].concat();
        let mut bot = self.home.start(&args, &[("T2B_KEY", &self.key)]);
        bot.wait_for("is online");
        bot
    }

    fn ask(&self, text: &str) -> String {
        ask(&self.gateway.public, &self.key, text)
    }
}

/// The answer to one question, as the HTTP API has it.
fn ask(address: &str, key: &str, text: &str) -> String {
    let body = format!(r#"{{"to":"bot_sh","text":"{text}"}}"#);
    http_post(address, WAIT, key, &body)
}

#[test]
fn text_goes_in_and_the_answer_comes_out() {
    let scene = ExecScene::new();
    let _bot = scene.bot(&[], "tr a-z A-Z");
    let answer = scene.ask(r"hello\nyou");
    assert!(answer.contains(r#""text":"HELLO\nYOU""#), "{answer}");
}

/// A shell would run what stands in the text; the text is never a part of a command line.
#[test]
fn the_program_learns_who_asks_but_not_the_key() {
    let scene = ExecScene::new();
    let script = "cat; echo \" $T2B_FROM $T2B_BOT ${#T2B_MESSAGE_ID} $T2B_CONNECTION_ID ${T2B_KEY:-no key}\"";
    let _bot = scene.bot(&[], script);
    let answer = scene.ask("$(id) `id` ; id");
    let expected = r#""text":"$(id) `id` ; id script bot_sh 26 conn_"#;
    assert!(answer.contains(expected), "{answer}");
    assert!(answer.contains(" no key\""), "{answer}");
}

/// The variables of a message are no mistakes in a configuration.
#[test]
fn the_program_may_be_t2b_itself() {
    let scene = ExecScene::new();
    let t2b = env!("CARGO_BIN_EXE_t2b");
    let _bot = scene.bot(&[], &format!("{t2b} keys issue alice"));
    let answer = scene.ask("a key, please");
    assert!(answer.contains(r#""text":"t2b_alice_"#), "{answer}");
}

#[test]
fn a_program_that_fails_is_answered_with_an_error() {
    let scene = ExecScene::new();
    let mut bot = scene.bot(&[], "echo half; echo why >&2; exit 3");
    let answer = scene.ask("x");
    assert!(answer.contains(r#""reason":"command_failed""#), "{answer}");
    assert!(answer.contains("exit code 3"), "{answer}");
    assert!(
        !answer.contains("half") && !answer.contains("why"),
        "{answer}"
    );
    bot.wait_for("why");

    let chat = ["chat", "bot_sh", "--text", "x", "--url", &scene.gateway.url];
    let ended = scene.home.run(&chat);
    assert_eq!(ended.stdout, "", "the error is told once");
    let said = ended.with(1);
    assert_eq!(said.matches("command_failed").count(), 1, "{said}");
    assert!(said.starts_with("error: command_failed: "), "{said}");
    let lines = ["chat", "bot_sh", "--url", &scene.gateway.url];
    let ended = scene.home.run_typing(&lines, "x\ny\n");
    assert_eq!(ended.stdout, "");
    let said = ended.with(1);
    assert_eq!(said.matches("error: command_failed: ").count(), 2, "{said}");
    let frames = [&chat[..], &["--json"]].concat();
    let ended = scene.home.run(&frames);
    assert!(
        ended.stdout.contains(r#""reason":"command_failed""#),
        "{}",
        ended.stdout
    );
    assert!(ended.with(1).contains("error: command_failed: "));
    drop(bot);
    let exec = ["bot", "exec", "--id", "b", "--url", &scene.gateway.url];
    let said = scene
        .home
        .run(&[&exec[..], &["--", "./no-such-program"]].concat());
    assert!(said.with(64).contains("./no-such-program"));
}

#[test]
fn a_program_that_takes_too_long_is_ended_with_its_children() {
    let scene = ExecScene::new();
    let file = scene.home.path().join("children");
    let script = format!("sleep 600 & echo $! > {0}; wait", file.display());
    let _bot = scene.bot(&["--timeout", "1s"], &script);
    let answer = scene.ask("x");
    assert!(answer.contains(r#""reason":"timeout""#), "{answer}");
    let child = fs::read_to_string(&file).unwrap();
    gone(child.trim());
}

/// Waits until a process is no more, or only waits to be reaped.
fn gone(pid: &str) {
    blocking_until(DEADLINE, &format!("{pid} ends"), || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    });
}

#[test]
fn a_bot_that_ends_takes_its_programs_along() {
    let scene = ExecScene::new();
    let file = scene.home.path().join("child");
    let script = format!(
        "echo $$ > {0}; echo started >&2; exec sleep 600",
        file.display()
    );
    let mut bot = scene.bot(&[], &script);
    let body = r#"{"to":"bot_sh","text":"x"}"#;
    http_post(&scene.gateway.public, "/v1/messages", &scene.key, body);
    bot.wait_for("started");
    bot.terminate().with(0);
    gone(fs::read_to_string(&file).unwrap().trim());
}

#[test]
fn more_output_than_allowed_is_an_error() {
    let scene = ExecScene::new();
    let script = "read n; head -c \"$n\" /dev/zero | tr '\\0' x; cat > /dev/null";
    let _bot = scene.bot(&["--output", "1KiB"], script);
    let answer = scene.ask(r"1024\n");
    assert!(answer.contains(&"x".repeat(1024)), "{answer}");
    let answer = scene.ask(r"1025\n");
    assert!(answer.contains(r#""reason":"too_large""#), "{answer}");
    let endless = scene.ask(r"999999999999\n");
    assert!(endless.contains(r#""reason":"too_large""#), "{endless}");
}

#[test]
fn partials_follow_the_output() {
    let scene = ExecScene::new();
    let gate = scene.home.path().join("gate");
    let script = format!(
        "echo one; until test -e {0}; do sleep 0.02; done; echo two",
        gate.display()
    );
    let _bot = scene.bot(&["--stream"], &script);
    let chat = [
        "chat",
        "bot_sh",
        "--text",
        "x",
        "--json",
        "--url",
        &scene.gateway.url,
    ];
    let mut chat = scene.home.start(&chat, &[]);
    let partial = chat.wait_for("message_partial");
    assert!(partial.contains(r#""text":"one\n""#), "{partial}");
    fs::write(&gate, "").unwrap();
    let whole = chat.wait_for(r#""type":"message","#);
    assert!(whole.contains(r#""text":"one\ntwo""#), "{whole}");
    chat.wait().with(0);
}

#[test]
fn programs_of_two_senders_run_side_by_side() {
    let scene = ExecScene::new();
    let dir = scene.home.path().join("running");
    fs::create_dir(&dir).unwrap();
    // Each says how many run, itself included, and stays until it has seen two.
    let script = format!(
        "touch {0}/$$; n=0; until test $n -ge 2; do n=$(ls {0} | wc -l); done; echo $n; cat >/dev/null",
        dir.display()
    );
    let _bot = scene.bot(&["--jobs", "2"], &script);
    let (address, key) = (&scene.gateway.public, &scene.key);
    let answers: Vec<String> = std::thread::scope(|scope| {
        let asked = [0, 1].map(|_| scope.spawn(|| ask(address, key, "x")));
        asked.map(|answer| answer.join().unwrap()).into()
    });
    for answer in answers {
        assert!(answer.contains(r#""text":"2""#), "{answer}");
    }
}
