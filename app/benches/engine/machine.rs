//! What the machine says of the time of its processors.

use std::time::Duration;

/// The time that this process has had of the processors, where the system tells it (Linux).
pub fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Fields 14 and 15 of proc_pid_stat(5), counted behind the name in parentheses; in ticks of 10 ms.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 10))
}

/// The time that every process of the machine together has had of the processors (Linux): beside other load an upper
/// bound of what the engine and its database used.
pub fn cpu_time_of_all() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    // The first line of /proc/stat, proc(5): user, nice, system; in ticks of 10 ms.
    let ticks: u64 =
        stat.lines().next()?.split_whitespace().skip(1).take(3).filter_map(|it| it.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(ticks * 10))
}
