//! GitHub Actions: workflows are dispatched, their runs looked at and cancelled, artifacts fetched, and deployments that
//! wait for us reviewed (<https://docs.github.com/en/rest/actions>). What follows from an answer is decided by who calls.

use bytes::Bytes;
use http::{Method, StatusCode};
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::GitHubError;
use super::installation::InstallationClient;
use super::people::User;
use super::repository::RepositoryName;
use super::transport::Call;

/// A workflow that is to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkflowDispatch {
    /// The branch or tag.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The workflow's inputs; GitHub takes texts.
    pub inputs: IndexMap<String, String>,
    /// Whether the answer is to tell the run. Servers of before 2026 do not know it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    return_run_details: bool,
}

impl WorkflowDispatch {
    /// A dispatch on a branch or tag.
    #[must_use]
    pub fn new(reference: String, inputs: IndexMap<String, String>) -> Self {
        Self { reference, inputs, return_run_details: true }
    }
}

/// The run that a dispatch made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DispatchedRun {
    /// Its id.
    #[serde(rename = "workflow_run_id")]
    pub id: u64,
    /// Its page.
    pub html_url: String,
}

/// A run of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WorkflowRun {
    /// Its id.
    pub id: u64,
    /// Its page.
    pub html_url: String,
    /// `queued`, `in_progress`, `completed` …
    pub status: Option<String>,
    /// How it ended.
    pub conclusion: Option<String>,
    /// What started it.
    pub event: String,
    /// The branch or tag.
    pub head_branch: Option<String>,
    /// Its headline: `run-name`, where the workflow has one.
    pub display_title: Option<String>,
    /// Who started it.
    pub actor: Option<User>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A file that a run has kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Artifact {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its size as an archive.
    pub size_in_bytes: u64,
    /// Whether it was kept long enough to be deleted.
    pub expired: bool,
}

/// What we say about a deployment that waits for our protection rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentReview {
    /// The environment.
    pub environment_name: String,
    /// `approved` or `rejected`; nothing: only news.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<DeploymentState>,
    /// Words for people, in Markdown.
    pub comment: String,
}

/// Whether a deployment may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    /// It may.
    Approved,
    /// It may not.
    Rejected,
}

#[derive(Deserialize)]
struct RunPage {
    workflow_runs: Vec<WorkflowRun>,
}

#[derive(Deserialize)]
struct ArtifactPage {
    artifacts: Vec<Artifact>,
}

impl InstallationClient {
    /// Dispatches a workflow by its file's name. Gives the run where the server tells it. Repeating it runs the workflow
    /// again (<https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event>).
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::Validation`] where the workflow takes no dispatch or not these inputs.
    pub async fn dispatch_workflow(
        &self,
        repository: &RepositoryName,
        file: &str,
        dispatch: &WorkflowDispatch,
    ) -> Result<Option<DispatchedRun>, GitHubError> {
        match self.dispatch_once(repository, file, dispatch).await {
            // What it refuses has not been done.
            Err(GitHubError::Validation { message, errors, .. })
                if dispatch.return_run_details && speaks_of_details(&message, &errors) =>
            {
                let plain = WorkflowDispatch { return_run_details: false, ..dispatch.clone() };
                self.dispatch_once(repository, file, &plain).await
            }
            answered => answered,
        }
    }

    async fn dispatch_once(
        &self,
        repository: &RepositoryName,
        file: &str,
        dispatch: &WorkflowDispatch,
    ) -> Result<Option<DispatchedRun>, GitHubError> {
        let url = self.repository_url(repository, &["actions", "workflows", file, "dispatches"])?;
        let answer = self.request(&Call::with_body(Method::POST, url, dispatch)?).await?;
        if answer.status == StatusCode::NO_CONTENT { Ok(None) } else { answer.json().map(Some) }
    }

    /// Runs of a workflow that were dispatched since a moment, newest first.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn dispatched_runs(
        &self,
        repository: &RepositoryName,
        file: &str,
        since: Timestamp,
    ) -> Result<Vec<WorkflowRun>, GitHubError> {
        let mut url = self.repository_url(repository, &["actions", "workflows", file, "runs"])?;
        let since = super::check_run::to_second(since);
        url.query_pairs_mut()
            .append_pair("event", "workflow_dispatch")
            .append_pair("created", &format!(">={since}"))
            .append_pair("exclude_pull_requests", "true");
        self.pages(url, |page: RunPage| page.workflow_runs).await
    }

    /// A run.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn get_workflow_run(&self, repository: &RepositoryName, run: u64) -> Result<WorkflowRun, GitHubError> {
        self.get(self.run_url(repository, run, None)?).await
    }

    /// Asks a run to end. Can be repeated.
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::Conflict`] where it has ended.
    pub async fn cancel_workflow_run(&self, repository: &RepositoryName, run: u64) -> Result<(), GitHubError> {
        let url = self.run_url(repository, run, Some("cancel"))?;
        self.request(&Call { method: Method::POST, ..Call::get(url) }).await.map(drop)
    }

    /// The artifacts of a run that have this name, newest first.
    ///
    /// # Errors
    /// Any [`GitHubError`].
    pub async fn artifacts_of_run(
        &self,
        repository: &RepositoryName,
        run: u64,
        name: &str,
    ) -> Result<Vec<Artifact>, GitHubError> {
        let mut url = self.run_url(repository, run, Some("artifacts"))?;
        url.query_pairs_mut().append_pair("name", name);
        let mut artifacts = self.pages(url, |page: ArtifactPage| page.artifacts).await?;
        // Servers that do not know the parameter give all.
        artifacts.retain(|artifact| artifact.name == name);
        Ok(artifacts)
    }

    /// An artifact as a zip archive. It lies elsewhere; our token is not shown there.
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::Gone`] for one that has expired.
    pub async fn download_artifact(&self, repository: &RepositoryName, artifact: u64) -> Result<Bytes, GitHubError> {
        let url = self.repository_url(repository, &["actions", "artifacts", &artifact.to_string(), "zip"])?;
        let call = Call { archive: true, ..Call::get(url) };
        self.request(&call).await.map(|answer| answer.body)
    }

    /// Approves or rejects a deployment that waits for this App's protection rule
    /// (<https://docs.github.com/en/rest/actions/workflow-runs#review-custom-deployment-protection-rules-for-a-workflow-run>).
    ///
    /// # Errors
    /// Any [`GitHubError`]; [`GitHubError::Validation`] where nothing waits any more.
    pub async fn review_deployment(
        &self,
        repository: &RepositoryName,
        run: u64,
        review: &DeploymentReview,
    ) -> Result<(), GitHubError> {
        let url = self.run_url(repository, run, Some("deployment_protection_rule"))?;
        self.request(&Call::with_body(Method::POST, url, review)?).await.map(drop)
    }

    fn run_url(&self, repository: &RepositoryName, run: u64, rest: Option<&str>) -> Result<url::Url, GitHubError> {
        let run = run.to_string();
        let mut segments = vec!["actions", "runs", &run];
        segments.extend(rest);
        self.repository_url(repository, &segments)
    }
}

/// GitHub names a key that it does not know in its refusal.
fn speaks_of_details(message: &str, errors: &[String]) -> bool {
    errors.iter().map(String::as_str).chain([message]).any(|words| words.contains("return_run_details"))
}
