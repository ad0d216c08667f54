//! The README, typed into a shell in its order: each `console` block has commands behind `$ ` and
//! what they print.
//!
//! The shell has a network namespace of its own, so that the README's ports are free, and an empty
//! HOME. In the expected output `…` stands for any text within a line. A command that serves goes
//! to the background, and its output is awaited. `make run` and `cargo install` build the program
//! anew, so the one just built stands in for them, unless TEST_README is `typed`.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use fixtures::skip;
use tempfile::TempDir;

/// Nothing in the README takes so long unless it hangs; a cold build in `typed` does.
const DEADLINE: Duration = Duration::from_secs(30);
const DEADLINE_TYPED: Duration = Duration::from_secs(900);
/// Commands that serve until they are ended.
const SERVERS: &[&str] = &["t2b gateway run", "t2b bot echo", "t2b bot exec"];
/// Ends the output of a command, with its exit code behind it.
const END: &str = "=== typed:";

/// A command and the lines that it prints.
#[derive(Debug, PartialEq, Eq)]
struct ReadmeStep {
    command: String,
    prints: Vec<String>,
}

/// The steps of all `console` blocks, in their order.
fn steps_of(text: &str) -> Vec<ReadmeStep> {
    let mut steps: Vec<ReadmeStep> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (inside, line.trim_start()) {
            (false, "```console") => inside = true,
            (true, "```") => inside = false,
            (true, line) => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(ReadmeStep {
                    command: command.to_owned(),
                    prints: Vec::new(),
                }),
                (None, Some(step)) => step.prints.push(line.to_owned()),
                (None, None) => panic!("output before the first command: {line}"),
            },
            (false, _) => {}
        }
    }
    steps
}

/// Whether a line is as expected; `…` in the expected one stands for anything.
fn is_as(expected: &str, line: &str) -> bool {
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        last = Some(part);
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    // A line that ends with a word must end with it; one that ends with `…` may go on.
    rest.is_empty() || last.is_some_and(|part| part.is_empty() || line.ends_with(part))
}

/// A shell that is typed into.
struct TypedShell {
    process: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    home: TempDir,
    jobs: usize,
    deadline: Duration,
}

impl TypedShell {
    /// Opens it in the repository. `None`: this machine gives nobody a network namespace.
    fn open(is_typed: bool) -> Option<Self> {
        let home = tempfile::tempdir().unwrap();
        let programs = home.path().join("programs");
        std::fs::create_dir(&programs).unwrap();
        let mut path = std::env::var("PATH").unwrap();
        if !is_typed {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_t2b"), programs.join("t2b")).unwrap();
            path = format!("{}:{path}", programs.display());
        }
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut process = Command::new("unshare")
            .args([
                "--map-root-user",
                "--net",
                "--pid",
                "--fork",
                "--kill-child",
            ])
            .args(["bash", "-c", "ip link set lo up && exec bash 2>&1"])
            .env_remove("T2B_KEY")
            .env("HOME", home.path())
            .env("PATH", path)
            .env("NO_COLOR", "1")
            // What a build needs is there already; cargo would wait for the network that is not.
            .env("CARGO_NET_OFFLINE", "true")
            // The README does not show what cargo says of a build.
            .env("CARGO_TERM_QUIET", "true")
            .current_dir(repository)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let lines = output.lines().map_while(Result::ok);
            lines.for_each(|line| drop(sender.send(line)));
        });
        let mut shell = Self {
            input: process.stdin.take().unwrap(),
            process,
            lines,
            home,
            jobs: 0,
            deadline: if is_typed { DEADLINE_TYPED } else { DEADLINE },
        };
        shell.type_line(&format!("echo '{END}' 0")).ok()?;
        let begun = shell.lines.recv_timeout(DEADLINE).ok()?;
        begun.starts_with(END).then_some(shell)
    }

    fn type_line(&mut self, line: &str) -> std::io::Result<()> {
        writeln!(self.input, "{line}")
    }

    /// Types a command; what it prints, once it ended.
    fn run(&mut self, command: &str) -> Vec<String> {
        self.type_line(&format!("{command}\necho '{END}' $?"))
            .unwrap();
        let mut printed = Vec::new();
        loop {
            let line = self.lines.recv_timeout(self.deadline);
            let line = line.unwrap_or_else(|_| panic!("{command}: no end after {printed:?}"));
            // A program may not end its last line.
            let Some((last, _)) = line.split_once(END) else {
                printed.push(line);
                continue;
            };
            if !last.is_empty() {
                printed.push(last.to_owned());
            }
            return printed;
        }
    }

    /// Types a command that serves; what it prints, once it has printed as many lines.
    fn serve(&mut self, command: &str, lines: usize) -> Vec<String> {
        self.jobs += 1;
        let file = self.home.path().join(format!("job-{}", self.jobs));
        let errors = file.with_extension("log");
        let (out, errors) = (file.display(), errors.display());
        self.type_line(&format!("{command} >{out} 2>{errors} &"))
            .unwrap();
        let began = Instant::now();
        loop {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            let printed: Vec<String> = text.lines().map(str::to_owned).collect();
            if printed.len() >= lines {
                return printed;
            }
            assert!(
                began.elapsed() < self.deadline,
                "{command}: only {printed:?}"
            );
            std::thread::yield_now();
        }
    }
}

