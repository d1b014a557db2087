//! The fields of GitHub's payloads that are used, and no others: what GitHub adds or leaves out elsewhere cannot hurt.
//! Names are GitHub's (<https://docs.github.com/en/webhooks/webhook-events-and-payloads>).

use jiff::Timestamp;
use serde::Deserialize;

use crate::github::client::{AppReference, CheckRunOutput, Label, RepositoryName, User};

#[derive(Debug, Clone, Deserialize)]
pub(super) struct PullRequestEvent {
    pub(super) action: String,
    pub(super) number: u64,
    pub(super) pull_request: Changed,
    pub(super) sender: User,
    /// The label that was added or removed.
    pub(super) label: Option<Label>,
    /// What an edit changed.
    pub(super) changes: Option<Changes>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Changes {
    /// Present where the base branch is another one.
    pub(super) base: Option<serde::de::IgnoredAny>,
}

/// What is taken of a pull request in a payload: as of when it is.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Changed {
    pub(super) updated_at: Timestamp,
    pub(super) closed_at: Option<Timestamp>,
    pub(super) head: Option<Head>,
    #[serde(default)]
    pub(super) merged: Option<bool>,
    /// The commit that a merge made on the base.
    #[serde(default)]
    pub(super) merge_commit_sha: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Head {
    pub(super) sha: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct RepositoryEvent {
    pub(super) action: String,
    #[serde(default)]
    pub(super) changes: RepositoryChanges,
}

/// What was so before (<https://docs.github.com/en/webhooks/webhook-events-and-payloads#repository>).
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct RepositoryChanges {
    pub(super) owner: Option<OwnerChange>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct OwnerChange {
    pub(super) from: FormerOwner,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct FormerOwner {
    pub(super) user: Option<Account>,
    pub(super) organization: Option<Account>,
}

/// The repository of a payload, as far as it is needed before anything else.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct OfRepository {
    pub(super) repository: Option<Identified>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Identified {
    pub(super) id: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct PushEvent {
    #[serde(rename = "ref")]
    pub(super) reference: String,
    pub(super) before: String,
    pub(super) after: String,
    #[serde(default)]
    pub(super) created: bool,
    #[serde(default)]
    pub(super) deleted: bool,
    #[serde(default)]
    pub(super) commits: Vec<PushedCommit>,
    pub(super) sender: User,
    #[serde(default)]
    pub(super) repository: PushedTo,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct PushedTo {
    pub(super) default_branch: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct PushedCommit {
    #[serde(default)]
    pub(super) added: Vec<String>,
    #[serde(default)]
    pub(super) removed: Vec<String>,
    #[serde(default)]
    pub(super) modified: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct IssueCommentEvent {
    pub(super) action: String,
    pub(super) issue: Issue,
    pub(super) comment: Comment,
    pub(super) sender: Option<User>,
    /// What the text was before, where it was edited.
    pub(super) changes: Option<TextChanges>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct TextChanges {
    pub(super) body: Option<Before>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Before {
    pub(super) from: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Issue {
    pub(super) number: u64,
    /// Present where the issue is a pull request.
    pub(super) pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Comment {
    pub(super) id: u64,
    pub(super) body: Option<String>,
    pub(super) user: Option<User>,
    pub(super) created_at: Timestamp,
    pub(super) html_url: Option<String>,
    pub(super) performed_via_github_app: Option<AppReference>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct PullRequestReviewEvent {
    pub(super) action: String,
    pub(super) review: ReviewReference,
    pub(super) pull_request: Numbered,
    /// Absent where nobody told of it and it was found by looking.
    pub(super) sender: Option<User>,
    /// What the text was before, where it was edited.
    pub(super) changes: Option<TextChanges>,
    /// Ours, where it was found by looking: it has a text, and what that was when it was submitted is not known.
    #[serde(default)]
    pub(super) text_left_out: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ReviewReference {
    pub(super) id: u64,
    pub(super) user: Option<User>,
    /// In a delivery `commented`, `approved` …; in a list of GitHub's in capitals.
    pub(super) state: Option<String>,
    pub(super) html_url: Option<String>,
    /// Its text when this happened; who may edit it later does not speak for its author.
    pub(super) body: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Numbered {
    pub(super) number: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct CheckRunEvent {
    pub(super) action: String,
    pub(super) check_run: CheckRun,
    pub(super) requested_action: Option<RequestedAction>,
    pub(super) sender: User,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct CheckRun {
    pub(super) id: u64,
    pub(super) name: String,
    #[serde(default)]
    pub(super) pull_requests: Vec<Numbered>,
    pub(super) head_sha: String,
    /// Where people see it.
    pub(super) html_url: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) app: Option<AppReference>,
    pub(super) output: Option<CheckRunOutput>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct RequestedAction {
    pub(super) identifier: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct CheckSuiteEvent {
    pub(super) action: String,
    pub(super) check_suite: CheckSuite,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct CheckSuite {
    pub(super) head_sha: String,
    pub(super) app: Option<AppReference>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct InstallationEvent {
    pub(super) action: String,
    pub(super) installation: Installation,
}

/// <https://docs.github.com/en/webhooks/webhook-events-and-payloads#installation_repositories>
#[derive(Debug, Clone, Deserialize)]
pub(super) struct InstallationRepositoriesEvent {
    pub(super) installation: Installation,
    pub(super) repositories_added: Vec<InstalledRepository>,
    pub(super) repositories_removed: Vec<InstalledRepository>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct InstalledRepository {
    pub(super) id: u64,
    pub(super) full_name: RepositoryName,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Installation {
    pub(super) id: u64,
    pub(super) account: Option<Account>,
    pub(super) suspended_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Account {
    pub(super) login: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::*;

    fn fixture<T: serde::de::DeserializeOwned>(name: &str) -> T {
        let path = format!("{}/../fixtures/payloads/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn payloads_are_read_with_their_64_bit_ids() {
        let comment: IssueCommentEvent = fixture("comment_by_bot");
        assert_eq!((comment.issue.number, comment.comment.id), (1, 9_000_000_007));
        assert!(comment.issue.pull_request.is_some() && comment.comment.user.unwrap().is_bot());
        let push: PushEvent = fixture("branch_deleted");
        assert!(push.deleted && push.reference == "refs/heads/release-1.4");
        let installation: InstallationEvent = fixture("installation_deleted");
        assert_eq!((installation.action.as_str(), installation.installation.id), ("deleted", 9_000_000_002));
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct WorkflowRunEvent {
    pub(super) action: String,
    pub(super) workflow_run: RunReference,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct RunReference {
    pub(super) id: u64,
    pub(super) conclusion: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct RepositoryDispatchEvent {
    /// The type that the caller chose.
    pub(super) action: String,
    pub(super) sender: User,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct MergeGroupEvent {
    pub(super) action: String,
    /// Why a group was destroyed.
    pub(super) reason: Option<String>,
    pub(super) merge_group: MergeGroup,
    pub(super) sender: User,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct MergeGroup {
    pub(super) head_sha: String,
    pub(super) base_sha: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct DeploymentEvent {
    pub(super) action: String,
    pub(super) environment: String,
    pub(super) deployment_callback_url: String,
    /// The commit that is to be deployed.
    pub(super) sha: Option<String>,
    pub(super) sender: User,
}
