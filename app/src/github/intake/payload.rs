//! The fields of GitHub's payloads that are used, and no others: what GitHub adds or leaves out elsewhere cannot hurt.
//! Names are GitHub's (<https://docs.github.com/en/webhooks/webhook-events-and-payloads>).

use jiff::Timestamp;
use serde::Deserialize;

use crate::github::client::{AppReference, CheckRunOutput, Label, User};

#[derive(Debug, Clone, Deserialize)]
pub(super) struct PullRequestEvent {
    pub(super) action: String,
    pub(super) number: u64,
    pub(super) sender: User,
    /// The label that was added or removed.
    pub(super) label: Option<Label>,
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
    pub(super) sender: User,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ReviewReference {
    pub(super) id: u64,
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
    #[serde(default)]
    pub(super) pull_requests: Vec<Numbered>,
    pub(super) app: Option<AppReference>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct InstallationEvent {
    pub(super) action: String,
    pub(super) installation: Installation,
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
