//! Child processes, each on a core of its own.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::thread::{CpuSet, sched_setaffinity};

/// The core of whatever serves.
pub(crate) const SERVER_CORE: usize = 0;
/// The core of whatever drives it.
pub(crate) const LOAD_CORE: usize = 1;

const START_WAIT: Duration = Duration::from_secs(10);
const START_POLL: Duration = Duration::from_millis(5);

/// A program on one core. Needs `taskset` (util-linux), which becomes the program it starts.
pub(crate) fn pinned(core: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(program);
    command
}

/// Keeps this process on one core from now on. To be called before it has other threads.
pub(crate) fn run_here_on(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).with_context(|| format!("there is no core {core}"))
}

/// This program again, on one core.
pub(crate) fn pinned_self(core: usize) -> Result<Command> {
    Ok(pinned(core, std::env::current_exe()?))
}

/// A server in a process of its own; dropped, it is killed.
#[derive(Debug)]
pub struct ServerProcess(Child);

impl ServerProcess {
    /// Starts a program that says its address in the first line of stdout.
    ///
    /// Errors: it says something else.
    pub fn announced(mut command: Command) -> Result<(Self, SocketAddr)> {
        command.stdout(Stdio::piped());
        let mut process = Self::start(command)?;
        let stdout = process.0.stdout.take().context("stdout is piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let Ok(address) = line.trim().parse() else {
            bail!("the server said {line:?} instead of its address");
        };
        Ok((process, address))
    }

    /// Starts a program that says nothing, and waits until it accepts connections at `address`.
    pub fn listening(mut command: Command, address: SocketAddr) -> Result<Self> {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = Self::start(command)?;
        let deadline = Instant::now() + START_WAIT;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = process.0.try_wait()? {
                bail!("the server ended at once: {status}");
            }
            if Instant::now() > deadline {
                bail!("nobody listens at {address}");
            }
            thread::sleep(START_POLL);
        }
        Ok(process)
    }

    fn start(mut command: Command) -> Result<Self> {
        let child = command.spawn();
        Ok(Self(child.context(
            "taskset (util-linux) and the server are needed",
        )?))
    }

    /// Ends it with SIGTERM and waits: who is killed cannot write what it has counted.
    pub fn terminate(mut self) -> Result<()> {
        let id = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        self.0.wait()?;
        Ok(())
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Addresses of loopback where nobody listens now. All are held before the first is let go, so that
/// no two are the same.
pub(crate) fn free_addresses<const COUNT: usize>() -> Result<[SocketAddr; COUNT]> {
    let mut held = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        held.push(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?);
    }
    let mut addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); COUNT];
    for (address, listener) in addresses.iter_mut().zip(&held) {
        *address = listener.local_addr()?;
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_addresses_differ() {
        let [one, two, three] = free_addresses().unwrap();
        assert!(one != two && two != three && one != three);
    }

    #[test]
    fn a_program_that_ends_at_once_is_not_waited_for() {
        // No test may listen there.
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let failed = ServerProcess::listening(Command::new("true"), address).unwrap_err();
        assert!(failed.to_string().contains("ended at once"), "{failed}");
    }

    #[test]
    fn an_address_is_read_from_stdout() {
        let mut command = Command::new("echo");
        command.arg("127.0.0.1:1234");
        let (_process, address) = ServerProcess::announced(command).unwrap();
        assert_eq!(address.port(), 1234);
        assert!(ServerProcess::announced(Command::new("true")).is_err());
    }
}
