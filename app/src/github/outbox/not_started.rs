//! Shows on a commit that a process should have started there and did not: who waits for its check, or has broken its
//! definition, reads why. Written once, and only where there is no page on which a comment could stand.

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::desired::check_name;
use super::failure::Failure;
use super::write::Writing;
use crate::crash::crash_point;
use crate::github::client::pace::Kind;
use crate::github::client::{
    CheckConclusion, CheckOutput, CheckRunQuery, CheckRunUpdate, CheckStatus, NewCheckRun, RepositoryName,
};

/// A process that did not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotStarted {
    /// Where.
    pub repository: Address,
    /// The commit that it would have been shown on.
    pub head_sha: String,
    /// The process.
    pub process: String,
    /// What should have started it: a delivery's id.
    pub because: String,
    /// Markdown: why it did not.
    pub summary: String,
}

impl NotStarted {
    /// What tells this run from others of its name.
    pub fn external_id(&self) -> String {
        format!("not-started:{}", self.because)
    }
}

/// Writes it, where an earlier attempt has not.
pub(super) async fn write(
    writing: &Writing<'_>,
    repository: &RepositoryName,
    not_started: &NotStarted,
) -> Result<(), Failure> {
    let NotStarted { head_sha, process, summary, .. } = not_started;
    let name = check_name(process);
    let query = CheckRunQuery { reference: head_sha.clone(), check_name: Some(name.clone()) };
    let external_id = not_started.external_id();
    let runs = writing.client.list_check_runs(repository, &query).await?;
    if runs.iter().any(|run| run.external_id.as_deref() == Some(external_id.as_str())) {
        return Ok(());
    }
    let now = writing.outbox.clock.now();
    let output = CheckOutput { title: "did not start".to_owned(), summary: summary.clone(), ..CheckOutput::default() };
    let new = NewCheckRun {
        name,
        head_sha: head_sha.clone(),
        fields: CheckRunUpdate {
            external_id: Some(external_id),
            status: Some(CheckStatus::Completed),
            conclusion: Some(CheckConclusion::Failure),
            started_at: Some(now),
            completed_at: Some(now),
            output: Some(output),
            ..CheckRunUpdate::default()
        },
    };
    let request = writing.client.create_check_run(repository, &new);
    writing.write(Kind::Creates, request).await?;
    crash_point("effect.recorded");
    Ok(())
}
