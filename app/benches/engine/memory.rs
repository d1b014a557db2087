//! What the system says of this process's memory.

/// The memory that this process has now.
pub const NOW: &str = "VmRSS:";

/// A line of proc_pid_status(5) in MiB, where the system has it (Linux).
pub fn mib(line: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|found| found.strip_prefix(line))?.trim().split(' ').next()?;
    Some(kilobytes.parse::<f64>().ok()? / 1024.0)
}
