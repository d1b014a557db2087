//! What goes wrong on purpose: knobs that a test or a person turns, each for so many requests.
//! A knob matches by method and path, or by event for webhooks; the first that matches is used up first.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What happens to a request or a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// The answer comes later.
    Latency {
        /// By so many milliseconds.
        milliseconds: u64,
    },
    /// An error instead of the write.
    ErrorBefore {
        /// 500, 502, 503 …
        status: u16,
    },
    /// The write is done, the answer is an error.
    ErrorAfter {
        /// 500, 502, 503 …
        status: u16,
    },
    /// The connection breaks before the request is read as one.
    ResetBefore,
    /// The write is done, then the connection breaks.
    ResetAfter,
    /// "You have exceeded a secondary rate limit".
    RateLimited {
        /// 403 or 429.
        status: u16,
        /// The `Retry-After` header, in seconds; GitHub does not always send it.
        retry_after: Option<u64>,
    },
    /// The token is revoked when it is used: 401 from then on.
    RevokeToken,
    /// The installation is suspended when it is used: 403 until it is unsuspended.
    SuspendInstallation,
    /// The webhook never arrives.
    LoseDelivery,
    /// The webhook arrives twice with the same id.
    DuplicateDelivery,
    /// The webhook arrives after the one that follows it.
    ReorderDelivery,
}

impl Fault {
    fn is_about_webhooks(&self) -> bool {
        matches!(self, Self::LoseDelivery | Self::DuplicateDelivery | Self::ReorderDelivery)
    }
}

/// A fault, whom it hits, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRule {
    /// What happens.
    pub fault: Fault,
    /// `POST`, `GET` …; any without it.
    #[serde(default)]
    pub method: Option<String>,
    /// A path without `/api/v3`, where `*` stands for any characters; any without it.
    /// For webhooks: the event's name.
    #[serde(default)]
    pub path: Option<String>,
    /// How many it still hits.
    #[serde(default = "once")]
    pub count: u64,
    /// How many pass unharmed first.
    #[serde(default)]
    pub skip: u64,
}

fn once() -> u64 {
    1
}

impl FaultRule {
    /// Hits every request (or event), once.
    pub fn new(fault: Fault) -> Self {
        Self { fault, method: None, path: None, count: 1, skip: 0 }
    }

    /// Only this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only paths (or events) like this, with `*` for any characters.
    #[must_use]
    pub fn path(mut self, pattern: &str) -> Self {
        self.path = Some(pattern.to_owned());
        self
    }

    /// So many times.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    /// After so many that pass.
    #[must_use]
    pub fn after(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    fn hits(&self, method: Option<&str>, path: &str) -> bool {
        let method_fits = match (&self.method, method) {
            (Some(wanted), Some(method)) => wanted.eq_ignore_ascii_case(method),
            _ => true,
        };
        method_fits && self.path.as_deref().is_none_or(|pattern| matches(pattern, path))
    }
}

/// What becomes of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryFate {
    Deliver,
    Lose,
    Duplicate,
    Hold,
}

/// All knobs that are turned.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<FaultRule>>,
}

impl Faults {
    /// Turns a knob.
    pub fn add(&self, rule: FaultRule) {
        self.lock().push(rule);
    }

    /// Turns all knobs back.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The rules that still have something to hit.
    pub fn pending(&self) -> Vec<FaultRule> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<FaultRule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The faults that hit this request; each is used up once.
    pub(crate) fn for_request(&self, method: &str, path: &str) -> Vec<Fault> {
        let mut rules = self.lock();
        let mut hit = Vec::new();
        for rule in rules.iter_mut().filter(|rule| !rule.fault.is_about_webhooks()) {
            let latency = matches!(rule.fault, Fault::Latency { .. });
            // One failure is enough for a request; latency comes on top.
            let taken = hit.iter().any(|fault| !matches!(fault, Fault::Latency { .. }));
            if (latency || !taken) && rule.hits(Some(method), path) && use_up(rule) {
                hit.push(rule.fault.clone());
            }
        }
        rules.retain(|rule| rule.count > 0);
        hit
    }

    /// What becomes of a webhook of that event.
    pub(crate) fn fate_of(&self, event: &str) -> DeliveryFate {
        let mut rules = self.lock();
        let mut fate = DeliveryFate::Deliver;
        for rule in rules.iter_mut().filter(|rule| rule.fault.is_about_webhooks()) {
            if rule.hits(None, event) && use_up(rule) {
                fate = match rule.fault {
                    Fault::LoseDelivery => DeliveryFate::Lose,
                    Fault::DuplicateDelivery => DeliveryFate::Duplicate,
                    _ => DeliveryFate::Hold,
                };
                break;
            }
        }
        rules.retain(|rule| rule.count > 0);
        fate
    }
}

/// Counts one that matched; whether it is hit.
fn use_up(rule: &mut FaultRule) -> bool {
    if rule.skip > 0 {
        rule.skip -= 1;
        return false;
    }
    let hit = rule.count > 0;
    rule.count = rule.count.saturating_sub(1);
    hit
}

/// How long a request waits.
pub(crate) fn latency(faults: &[Fault]) -> Duration {
    let milliseconds = faults.iter().map(|fault| match fault {
        Fault::Latency { milliseconds } => *milliseconds,
        _ => 0,
    });
    Duration::from_millis(milliseconds.sum())
}

/// Whether `path` is like `pattern`, in which `*` stands for any characters.
fn matches(pattern: &str, path: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| path.strip_prefix(first)) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_paths() {
        let table = [
            ("/repos/*/comments", "/repos/o/r/issues/1/comments", true),
            ("/repos/*/comments", "/repos/o/r/issues/1/comments/2", false),
            ("*", "/anything", true),
            ("/rate_limit", "/rate_limit", true),
            ("/rate_limit", "/rate_limits", false),
            ("*/check-runs*", "/repos/o/r/check-runs/7", true),
            ("a*b*c", "abxbc", true),
            ("a*a", "a", false),
        ];
        for (pattern, path, expected) in table {
            assert_eq!(matches(pattern, path), expected, "{pattern} against {path}");
        }
    }

    #[test]
    fn a_rule_skips_then_hits_then_is_gone() {
        let faults = Faults::default();
        faults.add(FaultRule::new(Fault::ResetAfter).method("POST").after(1).times(2));
        let hit = |method| !faults.for_request(method, "/x").is_empty();
        assert_eq!([hit("GET"), hit("POST"), hit("POST"), hit("post"), hit("POST")], [false, false, true, true, false]);
        assert!(faults.pending().is_empty());
    }

    #[test]
    fn webhook_rules_leave_requests_alone() {
        let faults = Faults::default();
        faults.add(FaultRule::new(Fault::LoseDelivery).path("issue_comment"));
        assert!(faults.for_request("POST", "issue_comment").is_empty());
        assert_eq!(faults.fate_of("push"), DeliveryFate::Deliver);
        assert_eq!(faults.fate_of("issue_comment"), DeliveryFate::Lose);
        assert_eq!(faults.fate_of("issue_comment"), DeliveryFate::Deliver);
    }
}
