//! Crash points: named places at which a test can have the process die as if it was killed. Without the environment
//! variable `FLOWCTL_CRASH_AT` they do nothing. Not for use outside tests.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Every crash point, in the order in which a delivery passes them.
pub const CRASH_POINTS: [&str; 19] = [
    "received",
    "delivery.claimed",
    "transition.before_commit",
    "transition.after_commit",
    "work.claimed",
    "work.performed",
    "child.starting",
    "child.started",
    "signal.taking",
    "signal.taken",
    "occurrence.claimed",
    "occurrence.dealt_with",
    "effect.before_write",
    "effect.after_write",
    "effect.recorded",
    "audit.noted",
    "audit.moved",
    "stream.published",
    "workflow.recorded",
];

/// Where the process is to die: the point's name and which passing of it, from 1.
#[derive(Debug, PartialEq, Eq)]
struct CrashAt {
    name: String,
    passing: u64,
}

impl CrashAt {
    /// `name` or `name:n`.
    fn parse(text: &str) -> Option<Self> {
        let (name, passing) = match text.split_once(':') {
            Some((name, passing)) => (name, passing.parse().ok().filter(|passing| *passing > 0)?),
            None => (text, 1),
        };
        CRASH_POINTS.contains(&name).then(|| Self { name: name.to_owned(), passing })
    }
}

/// Aborts the process if `FLOWCTL_CRASH_AT=name[:n]` names this point and this is its `n`-th passing. Nothing is
/// unwound, flushed or told: what follows must come from what is stored.
pub fn crash_point(name: &'static str) {
    static CRASH_AT: OnceLock<Option<CrashAt>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let crash_at = CRASH_AT.get_or_init(|| {
        let text = std::env::var("FLOWCTL_CRASH_AT").ok()?;
        let parsed = CrashAt::parse(&text);
        if parsed.is_none() {
            tracing::warn!(given = %text, known = ?CRASH_POINTS, "FLOWCTL_CRASH_AT names no crash point");
        }
        parsed
    });
    let Some(crash_at) = crash_at else { return };
    if crash_at.name == name && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == crash_at.passing {
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_named_with_or_without_its_passing() {
        let at = |name: &str, passing| Some(CrashAt { name: name.to_owned(), passing });
        assert_eq!(CrashAt::parse("received"), at("received", 1));
        assert_eq!(CrashAt::parse("work.performed:3"), at("work.performed", 3));
        for wrong in ["", "recieved", "received:0", "received:x", "received:"] {
            assert_eq!(CrashAt::parse(wrong), None, "{wrong}");
        }
    }
}
