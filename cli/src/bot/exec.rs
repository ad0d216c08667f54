//! `bot exec`: a program as a bot. It is started for every message, with the text on its standard
//! input; what it writes to standard output is the answer.
//!
//! | what happens | the answer |
//! | --- | --- |
//! | it ends with exit code 0 | its output, without the last newline |
//! | another exit code, a signal | the error `command_failed` |
//! | it runs longer than `--timeout` | it is killed; the error `timeout` |
//! | it writes more than `--output` | it is killed; the error `too_large` |
//!
//! Not a shell: nothing of a message becomes part of a command line.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use client::{Client, members_of};
use protocol::t2b::frames::Delivered;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout};

use super::{AnswerFailure, BotAnswer, described, id_of, partial};
use crate::args::ExecArgs;
use crate::failure::CommandFailure;

/// Between two partials: more often nobody reads them.
const PARTIALS: Duration = Duration::from_millis(100);
/// Credentials of whoever started the bot. They are not the program's.
const WITHHELD: [&str; 3] = ["T2B_KEY", "T2B_SECRETS", "T2B_ADMIN_TOKEN"];

/// Where the system looks for a program if there is no PATH.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Answers by the program until SIGTERM or Ctrl-C.
pub async fn run(args: ExecArgs) -> Result<(), CommandFailure> {
    let program = &args.command[0];
    if !is_program(program) {
        let text = format!("{}: no such program", program.display());
        return Err(CommandFailure::usage("command", text));
    }
    let id = args.id.to_string();
    let bot = described(&args.id, &id, "exec", "Answers by a program");
    let answer = BotProgram {
        bot: id,
        command: args.command,
        running: Semaphore::new(args.jobs.into()),
        timeout: args.timeout,
        output_max: usize::try_from(args.output).unwrap_or(usize::MAX),
        stream: args.stream,
    };
    super::run(&args.target, bot, answer).await
}

/// Whether a program of that name can be started: so a mistake shows before the first message.
fn is_program(name: &OsStr) -> bool {
    let executable = |path: &Path| {
        path.metadata()
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let path = Path::new(name);
    if path.components().count() > 1 {
        return executable(path);
    }
    let folders = env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    env::split_paths(&folders).any(|folder| executable(&folder.join(path)))
}

/// The program, and how much of it may run.
struct BotProgram {
    bot: String,
    command: Vec<OsString>,
    running: Semaphore,
    timeout: Duration,
    output_max: usize,
    stream: bool,
}

impl BotAnswer for BotProgram {
    async fn answer(&self, client: &Client, message: &Delivered) -> Result<String, AnswerFailure> {
        let _place = self.running.acquire().await;
        let (mut child, group) = self.start(message)?;
        let limit = self.timeout;
        let ended = timeout(limit, self.talk(client, message, &mut child)).await;
        let (output, status) = ended.unwrap_or_else(|_| {
            let text = format!("the program did not end within {} s", limit.as_secs_f32());
            Err(trouble("timeout", text))
        })?;
        group.has_ended();
        match status.success() {
            true => Ok(text_of(&output)),
            false => Err(trouble("command_failed", said(status))),
        }
    }
}

impl BotProgram {
    fn start(&self, message: &Delivered) -> Result<(Child, ProcessGroup), AnswerFailure> {
        let mut command = Command::new(&self.command[0]);
        let reply_to = members_of(message).reply_to;
        command
            .args(&self.command[1..])
            .env("T2B_BOT", &self.bot)
            .env("T2B_FROM", message.from.as_str())
            .env("T2B_CONNECTION_ID", message.connection_id.as_str())
            .env("T2B_MESSAGE_ID", id_of(message).unwrap_or_default())
            .env("T2B_REPLY_TO", reply_to.unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        for name in WITHHELD {
            command.env_remove(name);
        }
        let child = command.spawn().map_err(|error| {
            let text = format!("the program cannot be started: {error}");
            trouble("command_failed", text)
        })?;
        let group = ProcessGroup::of(&child);
        Ok((child, group))
    }

    /// Writes the text, reads the output, waits for the end.
    async fn talk(
        &self,
        client: &Client,
        message: &Delivered,
        child: &mut Child,
    ) -> Result<(Vec<u8>, ExitStatus), AnswerFailure> {
        let text = members_of(message).text.unwrap_or_default();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let writing = async {
            if let Some(mut stdin) = stdin {
                // A program need not read what it is told.
                let _ = stdin.write_all(text.as_bytes()).await;
            }
            Ok::<(), AnswerFailure>(())
        };
        let reading = async {
            match stdout {
                Some(stdout) => self.read(client, message, stdout).await,
                None => Ok(Vec::new()),
            }
        };
        let (output, ()) = tokio::try_join!(reading, writing)?;
        let status = child.wait().await;
        let status = status.map_err(|error| trouble("command_failed", error.to_string()))?;
        Ok((output, status))
    }

    /// The output to its end; with `--stream` what there is of it becomes partials.
    async fn read(
        &self,
        client: &Client,
        message: &Delivered,
        mut stdout: ChildStdout,
    ) -> Result<Vec<u8>, AnswerFailure> {
        let mut output = Vec::new();
        let mut seq = 0;
        let mut next = Instant::now();
        let mut news = false;
        loop {
            tokio::select! {
                read = stdout.read_buf(&mut output) => match read {
                    Ok(0) | Err(_) => return Ok(output),
                    Ok(_) => news = self.stream,
                },
                () = sleep_until(next), if news => {
                    seq += 1;
                    partial(client, message, seq, whole_characters(&output)).await;
                    next = Instant::now() + PARTIALS;
                    news = false;
                }
            }
            if output.len() > self.output_max {
                let text = format!("the program wrote more than {} bytes", self.output_max);
                return Err(trouble("too_large", text));
            }
        }
    }
}

fn trouble(reason: &'static str, text: String) -> AnswerFailure {
    AnswerFailure { reason, text }
}

/// The output as text, without the newline that ends its last line.
fn text_of(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let line = text.strip_suffix('\n').unwrap_or(&text);
    line.strip_suffix('\r').unwrap_or(line).to_owned()
}

/// The output up to where a character may still be coming, or is none.
fn whole_characters(output: &[u8]) -> &str {
    let valid = match std::str::from_utf8(output) {
        Ok(text) => return text,
        Err(error) => error.valid_up_to(),
    };
    std::str::from_utf8(&output[..valid]).unwrap_or_default()
}

fn said(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("the program ended with exit code {code}"),
        (None, Some(signal)) => format!("the program was ended by signal {signal}"),
        (None, None) => "the program failed".to_owned(),
    }
}

/// A program and its children. Dropped before it has ended, all of them are killed.
struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    /// The group of a child that was started as the leader of one.
    fn of(child: &Child) -> Self {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        Self(pid.and_then(Pid::from_raw))
    }

    fn has_ended(mut self) {
        self.0 = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // It may have ended by itself meanwhile.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_ends_an_answer() {
        assert_eq!(text_of(b"a\n\n"), "a\n");
        assert_eq!(text_of(b"a\r\n"), "a");
        assert_eq!(text_of(b"a\xff"), "a\u{fffd}");
    }

    #[test]
    fn half_a_character_waits() {
        assert_eq!(whole_characters("aä".as_bytes()), "aä");
        assert_eq!(whole_characters(&"aä".as_bytes()[..2]), "a");
    }
}
