//! What the machine gives this process.

use std::num::NonZero;
use std::{fmt, fs, io, thread};

use tokio::runtime::{Builder, Runtime};

/// The runtime that a gateway is best served by: a worker for each core that the process may use.
/// With one core there is nobody to share work with, and a single thread spares the hand-over.
/// Errors: the system makes no threads, or no epoll.
pub fn runtime() -> io::Result<Runtime> {
    let mut builder = match thread::available_parallelism().map_or(1, NonZero::get) {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.enable_all().build()
}

/// Bytes of memory that this process may use: the machine's, or its container's if that is less.
/// `None` where neither is said (not Linux).
pub(crate) fn memory_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    least(machine.as_deref(), container.as_deref())
}

/// Source: proc(5) `MemTotal`, in kB; cgroup v2 `memory.max`, in bytes or `max`.
fn least(meminfo: Option<&str>, memory_max: Option<&str>) -> Option<u64> {
    let total =
        meminfo.and_then(|text| text.lines().find_map(|line| line.strip_prefix("MemTotal:")));
    let kilobytes = total.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let machine = kilobytes.map(|kilobytes| kilobytes * 1024);
    let container = memory_max.and_then(|text| text.trim().parse::<u64>().ok());
    machine.into_iter().chain(container).min()
}

/// What a node is called: the machine's name, which in Kubernetes is the pod's; `otherwise` where there is
/// none.
pub fn node_name(otherwise: impl fmt::Display) -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => otherwise.to_string(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_may_have_less_than_its_machine() {
        let meminfo = Some("MemTotal:       2048 kB\nMemFree:  1 kB\n");
        assert_eq!(least(meminfo, None), Some(2 << 20));
        assert_eq!(least(meminfo, Some("max\n")), Some(2 << 20));
        assert_eq!(least(meminfo, Some("1048576\n")), Some(1 << 20));
        assert_eq!(least(None, None), None);
    }
}
