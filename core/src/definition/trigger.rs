//! `triggers`: what starts an execution.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Text;
use crate::source::Spanned;
use crate::value::{Cron, Glob, Slug, TimeZoneName};

/// One trigger: `manual`, or a mapping with one key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A person or the API starts it.
    Manual,
    /// Something happened to a pull request.
    PullRequest(PullRequestTrigger),
    /// A push to a branch or tag.
    Push(PushTrigger),
    /// A comment that begins with this word.
    Comment(Spanned<CommentWord>),
    /// A time table.
    Schedule(Box<ScheduleTrigger>),
    /// A signed incoming call.
    Webhook(WebhookTrigger),
    /// An event given to the API, by name.
    Event(Spanned<String>),
    /// GitHub's `repository_dispatch`, by event type.
    RepositoryDispatch(Spanned<String>),
    /// Another process ended.
    Process(ProcessTrigger),
    /// A deployment waits for a protection rule.
    Deployment(DeploymentTrigger),
    /// A merge group was formed.
    MergeGroup,
}

impl Trigger {
    /// Whether what it starts may belong to a pull request or an issue. A start by hand may: `/run` in a comment.
    pub fn may_have_pull_request(&self) -> bool {
        matches!(self, Self::PullRequest(_) | Self::Comment(_) | Self::Manual)
    }

    /// The key that an author writes.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::PullRequest(_) => "pull_request",
            Self::Push(_) => "push",
            Self::Comment(_) => "comment",
            Self::Schedule(_) => "schedule",
            Self::Webhook(_) => "webhook",
            Self::Event(_) => "event",
            Self::RepositoryDispatch(_) => "repository_dispatch",
            Self::Process(_) => "process",
            Self::Deployment(_) => "deployment",
            Self::MergeGroup => "merge_group",
        }
    }
}

/// `pull_request`: each key that is given must match.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PullRequestTrigger {
    /// What happened (opened, reopened, synchronize).
    #[serde(default = "usual_actions")]
    #[schemars(length(min = 1))]
    pub actions: Vec<PullRequestAction>,
    /// The base branch.
    #[serde(default)]
    pub branches: Option<Vec<Spanned<Glob>>>,
    /// Some changed path.
    #[serde(default)]
    pub paths: Option<Vec<Spanned<Glob>>>,
    /// The pull request has one of these labels; with action `labeled`, the label just added.
    #[serde(default)]
    pub labels: Option<Vec<Spanned<String>>>,
    /// Only drafts, or only others.
    #[serde(default)]
    pub draft: Option<bool>,
}

/// GitHub's `pull_request` actions that can start a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PullRequestAction {
    /// Opened.
    Opened,
    /// Opened again.
    Reopened,
    /// New commits.
    Synchronize,
    /// A label was added.
    Labeled,
    /// A label was removed.
    Unlabeled,
    /// No longer a draft.
    ReadyForReview,
    /// A draft again.
    ConvertedToDraft,
    /// Title, body or base changed.
    Edited,
    /// Closed, merged or not.
    Closed,
}

/// What starts a process where `actions` is not written: GitHub Actions' own default.
fn usual_actions() -> Vec<PullRequestAction> {
    vec![PullRequestAction::Opened, PullRequestAction::Reopened, PullRequestAction::Synchronize]
}

/// `push`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PushTrigger {
    /// Branches.
    #[serde(default)]
    pub branches: Option<Vec<Spanned<Glob>>>,
    /// Tags.
    #[serde(default)]
    pub tags: Option<Vec<Spanned<Glob>>>,
    /// Some changed path.
    #[serde(default)]
    pub paths: Option<Vec<Spanned<Glob>>>,
}

/// `schedule`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleTrigger {
    /// Five fields: minute, hour, day of month, month, day of week.
    pub cron: Spanned<Cron>,
    /// An IANA time zone (UTC).
    #[serde(default)]
    pub timezone: Option<Spanned<TimeZoneName>>,
    /// What to do about times missed while the server was down (run_once).
    #[serde(default)]
    pub missed: MissedRuns,
}

/// What to do about times missed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissedRuns {
    /// One execution for all of them.
    #[default]
    RunOnce,
    /// None.
    Skip,
}

/// `webhook`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookTrigger {
    /// The name of the secret that signs the calls: `{{ secrets.NAME }}`.
    pub secret: Text,
}

impl WebhookTrigger {
    /// The name of the secret, where it is named by nothing but `{{ secrets.NAME }}`.
    #[must_use]
    pub fn secret_name(&self) -> Option<&str> {
        let inside = self.secret.value.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
        let name = inside.strip_prefix("secrets.")?;
        let is_name = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_name(name).then_some(name)
    }
}

/// `process`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessTrigger {
    /// The other process.
    pub name: Spanned<Slug>,
    /// How it ended (completed).
    #[serde(default)]
    pub on: ProcessEnd,
}

/// How another process ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProcessEnd {
    /// It completed.
    #[default]
    Completed,
    /// It failed.
    Failed,
}

/// `deployment`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeploymentTrigger {
    /// Environments; others are left alone.
    #[schemars(length(min = 1))]
    pub environments: Vec<Spanned<String>>,
}

/// The word of a comment trigger with its slash: `/release`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = r"^/[a-z][a-z0-9-]*$"))]
pub struct CommentWord(String);

impl CommentWord {
    /// The word without its slash.
    pub fn word(&self) -> &str {
        self.0.trim_start_matches('/')
    }
}

impl TryFrom<String> for CommentWord {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let word = text.strip_prefix('/').unwrap_or_default();
        let sound = word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if sound {
            Ok(Self(text))
        } else {
            Err(format!("`{text}` is not a comment trigger: write a slash and a word, as in `/release`"))
        }
    }
}

impl From<CommentWord> for String {
    fn from(word: CommentWord) -> Self {
        word.0
    }
}
