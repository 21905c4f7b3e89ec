//! Metrics of the process, under the names that every Prometheus client library gives them
//! (<https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>).

use prometheus_client::registry::Registry;

/// Reads the metrics of this process. Systems other than Linux have none.
#[cfg(not(target_os = "linux"))]
pub(super) fn register(_: &mut Registry) {}

/// Reads the metrics of this process from `/proc`; what can't be read is left out.
#[cfg(target_os = "linux")]
pub(super) fn register(registry: &mut Registry) {
    use std::sync::atomic::AtomicU64;

    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::gauge::Gauge;

    use rustix::process::{Resource, getrlimit};

    let stat = linux::Stat::read();
    if let Some(seconds) = stat.as_ref().map(|stat| stat.cpu_seconds) {
        let counter = Counter::<f64, AtomicU64>::default();
        counter.inc_by(seconds);
        let help = "User and system time on a processor, in seconds";
        registry.register("process_cpu_seconds", help, counter);
    }
    let start = stat.zip(linux::boot_time()).map(|(stat, boot)| boot + stat.started_after_boot);
    let max_files = getrlimit(Resource::Nofile).current.map(|files| files as f64);
    let gauges = [
        ("process_start_time_seconds", "When the process started, in seconds after 1970", start),
        ("process_resident_memory_bytes", "Memory in use", linux::status_bytes("VmRSS:")),
        (
            "process_virtual_memory_bytes",
            "Size of the address space",
            linux::status_bytes("VmSize:"),
        ),
        ("process_open_fds", "Open files and connections", linux::open_files()),
        ("process_max_fds", "Limit of open files and connections", max_files),
        ("process_threads", "Threads of the system", linux::threads()),
    ];
    for (name, help, value) in gauges {
        let Some(value) = value else { continue };
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;

    /// Clock ticks per second in `/proc` (`USER_HZ`): 100 on every architecture that Rust's Linux
    /// targets have.
    const TICKS_PER_SECOND: f64 = 100.0;

    /// Fields of `/proc/self/stat` (proc(5)).
    pub(super) struct Stat {
        pub(super) cpu_seconds: f64,
        pub(super) started_after_boot: f64,
    }

    impl Stat {
        pub(super) fn read() -> Option<Self> {
            let text = fs::read_to_string("/proc/self/stat").ok()?;
            // The second field is the program's name in parentheses, which may contain spaces.
            let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
            // Counted from 1 as in the manual; the first of `fields` is the third.
            let seconds =
                |field: usize| Some(fields.get(field - 3)?.parse::<f64>().ok()? / TICKS_PER_SECOND);
            Some(Self {
                cpu_seconds: seconds(14)? + seconds(15)?,
                started_after_boot: seconds(22)?,
            })
        }
    }

    /// When the system started, in seconds after 1970.
    pub(super) fn boot_time() -> Option<f64> {
        first_number(&fs::read_to_string("/proc/stat").ok()?, "btime ")
    }

    /// A field of `/proc/self/status` in bytes.
    pub(super) fn status_bytes(field: &str) -> Option<f64> {
        Some(1024.0 * first_number(&fs::read_to_string("/proc/self/status").ok()?, field)?)
    }

    pub(super) fn threads() -> Option<f64> {
        first_number(&fs::read_to_string("/proc/self/status").ok()?, "Threads:")
    }

    /// How many files are open, without the one that is opened to count them.
    pub(super) fn open_files() -> Option<f64> {
        Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as f64)
    }

    /// The number after `field` at the start of a line.
    fn first_number(text: &str, field: &str) -> Option<f64> {
        let rest = text.lines().find_map(|line| line.strip_prefix(field))?;
        rest.split_whitespace().next()?.parse().ok()
    }
}
