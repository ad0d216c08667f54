//! What the gateway's process and its sockets take of the machine's memory.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use fixtures::blocking_pass;

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Looks at a process until it is stopped, and keeps the largest figures.
pub struct MemoryWatch {
    peaks: Arc<MemoryPeaks>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct MemoryPeaks {
    over: AtomicBool,
    resident: AtomicU64,
    kernel: AtomicU64,
    both: AtomicU64,
}

/// Largest figures, bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemoryUse {
    /// In the process.
    pub resident: u64,
    /// In the system, for its sockets.
    pub kernel: u64,
    /// Both at one moment.
    pub both: u64,
}

impl MemoryWatch {
    /// Begins to look.
    pub fn begin(pid: u32, listener: SocketAddr) -> Self {
        let peaks = Arc::new(MemoryPeaks::default());
        let seen = Arc::clone(&peaks);
        let thread = std::thread::spawn(move || {
            while !seen.over.load(Ordering::Relaxed) {
                let resident = loadtest::process::memory_of(pid).unwrap_or(0);
                let kernel = kernel_bytes(listener.port());
                seen.resident.fetch_max(resident, Ordering::Relaxed);
                seen.kernel.fetch_max(kernel, Ordering::Relaxed);
                seen.both.fetch_max(resident + kernel, Ordering::Relaxed);
                blocking_pass(LOOK);
            }
        });
        Self {
            peaks,
            thread: Some(thread),
        }
    }

    /// Ends it; what was seen.
    pub fn end(mut self) -> MemoryUse {
        self.peaks.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        MemoryUse {
            resident: self.peaks.resident.load(Ordering::Relaxed),
            kernel: self.peaks.kernel.load(Ordering::Relaxed),
            both: self.peaks.both.load(Ordering::Relaxed),
        }
    }
}

impl Drop for MemoryWatch {
    fn drop(&mut self) {
        self.peaks.over.store(true, Ordering::Relaxed);
    }
}

/// Memory of the sockets whose local port this is: the gateway's ends, not those of its peers.
///
/// Source: ss(8), `skmem`: `r` and `w` are bytes in the receive and the send queue with their
/// overhead, `f` what is set aside for the next. That one is signed in the system and printed without a
/// sign: while a buffer is freed it may be below zero.
fn kernel_bytes(port: u16) -> u64 {
    let filter = format!("sport = :{port}");
    let output = Command::new("ss").args(["-tmnHO", &filter]).output();
    let output = output.expect("ss, of iproute2, is installed");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(bytes_of).sum()
}

fn bytes_of(line: &str) -> u64 {
    let Some((_, fields)) = line.split_once("skmem:(") else {
        return 0;
    };
    let fields = fields.split([',', ')']);
    let value = |field: &str| {
        let number = field.strip_prefix(['r', 'w', 'f'])?;
        number
            .parse::<u32>()
            .ok()
            .map(u32::cast_signed)
            .map(i64::from)
    };
    let bytes: i64 = fields.filter_map(value).sum();
    u64::try_from(bytes).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_held_counts() {
        let line = "ESTAB 0 9 1:1 1:2 skmem:(r1,rb131072,t0,tb87040,f3823,w277,o0,bl0,d0)";
        assert_eq!(bytes_of(line), 1 + 3823 + 277);
        let below_zero = line.replace("f3823", "f4294963200");
        assert_eq!(bytes_of(&below_zero), 0);
        let below_zero = below_zero.replace("r1,", "r5000,");
        assert_eq!(bytes_of(&below_zero), 5000 + 277 - 4096);
    }
}
