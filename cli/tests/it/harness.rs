//! Real `t2b` processes with a state directory of their own, and everything that they print.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use fixtures::{DEADLINE, ListenAddresses, send_signal, t2b};
use tempfile::TempDir;

/// Makes a gateway listen on free ports.
pub const LOOPBACK: [&str; 4] = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];

/// A home without any setting but its own.
pub struct TestHome(TempDir);

/// How a process ended, and what it printed.
pub struct EndedProcess {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl TestHome {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &std::path::Path {
        self.0.path()
    }

    /// A file of the state directory, as it is.
    pub fn state(&self, name: &str) -> String {
        let path = self.0.path().join("state").join(name);
        std::fs::read_to_string(path).unwrap().trim().to_owned()
    }

    /// The program with this home, not started yet.
    pub fn command(&self, args: &[&str], variables: &[(&str, &str)]) -> Command {
        let program = env!("CARGO_BIN_EXE_t2b").as_ref();
        let mut command = t2b(program, &self.0.path().join("state"), args);
        command
            .env("HOME", self.0.path())
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs to the end.
    pub fn run(&self, args: &[&str]) -> EndedProcess {
        self.run_with(args, &[])
    }

    pub fn run_with(&self, args: &[&str], variables: &[(&str, &str)]) -> EndedProcess {
        PipedProcess::start(self.command(args, variables)).wait()
    }

    /// Runs to the end of `input`, which is all that is typed.
    pub fn run_typing(&self, args: &[&str], input: &str) -> EndedProcess {
        let mut process = self.start_typing(args);
        input.lines().for_each(|line| process.type_line(line));
        process.end_input();
        process.wait()
    }

    /// Starts and goes on, with a standard input to type into.
    pub fn start_typing(&self, args: &[&str]) -> PipedProcess {
        let mut command = self.command(args, &[]);
        command.stdin(Stdio::piped());
        PipedProcess::start(command)
    }

    /// Starts and goes on.
    pub fn start(&self, args: &[&str], variables: &[(&str, &str)]) -> PipedProcess {
        PipedProcess::start(self.command(args, variables))
    }

    /// The same behind a program that starts it.
    pub fn start_in(
        &self,
        wrapper: &[&str],
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> PipedProcess {
        let own = self.command(args, variables);
        let Some((program, rest)) = wrapper.split_first() else {
            return PipedProcess::start(own);
        };
        let mut command = Command::new(program);
        command
            .args(rest)
            .arg(own.get_program())
            .args(own.get_args())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let variables = own.get_envs();
        command.envs(variables.filter_map(|(name, value)| Some((name, value?))));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        PipedProcess::start(command)
    }

    /// A bot that echoes, once it is online. `variables`: its credential, unless it makes a key itself.
    pub fn echo_bot(&self, bot: &str, url: &str, variables: &[(&str, &str)]) -> PipedProcess {
        let mut process = self.start(&["bot", "echo", "--id", bot, "--url", url], variables);
        process.wait_for("is online");
        process
    }

    /// A gateway on free ports, once it listens.
    pub fn gateway(&self, variables: &[(&str, &str)]) -> RunningGateway {
        self.gateway_at("127.0.0.1:0", variables)
    }

    /// A gateway on that address, once it listens: one that comes back.
    pub fn gateway_at(&self, listen: &str, variables: &[(&str, &str)]) -> RunningGateway {
        self.gateway_with(&["--listen", listen, "--start-grace", "0"], variables)
    }

    pub fn gateway_with(&self, args: &[&str], variables: &[(&str, &str)]) -> RunningGateway {
        let run = ["gateway", "run", "--admin-listen", "127.0.0.1:0"];
        let args = [&run[..], args].concat();
        let mut process = self.start(&args, variables);
        let line = process.wait_for("listening");
        RunningGateway::of(&line, process)
    }

    /// The same without a reader of its stderr, which is given back.
    pub fn gateway_unread(&self, more: &[&str]) -> (RunningGateway, ChildStderr) {
        let args = [&["gateway", "run"][..], more, &LOOPBACK].concat();
        let mut child = self.command(&args, &[]).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, lines) = channel();
        collect(child.stdout.take().unwrap(), true, sender);
        let mut process = PipedProcess {
            child,
            lines,
            stdout: String::new(),
            stderr: String::new(),
        };
        let line = process.wait_for("listening");
        (RunningGateway::of(&line, process), stderr)
    }
}

impl RunningGateway {
    /// From the line that says where it listens.
    pub fn of(line: &str, process: PipedProcess) -> Self {
        let (_, url) = line.split_once("ws://").unwrap();
        let url = url.split(['"', ',', ' ']).next().unwrap();
        let ListenAddresses { public, admin } = ListenAddresses::parse(line).unwrap();
        Self {
            url: format!("ws://{url}"),
            public,
            admin,
            process,
        }
    }
}

pub struct RunningGateway {
    pub url: String,
    pub public: String,
    pub admin: String,
    pub process: PipedProcess,
}

/// A process that is ended with its test.
pub struct PipedProcess {
    child: Child,
    lines: Receiver<(bool, String)>,
    stdout: String,
    stderr: String,
}

impl PipedProcess {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        collect(child.stdout.take().unwrap(), true, sender.clone());
        collect(child.stderr.take().unwrap(), false, sender);
        Self {
            child,
            lines,
            stdout: String::new(),
            stderr: String::new(),
        }
    }

