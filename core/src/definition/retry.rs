//! `retry`: how often and after which pauses a failed attempt is repeated.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::Duration;

/// `retry` of a step or of `defaults`. Absent: one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How many attempts at most, the first one included (3).
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 100))]
    pub max_attempts: u32,
    /// How the pause grows (exponential: doubled each time).
    #[serde(default)]
    pub backoff: Backoff,
    /// The first pause (1s).
    #[serde(default = "one_second")]
    pub initial: Duration,
    /// The longest pause (5m).
    #[serde(default = "five_minutes")]
    pub max: Duration,
    /// Whether a pause is shortened by a random part, so that many steps do not return at once (true).
    #[serde(default = "yes")]
    pub jitter: bool,
    /// Which failures are repeated (timeout, network, rate_limited, server_error).
    #[serde(default = "transient")]
    pub on: Vec<ErrorClass>,
}

/// How the pause between attempts grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// The same pause each time.
    Fixed,
    /// Twice the pause before, up to `max`.
    #[default]
    Exponential,
}

/// What kind of failure an attempt ended in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The attempt took longer than its step allows.
    Timeout,
    /// The other side could not be reached, or the answer was lost.
    Network,
    /// The other side asked to come back later.
    RateLimited,
    /// The other side failed (HTTP 5xx).
    ServerError,
    /// The answer does not have the shape that the definition demands.
    Schema,
    /// Any failure at all. Only in `retry.on`.
    Any,
    /// The call was refused and repeating it cannot help (HTTP 4xx, a refused address). Never retried but by `any`.
    Refused,
    /// An expression could not be evaluated.
    Expression,
    /// A person rejected.
    Rejected,
}

impl ErrorClass {
    /// Every class.
    pub const ALL: &[Self] = &[
        Self::Timeout,
        Self::Network,
        Self::RateLimited,
        Self::ServerError,
        Self::Schema,
        Self::Any,
        Self::Refused,
        Self::Expression,
        Self::Rejected,
    ];

    /// The longest pause that is honoured where the other side asks for one behind such a failure (`Retry-After`). No
    /// server of somebody else's holds a step for years, and one that was hardly reached holds it only as long as a
    /// tool that keeps failing is left alone.
    pub fn longest_pause(self) -> Duration {
        match self {
            Self::RateLimited | Self::ServerError | Self::Refused => Duration::from_millis(24 * 60 * 60 * 1_000),
            Self::Timeout | Self::Network => Duration::from_millis(30_000),
            Self::Schema | Self::Any | Self::Expression | Self::Rejected => Duration::from_millis(0),
        }
    }
}

impl Default for Retry {
    /// What `retry: {}` says.
    fn default() -> Self {
        Self {
            max_attempts: three(),
            backoff: Backoff::default(),
            initial: one_second(),
            max: five_minutes(),
            jitter: yes(),
            on: transient(),
        }
    }
}

impl Retry {
    /// Whether a failure of this class may be repeated.
    pub fn covers(&self, class: ErrorClass) -> bool {
        let never = matches!(class, ErrorClass::Expression | ErrorClass::Rejected);
        !never && (self.on.contains(&class) || self.on.contains(&ErrorClass::Any))
    }
}

fn three() -> u32 {
    3
}

fn one_second() -> Duration {
    Duration::from_millis(1_000)
}

fn five_minutes() -> Duration {
    Duration::from_millis(300_000)
}

fn yes() -> bool {
    true
}

fn transient() -> Vec<ErrorClass> {
    vec![ErrorClass::Timeout, ErrorClass::Network, ErrorClass::RateLimited, ErrorClass::ServerError]
}
