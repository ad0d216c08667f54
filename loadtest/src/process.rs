//! CPU time and memory of processes, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// CPU time of all threads of a process since each began.
pub fn cpu_of(pid: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let first = text.split_whitespace().next().context("empty schedstat")?;
        nanoseconds += first.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// The process that listens on a TCP port of this machine, as far as one may see it.
pub(crate) fn listener_on(port: u16) -> Option<u32> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let inode = tables.iter().flatten().find_map(|table| {
        table.lines().skip(1).find_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let (_, hex) = fields.get(1)?.rsplit_once(':')?;
            // State 0A is LISTEN.
            let listens = *fields.get(3)? == "0A" && u16::from_str_radix(hex, 16) == Ok(port);
            listens.then(|| fields.get(9).map(|it| (*it).to_owned()))?
        })
    })?;
    let socket = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let holders = processes.filter_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        let mut files = fs::read_dir(process.path().join("fd")).ok()?.flatten();
        let holds = files.any(|fd| {
            let target = fs::read_link(fd.path());
            target.is_ok_and(|it| it.as_os_str() == socket.as_str())
        });
        holds.then_some(pid)
    });
    // A child that is about to become another program holds it too, for a moment.
    holders.min()
}

/// CPU time of the thread that asks, nanoseconds.
pub(crate) fn cpu_of_this_thread() -> Result<u64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = text.split_whitespace().next();
    Ok(first.context("empty schedstat")?.parse()?)
}

/// Context switches of all threads of a process: those it waited for, and those it did not want.
pub(crate) fn switches_of(pid: u32) -> Result<(u64, u64)> {
    let mut sum = (0, 0);
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = match fs::read_to_string(task?.path().join("status")) {
            Ok(text) => text,
            // The thread ended meanwhile.
            Err(error) if is_gone(&error) => continue,
            Err(error) => return Err(error.into()),
        };
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|it| it.trim().parse::<u64>().ok())
                .unwrap_or(0)
        };
        sum.0 += value("voluntary_ctxt_switches:");
        sum.1 += value("nonvoluntary_ctxt_switches:");
    }
    Ok(sum)
}

/// Whether the thread that a file of /proc is about has ended: before the file was opened, or behind
/// that (`ESRCH`).
fn is_gone(error: &std::io::Error) -> bool {
    const ESRCH: i32 = 3;
    error.kind() == std::io::ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH)
}

/// Time that all cores were busy since the machine started, in steps of 10 ms.
pub fn cpu_of_machine() -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().context("empty /proc/stat")?;
    let ticks = line.split_whitespace().skip(1).map(str::parse);
    let ticks: Vec<u64> = ticks.collect::<Result<_, _>>()?;
    let &[user, nice, system, _idle, _waiting, irq, softirq, steal, ..] = ticks.as_slice() else {
        bail!("/proc/stat has another form: {line}");
    };
    let busy = user + nice + system + irq + softirq + steal;
    Ok(Duration::from_millis(10 * busy))
}

/// Memory of a process that is in RAM, bytes.
pub fn memory_of(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.context("no VmRSS")?.trim().trim_end_matches(" kB");
    Ok(1024 * kilobytes.trim().parse::<u64>()?)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_is_found_by_its_port() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        assert_eq!(listener_on(port), Some(std::process::id()));
        drop(listener);
        assert_eq!(listener_on(port), None);
    }

    #[test]
    fn a_process_has_used_cpu_memory_and_switches() {
        let pid = std::process::id();
        assert!(memory_of(pid).expect("our own") > 0);
        // To wait for another thread is a switch.
        let waited = || switches_of(pid).expect("our own").0;
        let before = waited();
        // The system brings the times up to date at its ticks.
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        while cpu_of(pid).expect("our own") == Duration::ZERO
            || cpu_of_this_thread().expect("our own") == 0
            || waited() == before
        {
            assert!(std::time::Instant::now() < deadline);
            std::thread::spawn(|| ()).join().expect("it does nothing");
        }
    }
}