impl Drop for TypedShell {
    fn drop(&mut self) {
        // With the first process of the namespace everything in it ends.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn every_line_of_the_readme_does_what_it_says() {
    let is_typed = std::env::var("TEST_README").is_ok_and(|how| how == "typed");
    let Some(mut shell) = TypedShell::open(is_typed) else {
        return skip("no network namespace: unshare and ip have to work");
    };
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let steps = steps_of(&std::fs::read_to_string(path).unwrap());
    assert!(steps.len() > 5, "the README has no console blocks");
    let mut wrong = String::new();
    for step in steps {
        let command = match step.command.as_str() {
            "make test" => continue,
            "make run" if !is_typed => "t2b demo",
            command if command.starts_with("cargo install") && !is_typed => continue,
            command => command,
        };
        let serves = SERVERS.iter().any(|server| command.starts_with(server));
        let printed = match serves {
            true => shell.serve(command, step.prints.len()),
            false => shell.run(command),
        };
        let printed: Vec<&str> = printed.iter().map(|line| line.trim()).collect();
        let printed: Vec<&str> = printed
            .into_iter()
            .filter(|line| !line.is_empty())
            .collect();
        let expected: Vec<&str> = step.prints.iter().map(|line| line.trim()).collect();
        let expected: Vec<&str> = expected
            .into_iter()
            .filter(|line| !line.is_empty())
            .collect();
        let same = expected.len() == printed.len()
            && expected
                .iter()
                .zip(&printed)
                .all(|(expected, line)| is_as(expected, line));
        if !same {
            let (expected, printed) = (expected.join("\n"), printed.join("\n"));
            writeln!(
                wrong,
                "$ {command}\nREADME:\n{expected}\nprinted:\n{printed}\n"
            )
            .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn an_ellipsis_stands_for_any_text() {
    assert!(is_as("key t2b_alice_…", "key t2b_alice_12"));
    assert!(is_as("a … c", "a b c") && is_as("same", "same"));
    assert!(!is_as("a … c", "a b") && !is_as("same", "same more") && !is_as("a…z", "a b"));
}

#[test]
fn only_console_blocks_are_typed() {
    let text = "```sh\n$ no\n```\n```console\n$ yes\nout\n$ more\n```\nafter\n";
    let step = |command: &str, prints: &[&str]| ReadmeStep {
        command: command.to_owned(),
        prints: prints.iter().map(|line| (*line).to_owned()).collect(),
    };
    assert_eq!(steps_of(text), [step("yes", &["out"]), step("more", &[])]);
}
