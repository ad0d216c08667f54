//! What processes use: CPU time and memory, from `/proc`.

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