    fn keep(&mut self, (is_stdout, line): (bool, String)) {
        let kept = if is_stdout {
            &mut self.stdout
        } else {
            &mut self.stderr
        };
        kept.push_str(&line);
        kept.push('\n');
    }

    pub fn type_line(&mut self, line: &str) {
        self.type_bytes(format!("{line}\n").as_bytes());
    }

    pub fn type_bytes(&mut self, bytes: &[u8]) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(bytes).unwrap();
    }

    pub fn end_input(&mut self) {
        drop(self.child.stdin.take());
    }

    /// The first line from now on that holds `text`.
    pub fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok((is_stdout, line)) = self.lines.recv_timeout(left) else {
                panic!("no {text:?} in:\n{}{}", self.stdout, self.stderr);
            };
            self.keep((is_stdout, line.clone()));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits until each of these was printed, in any order, since the start.
    pub fn wait_for_all(&mut self, texts: &[&str]) {
        for text in texts {
            if !self.stdout.contains(text) && !self.stderr.contains(text) {
                self.wait_for(text);
            }
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, like `-HUP`.
    pub fn signal(&self, signal: &str) {
        send_signal(signal, self.child.id());
    }

    /// The same to the last of its descendants, each the only child of the one before.
    pub fn signal_innermost(&self, signal: &str) {
        let child_of = |pid: u32| -> Option<u32> {
            let path = format!("/proc/{pid}/task/{pid}/children");
            let children = std::fs::read_to_string(path).ok()?;
            children.split_whitespace().next()?.parse().ok()
        };
        let pids = std::iter::successors(Some(self.child.id()), |pid| child_of(*pid));
        send_signal(signal, pids.last().expect("there is the first"));
    }

    /// Ends it as a power cut does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, as a supervisor would.
    pub fn terminate(self) -> EndedProcess {
        self.signal("-TERM");
        self.wait()
    }

    /// Waits for its end; both its outputs end with it.
    pub fn wait(mut self) -> EndedProcess {
        let deadline = Instant::now() + DEADLINE;
        while let Ok(line) = self
            .lines
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            self.keep(line);
        }
        assert!(
            Instant::now() < deadline,
            "it does not end:\n{}{}",
            self.stdout,
            self.stderr
        );
        EndedProcess {
            status: self.child.wait().unwrap(),
            stdout: std::mem::take(&mut self.stdout),
            stderr: std::mem::take(&mut self.stderr),
        }
    }
}

impl Drop for PipedProcess {
    fn drop(&mut self) {
        // It has ended already if it was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(from: impl Read + Send + 'static, is_stdout: bool, to: Sender<(bool, String)>) {
    thread::spawn(move || {
        let lines = BufReader::new(from).lines().map_while(Result::ok);
        lines.for_each(|line| drop(to.send((is_stdout, line))));
    });
}

impl EndedProcess {
    /// Checks the exit code and gives everything that was printed.
    #[track_caller]
    pub fn with(self, code: i32) -> String {
        let Self {
            status,
            stdout,
            stderr,
        } = self;
        assert_eq!(
            status.code(),
            Some(code),
            "stdout: {stdout}\nstderr: {stderr}"
        );
        stdout + &stderr
    }
}

/// One POST of JSON, and all that comes back.
pub fn http_post(address: &str, path: &str, key: &str, body: &str) -> String {
    let len = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {len}"
    );
    exchange(address, &head, body)
}

/// One HTTP/1.1 request, and all that comes back until the peer closes.
pub fn http(address: &str, head: &str) -> String {
    exchange(address, head, "")
}

/// The same; none if nobody listens.
pub fn http_try(address: &str, head: &str) -> Option<String> {
    drop(TcpStream::connect(address).ok()?);
    Some(http(address, head))
}

fn exchange(address: &str, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(
        stream,
        "{head}\r\nHost: {address}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
