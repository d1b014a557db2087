//! Every metric with its meaning: what `/metrics` says in its help lines and `docs/metrics.md` in its table.

use super::names;

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows, until the server starts anew.
    Counter,
    /// How much there is now.
    Gauge,
    /// How values are spread, counted up to these bounds.
    Histogram(&'static [f64]),
}

impl Kind {
    /// Its name in Prometheus' format.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says, for people.
    pub meaning: &'static str,
}

/// From the fastest commit to one that somebody notices.
const COMMITS: Kind =
    Kind::Histogram(&[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0]);
/// What one transaction may take along.
const SIZES: Kind = Kind::Histogram(&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]);
/// GitHub gives an answer ten seconds.
const ANSWERS: Kind = Kind::Histogram(&[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]);
/// From a call to an approval that takes weeks.
const WORK: Kind = Kind::Histogram(&[
    0.01,
    0.1,
    0.5,
    1.0,
    5.0,
    15.0,
    60.0,
    300.0,
    1_800.0,
    7_200.0,
    28_800.0,
    86_400.0,
    604_800.0,
    2_592_000.0,
]);

const fn metric(name: &'static str, kind: Kind, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric { name, kind, labels, meaning }
}

/// All of them.
pub const CATALOGUE: &[Metric] = &[
    metric(names::EXECUTIONS_STARTED, Kind::Counter, &[], "Executions that were accepted."),
    metric(names::EXECUTIONS_ENDED, Kind::Counter, &["status"], "Executions that ended: completed, failed, cancelled."),
    metric(names::EXECUTION_DURATION, WORK, &["status"], "From an execution's acceptance to its end."),
    metric(
        names::STEPS_ENDED,
        Kind::Counter,
        &["type", "status"],
        "Steps that ended: completed, failed, skipped, cancelled; those of bodies count each time.",
    ),
    metric(names::STEP_DURATION, WORK, &["type"], "From a step's first attempt to its end, waiting included."),
    metric(names::STEPS_RETRIED, Kind::Counter, &["type"], "Attempts that failed and are followed by another."),
    metric(
        names::STEPS_REPEATED,
        Kind::Counter,
        &[],
        "Attempts made again because their server stopped in the middle of them.",
    ),
    metric(
        names::MODEL_CALLS,
        Kind::Counter,
        &["provider", "outcome"],
        "Questions to models that ended: answered, failed; the provider of one that failed may be `unknown`.",
    ),
    metric(
        names::MODEL_TOKENS,
        Kind::Counter,
        &["provider", "direction"],
        "Tokens that models read (`input`) and wrote (`output`), counted by the provider or estimated.",
    ),
    metric(names::TOOL_CALLS, Kind::Counter, &[], "Calls of tools by agents that ended."),
    metric(
        names::BUDGET_ALERTS,
        Kind::Counter,
        &["budget"],
        "Budgets of models of which 80 % was used: of an execution, or by month of an agent, process, repository, tenant.",
    ),
    metric(
        names::DECISIONS,
        Kind::Counter,
        &["decision", "source"],
        "What people decided, and where: comment, review, button, api, cli, web; engine is a deadline.",
    ),
    metric(
        names::CONFLICTS,
        Kind::Counter,
        &[],
        "Transitions that were decided again because another one of their execution came first.",
    ),
    metric(names::COMMITS, Kind::Counter, &[], "Transactions of the store's writer."),
    metric(names::COMMIT_DURATION, COMMITS, &[], "How long they took, until they were durable."),
    metric(names::COMMIT_SIZE, SIZES, &[], "How many requests each of them took along."),
    metric(names::COMMITS_FAILED, Kind::Counter, &[], "Transactions that failed, and with them every request in them."),
    metric(
        names::DELIVERIES,
        Kind::Counter,
        &["event", "outcome"],
        "Webhooks: stored, duplicate, refused (signature or form), failed (the database). Refused ones name no event.",
    ),
    metric(
        names::DELIVERIES_FAILED,
        Kind::Gauge,
        &[],
        "Webhooks that were stored and could not be handled; redelivered, each is tried anew.",
    ),
    metric(names::HTTP_REQUESTS, Kind::Counter, &["method", "route", "status"], "Requests that were answered."),
    metric(names::HTTP_DURATION, ANSWERS, &["method", "route"], "How long it took until an answer began."),
    metric(names::GITHUB_REQUESTS, Kind::Counter, &["method", "status"], "Requests to GitHub; `none` got no answer."),
    metric(
        names::GITHUB_LEFT,
        Kind::Gauge,
        &[],
        "What is left of GitHub's limit by the hour, as its last answer said.",
    ),
    metric(
        names::QUEUE,
        Kind::Gauge,
        &["queue"],
        "What is to be done: deliveries, work, effects, signals, occurrences; and `stream`, transitions that the event stream has not been told of, counted up to a million.",
    ),
    metric(
        names::QUEUE_AGE,
        Kind::Gauge,
        &["queue"],
        "For how long the first of deliveries, effects, signals and occurrences has been due, begun or not; 0 where none is.",
    ),
    metric(names::STREAM_EVENTS, Kind::Counter, &[], "Events that the event stream was told of."),
    metric(names::STREAM_FAILURES, Kind::Counter, &[], "Times that the event stream could not be told."),
    metric(names::EXECUTIONS, Kind::Gauge, &["status"], "Executions that have not ended: pending, running, waiting."),
    metric(names::EFFECTS_FAILED, Kind::Gauge, &[], "What GitHub was to be told and was given up."),
    metric(names::STORE_UP, Kind::Gauge, &[], "1 where the database said what there is to do, 0 where it did not."),
    metric(names::BUILD, Kind::Gauge, &["version"], "1, with the version that runs."),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fmt::Write;
    use std::path::Path;

    use super::CATALOGUE;

    /// The table of `docs/metrics.md`; `UPDATE_DOCS=1` writes it.
    #[test]
    fn the_table_of_the_documentation() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
        let text = std::fs::read_to_string(&page).unwrap();
        let (before, rest) = text.split_once("| metric |").unwrap();
        let (_, after) = rest.split_once("\n\n").unwrap();
        let mut table = "| metric | kind | labels | what it says |\n|-|-|-|-|\n".to_owned();
        for metric in CATALOGUE {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let (name, kind) = (metric.name, metric.kind.name());
            writeln!(table, "| `{name}` | {kind} | {} | {} |", labels.join(", "), metric.meaning).unwrap();
        }
        let made = format!("{before}{table}\n{after}");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&page, &made).unwrap();
        }
        assert!(text == made, "docs/metrics.md is stale: UPDATE_DOCS=1 cargo test -p flowctl-app --lib telemetry");
    }

    #[test]
    fn names_tell_their_kind_and_are_one_each() {
        for (at, metric) in CATALOGUE.iter().enumerate() {
            assert!(metric.name.starts_with("flowctl_"), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind.name() == "counter", "{}", metric.name);
            assert!(CATALOGUE[..at].iter().all(|other| other.name != metric.name), "{}", metric.name);
        }
    }
}
