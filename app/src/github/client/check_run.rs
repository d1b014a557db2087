//! Check runs (<https://docs.github.com/en/rest/checks/runs>). What fits into one, and when a new one is opened instead
//! of an update, is decided by who calls.

use http::Method;
use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize, Serializer};

use super::comment::AppReference;
use super::error::GitHubError;
use super::installation::InstallationClient;
use super::repository::RepositoryName;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// Not begun.
    Queued,
    /// Begun.
    InProgress,
    /// Ended, with a conclusion.
    Completed,
    /// Something that only GitHub itself sets.
    #[serde(other)]
    Other,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckConclusion {
    /// It waits for a person.
    ActionRequired,
    /// Cancelled.
    Cancelled,
    /// Failed.
    Failure,
    /// Neither good nor bad.
    Neutral,
    /// Good.
    Success,
    /// It was not to run.
    Skipped,
    /// It took too long.
    TimedOut,
    /// GitHub gave up on it after 14 days.
    Stale,
    /// Something that GitHub added since.
    #[serde(other)]
    Other,
}

/// A new run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NewCheckRun {
    /// The check's name, such as `flowctl / release`.
    pub name: String,
    /// The commit that it is shown on.
    pub head_sha: String,
    /// What it changes or sets.
    #[serde(flatten)]
    pub fields: CheckRunUpdate,
}

/// What is set or changed of a run. `None` leaves it as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct CheckRunUpdate {
    /// Our reference: the execution's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Where "Details" leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details_url: Option<String>,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<CheckStatus>,
    /// How it ended; GitHub then sets `status` to completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<CheckConclusion>,
    /// When it began; told to the second.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_second")]
    pub started_at: Option<Timestamp>,
    /// When it ended; told to the second.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_second")]
    pub completed_at: Option<Timestamp>,
    /// What people read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<CheckOutput>,
    /// The buttons, at most three, shown once completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actions: Option<Vec<CheckAction>>,
}

/// What people read of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CheckOutput {
    /// One line.
    pub title: String,
    /// Markdown, at most 65,535 characters.
    pub summary: String,
    /// More Markdown, at most 65,535 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// At most 50 a request; those of later requests are added to those of earlier ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<Annotation>,
}

/// A remark on lines of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Annotation {
    /// The file, from the repository's root.
    pub path: String,
    /// The first line, from 1.
    pub start_line: u32,
    /// The last line.
    pub end_line: u32,
    /// The first column, from 1; only where both lines are the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_column: Option<u32>,
    /// The last column; only where both lines are the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_column: Option<u32>,
    /// How bad it is.
    pub annotation_level: AnnotationLevel,
    /// What there is to say.
    pub message: String,
    /// A headline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// How bad an annotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnnotationLevel {
    /// A remark.
    Notice,
    /// Probably not meant.
    Warning,
    /// Wrong.
    Failure,
}

/// A button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckAction {
    /// At most 20 characters.
    pub label: String,
    /// At most 40 characters.
    pub description: String,
    /// What comes back when it is pressed, at most 20 characters.
    pub identifier: String,
}

/// A run as GitHub has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CheckRun {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The commit that it is shown on.
    pub head_sha: String,
    /// Our reference.
    pub external_id: Option<String>,
    /// Where it stands.
    pub status: CheckStatus,
    /// How it ended.
    pub conclusion: Option<CheckConclusion>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Where people see it.
    pub html_url: Option<String>,
    /// The App that made it.
    pub app: Option<AppReference>,
    /// What people read.
    pub output: Option<CheckRunOutput>,
}

/// What people read of a run that GitHub has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CheckRunOutput {
    /// One line.
    pub title: Option<String>,
    /// Markdown.
    pub summary: Option<String>,
    /// How many annotations it has.
    #[serde(default)]
    pub annotations_count: u32,
}

/// Which runs to list. Only those that this App made are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRunQuery {
    /// A commit, branch or tag.
    pub reference: String,
    /// Only runs of this name.
    pub check_name: Option<String>,
}

#[derive(Deserialize)]
struct CheckRunPage {
    check_runs: Vec<CheckRun>,
}

/// GitHub documents `YYYY-MM-DDTHH:MM:SSZ` and keeps no fractions.
pub(super) fn to_second(time: Timestamp) -> Timestamp {
    let rounding = jiff::TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Floor);
    time.round(rounding).unwrap_or(time)
}

fn as_second<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(to_second).serialize(serializer)
}

impl InstallationClient {
    /// Opens a run. Repeating it opens a second one: look for `external_id` before.
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::Validation`] for a commit that does not exist.
    pub async fn create_check_run(
        &self,
        repository: &RepositoryName,
        check_run: &NewCheckRun,
    ) -> Result<CheckRun, GitHubError> {
        self.write(Method::POST, self.repository_url(repository, &["check-runs"])?, check_run).await
    }

    /// Changes a run. Can be repeated, but for annotations, which are added each time.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn update_check_run(
        &self,
        repository: &RepositoryName,
        check_run: u64,
        update: &CheckRunUpdate,
    ) -> Result<CheckRun, GitHubError> {
        let url = self.repository_url(repository, &["check-runs", &check_run.to_string()])?;
        self.write(Method::PATCH, url, update).await
    }

    /// Every run that this App made for a commit, older ones of the same name too.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn list_check_runs(
        &self,
        repository: &RepositoryName,
        query: &CheckRunQuery,
    ) -> Result<Vec<CheckRun>, GitHubError> {
        let app_id = self.shared.identity.app_id;
        let mut url = self.repository_url(repository, &["commits", &query.reference, "check-runs"])?;
        url.query_pairs_mut().append_pair("filter", "all").append_pair("app_id", &app_id.to_string());
        if let Some(name) = &query.check_name {
            url.query_pairs_mut().append_pair("check_name", name);
        }
        let mut runs = self.pages(url, |page: CheckRunPage| page.check_runs).await?;
        // Servers that do not know the parameter give everybody's.
        runs.retain(|run| run.app.as_ref().is_none_or(|app| app.id == app_id));
        Ok(runs)
    }
}
