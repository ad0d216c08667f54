//! The metrics of the process itself, by the names that Prometheus gives them everywhere.
//!
//! They are asked of the system at each scrape. The recorder has no part in it: its counters are
//! whole numbers, and seconds of CPU are not.

use metrics_process::collector;

use super::text::MetricText;

/// Appends their series. What a system does not tell is 0.
pub(super) fn render(out: &mut String) {
    let now = collector::collect();
    let whole = |value: Option<u64>| value.unwrap_or_default() as f64;
    for (name, value) in [
        (
            "process_cpu_seconds_total",
            now.cpu_seconds_total.unwrap_or_default(),
        ),
        (
            "process_resident_memory_bytes",
            whole(now.resident_memory_bytes),
        ),
        ("process_open_fds", whole(now.open_fds)),
        ("process_max_fds", whole(now.max_fds)),
        ("process_threads", whole(now.threads)),
        ("process_start_time_seconds", whole(now.start_time_seconds)),
    ] {
        MetricText::begin(name, out).series(&[], value);
    }
}
