//! Check suites and check runs as data. Source: GitHub REST documentation, "Check runs".

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Id, World};

/// All check runs of one App for one commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckSuite {
    /// Its number.
    pub id: Id,
    /// Where.
    pub repository: Id,
    /// The App whose runs these are.
    pub app: Id,
    /// The commit.
    pub head_sha: String,
    /// The branch that was pushed, when known.
    pub head_branch: Option<String>,
    /// The commit before the push.
    pub before: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A button below a completed check run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckAction {
    /// At most 20 characters.
    pub label: String,
    /// At most 40 characters.
    pub description: String,
    /// At most 20 characters; comes back in `requested_action.identifier`.
    pub identifier: String,
}

/// A remark at lines of a file. Fields as the API takes them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Annotation {
    /// The file's path.
    pub path: String,
    /// First line, from 1.
    pub start_line: u64,
    /// Last line.
    pub end_line: u64,
    /// First column, only where start and end line agree.
    #[serde(default)]
    pub start_column: Option<u64>,
    /// Last column.
    #[serde(default)]
    pub end_column: Option<u64>,
    /// `notice`, `warning` or `failure`.
    pub annotation_level: String,
    /// What to read.
    pub message: String,
    /// A heading.
    #[serde(default)]
    pub title: Option<String>,
    /// More to read.
    #[serde(default)]
    pub raw_details: Option<String>,
}

/// One App's word about one commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckRun {
    /// Its number.
    pub id: Id,
    /// Its suite.
    pub suite: Id,
    /// Where.
    pub repository: Id,
    /// The App that made it and alone may change it.
    pub app: Id,
    /// The commit.
    pub head_sha: String,
    /// Its name.
    pub name: String,
    /// The App's own reference.
    pub external_id: String,
    /// Where to read more.
    pub details_url: Option<String>,
    /// `queued`, `in_progress`, `completed` …
    pub status: String,
    /// Only when completed: `success`, `failure`, `action_required` …
    pub conclusion: Option<String>,
    /// When work began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// A heading.
    pub title: Option<String>,
    /// Markdown.
    pub summary: Option<String>,
    /// Markdown.
    pub text: Option<String>,
    /// Images, as given.
    pub images: Vec<Value>,
    /// Remarks at lines, appended by every update.
    pub annotations: Vec<Annotation>,
    /// Buttons, shown once completed.
    pub actions: Vec<CheckAction>,
    /// When it was made.
    pub created_at: Timestamp,
    /// All that it has been, oldest first; the last one is what it is.
    pub history: Vec<CheckRunVersion>,
}

/// What a check run said from one change to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRunVersion {
    /// Since when.
    pub at: Timestamp,
    /// The status then.
    pub status: String,
    /// The conclusion then.
    pub conclusion: Option<String>,
    /// The heading then.
    pub title: Option<String>,
    /// The summary then.
    pub summary: Option<String>,
    /// The identifiers of its buttons then.
    pub actions: Vec<String>,
}

impl CheckRun {
    /// Whether it has ended, so that its buttons show and nothing reopens it.
    pub fn is_completed(&self) -> bool {
        self.status == "completed"
    }

    pub(crate) fn version(&self, at: Timestamp) -> CheckRunVersion {
        CheckRunVersion {
            at,
            status: self.status.clone(),
            conclusion: self.conclusion.clone(),
            title: self.title.clone(),
            summary: self.summary.clone(),
            actions: self.actions.iter().map(|action| action.identifier.clone()).collect(),
        }
    }
}

impl World {
    /// The runs of a suite, oldest first.
    pub fn runs_of_suite(&self, suite: Id) -> impl Iterator<Item = &CheckRun> {
        self.check_runs.values().filter(move |run| run.suite == suite)
    }

    /// Those runs of which no later one has the same name: what people see.
    pub fn latest_runs<'a>(&self, runs: impl Iterator<Item = &'a CheckRun>) -> Vec<&'a CheckRun> {
        let mut latest: Vec<&CheckRun> = Vec::new();
        for run in runs {
            latest.retain(|other| !(other.name == run.name && other.app == run.app));
            latest.push(run);
        }
        latest
    }

    /// A suite's status and conclusion, from the latest run of each name.
    pub fn suite_state(&self, suite: Id) -> (&'static str, Option<&str>) {
        /// Which conclusion wins, worst first.
        const ORDER: [&str; 8] =
            ["failure", "timed_out", "action_required", "cancelled", "stale", "success", "neutral", "skipped"];
        let latest = self.latest_runs(self.runs_of_suite(suite));
        if latest.is_empty() || latest.iter().all(|run| run.status == "queued") {
            return ("queued", None);
        }
        if !latest.iter().all(|run| run.is_completed()) {
            return ("in_progress", None);
        }
        let worst = latest.iter().filter_map(|run| run.conclusion.as_deref());
        let worst = worst.min_by_key(|conclusion| ORDER.iter().position(|word| word == conclusion));
        ("completed", worst)
    }
}
