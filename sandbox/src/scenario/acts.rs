//! The acts of a scenario as data, and how they are read.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_yaml::Value;

use super::ScenarioError;
use crate::faults::FaultRule;
use crate::state::ReviewState;

/// How long an act waits unless it says so.
const PATIENCE: Duration = Duration::from_secs(30);

/// Files by path; `null` deletes.
pub type Content = BTreeMap<String, Option<String>>;

/// One thing that happens.
#[derive(Debug, Clone)]
pub enum Act {
    /// Somebody opens a pull request; it is "the" pull request from then on.
    PullRequest(PullRequest),
    /// Somebody comments on it.
    Comment(Note),
    /// Somebody changes the last comment.
    EditComment(Note),
    /// Somebody deletes the last comment.
    DeleteComment(By),
    /// Somebody reviews it.
    Review(Review),
    /// Somebody takes the last review back.
    DismissReview(By),
    /// Somebody pushes to its branch.
    Push(PushFiles),
    /// Somebody replaces the last commit of its branch.
    ForcePush(PushFiles),
    /// Somebody presses a check run's button.
    Press(Press),
    /// Somebody asks for a check run again.
    Rerequest(Press),
    /// Somebody puts a label on.
    Label(Labelled),
    /// Somebody takes a label off.
    Unlabel(Labelled),
    /// Somebody closes it.
    Close(By),
    /// Somebody opens it again.
    Reopen(By),
    /// Somebody says that the draft is ready.
    Ready(By),
    /// Somebody merges it.
    Merge(By),
    /// Somebody deletes its branch.
    DeleteBranch(By),
    /// The newest run of a workflow ends.
    WorkflowEnds(WorkflowEnds),
    /// Time passes on the sandbox's clock.
    AdvanceClock(Span),
    /// Something shall go wrong.
    Fault(FaultRule),
    /// Nobody does anything until it is so.
    WaitFor(Wait),
    /// It is so now.
    Expect(Expectation),
}

/// A pull request to be opened.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PullRequest {
    /// Who opens it.
    pub by: String,
    /// One line.
    pub title: String,
    /// Markdown.
    #[serde(default)]
    pub body: Option<String>,
    /// The branch; made when missing.
    pub head: String,
    /// The branch to merge into; the default branch without it.
    #[serde(default)]
    pub base: String,
    /// Put on once it is open.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Committed first.
    #[serde(default)]
    pub files: Content,
    /// Whether it is a draft.
    #[serde(default)]
    pub draft: bool,
}

/// Who does it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct By {
    /// The login.
    pub by: String,
    /// Why, where GitHub asks.
    #[serde(default)]
    pub message: Option<String>,
}

/// Words by somebody.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The login.
    pub by: String,
    /// Markdown.
    pub body: String,
}

/// A review.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// The login.
    pub by: String,
    /// `approve`, `request_changes` or `comment`.
    #[serde(deserialize_with = "review_state")]
    pub state: ReviewState,
    /// Markdown.
    #[serde(default)]
    pub body: String,
}

/// A commit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushFiles {
    /// The login.
    pub by: String,
    /// What changes.
    pub files: Content,
    /// The commit message.
    #[serde(default)]
    pub message: Option<String>,
    /// Another branch than the pull request's.
    #[serde(default)]
    pub branch: Option<String>,
}

/// A button, or a whole check run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Press {
    /// The login.
    pub by: String,
    /// The check run's name.
    pub check: String,
    /// The button's identifier (not for `rerequest`).
    #[serde(default)]
    pub button: String,
}

/// A label.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labelled {
    /// The login.
    pub by: String,
    /// The label's name.
    pub label: String,
}

/// How a run of a workflow ends.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkflowEnds {
    /// The workflow's file name.
    pub workflow: String,
    /// GitHub's word for it.
    #[serde(default = "success")]
    pub conclusion: String,
    /// What it keeps in the artifact `flowctl-output`.
    #[serde(default)]
    pub output: Option<serde_json::Value>,
}

fn success() -> String {
    "success".to_owned()
}

/// A stretch of time: `90s`, `5m`, `2h`, `14d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

/// What to wait for: exactly one of `check`, `reaction`, `comment_contains`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// The newest check run of this name on the head commit…
    #[serde(default)]
    pub check: Option<String>,
    /// …has this status…
    #[serde(default)]
    pub status: Option<String>,
    /// …and this conclusion…
    #[serde(default)]
    pub conclusion: Option<String>,
    /// …and shows this button…
    #[serde(default)]
    pub button: Option<String>,
    /// …and its title, summary or text holds this.
    #[serde(default)]
    pub contains: Option<String>,
    /// Somebody reacted like this to the last comment of the scenario.
    #[serde(default)]
    pub reaction: Option<String>,
    /// What the reaction is on: `last_comment`, the only choice.
    #[serde(default)]
    pub on: Option<String>,
    /// The App commented something that holds this.
    #[serde(default)]
    pub comment_contains: Option<String>,
    /// Whether only what came after the last thing that people did counts.
    #[serde(default)]
    pub fresh: bool,
    /// How long, 30 s without it.
    #[serde(default = "patience")]
    pub within: Span,
}

/// What must be so now; all that is given.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The newest check run of this name on the head commit…
    #[serde(default)]
    pub check: Option<String>,
    /// …has this status…
    #[serde(default)]
    pub status: Option<String>,
    /// …and this conclusion.
    #[serde(default)]
    pub conclusion: Option<String>,
    /// So many comments of the App carry a marker `<!-- NAME:execution:ID -->`.
    #[serde(default)]
    pub sticky_comments: Option<usize>,
    /// So many comments of the App there are.
    #[serde(default)]
    pub app_comments: Option<usize>,
    /// One of the App's comments holds this.
    #[serde(default)]
    pub comment_contains: Option<String>,
    /// Whether the pull request is merged.
    #[serde(default)]
    pub merged: Option<bool>,
}

fn patience() -> Span {
    Span(PATIENCE)
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || D::Error::custom(format!("`{text}` is no duration: write 500ms, 30s, 5m, 2h or 14d"));
        let at = text.find(|character: char| !character.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(at);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        number.checked_mul(milliseconds).map(|whole| Self(Duration::from_millis(whole))).ok_or_else(wrong)
    }
}

fn review_state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ReviewState, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "approve" => Ok(ReviewState::Approved),
        "request_changes" => Ok(ReviewState::ChangesRequested),
        "comment" => Ok(ReviewState::Commented),
        other => Err(D::Error::custom(format!("`{other}` is no review: write approve, request_changes or comment"))),
    }
}

/// The names of all acts, as a scenario writes them.
const NAMES: [&str; 22] = [
    "pull_request",
    "comment",
    "edit_comment",
    "delete_comment",
    "review",
    "dismiss_review",
    "push",
    "force_push",
    "press",
    "rerequest",
    "label",
    "unlabel",
    "close",
    "reopen",
    "ready",
    "merge",
    "delete_branch",
    "advance_clock",
    "fault",
    "wait_for",
    "expect",
    "workflow_ends",
];

/// Reads the act at place `number`.
pub(super) fn read(number: usize, value: Value) -> Result<Act, ScenarioError> {
    let fault = |act: &str, reason: String| ScenarioError::UnreadableAct { number, act: act.to_owned(), reason };
    let mut entries = match value {
        Value::Mapping(mapping) => mapping.into_iter(),
        _ => {
            return Err(fault(
                "?",
                "an act is a mapping with one key, such as `comment: {by: alice, body: hello}`".to_owned(),
            ));
        }
    };
    let (Some((key, value)), None) = (entries.next(), entries.next()) else {
        return Err(fault("?", "an act has exactly one key; start each with its own `-`".to_owned()));
    };
    let name = key.as_str().unwrap_or("?").to_owned();
    let act = read_named(&name, value)
        .ok_or_else(|| fault(&name, format!("there is no such act; there are {}", NAMES.join(", "))))?;
    let act = act.map_err(|error| fault(&name, error.to_string()))?;
    act.check().map_err(|reason| fault(&name, reason))?;
    Ok(act)
}

fn read_named(name: &str, value: Value) -> Option<Result<Act, serde_yaml::Error>> {
    fn as_act<T: DeserializeOwned>(value: Value, make: fn(T) -> Act) -> Result<Act, serde_yaml::Error> {
        serde_yaml::from_value(value).map(make)
    }
    Some(match name {
        "pull_request" => as_act(value, Act::PullRequest),
        "comment" => as_act(value, Act::Comment),
        "edit_comment" => as_act(value, Act::EditComment),
        "delete_comment" => as_act(value, Act::DeleteComment),
        "review" => as_act(value, Act::Review),
        "dismiss_review" => as_act(value, Act::DismissReview),
        "push" => as_act(value, Act::Push),
        "force_push" => as_act(value, Act::ForcePush),
        "press" => as_act(value, Act::Press),
        "rerequest" => as_act(value, Act::Rerequest),
        "label" => as_act(value, Act::Label),
        "unlabel" => as_act(value, Act::Unlabel),
        "close" => as_act(value, Act::Close),
        "reopen" => as_act(value, Act::Reopen),
        "ready" => as_act(value, Act::Ready),
        "merge" => as_act(value, Act::Merge),
        "delete_branch" => as_act(value, Act::DeleteBranch),
        "advance_clock" => as_act(value, Act::AdvanceClock),
        "fault" => as_act(value, Act::Fault),
        "wait_for" => as_act(value, Act::WaitFor),
        "expect" => as_act(value, Act::Expect),
        "workflow_ends" => as_act(value, Act::WorkflowEnds),
        _ => return None,
    })
}

impl Act {
    /// The name that a scenario writes.
    pub fn name(&self) -> &'static str {
        let at = match self {
            Self::PullRequest(_) => 0,
            Self::Comment(_) => 1,
            Self::EditComment(_) => 2,
            Self::DeleteComment(_) => 3,
            Self::Review(_) => 4,
            Self::DismissReview(_) => 5,
            Self::Push(_) => 6,
            Self::ForcePush(_) => 7,
            Self::Press(_) => 8,
            Self::Rerequest(_) => 9,
            Self::Label(_) => 10,
            Self::Unlabel(_) => 11,
            Self::Close(_) => 12,
            Self::Reopen(_) => 13,
            Self::Ready(_) => 14,
            Self::Merge(_) => 15,
            Self::DeleteBranch(_) => 16,
            Self::AdvanceClock(_) => 17,
            Self::Fault(_) => 18,
            Self::WaitFor(_) => 19,
            Self::Expect(_) => 20,
            Self::WorkflowEnds(_) => 21,
        };
        NAMES[at]
    }

    /// Who acts, when somebody does.
    pub fn person(&self) -> Option<&str> {
        Some(match self {
            Self::PullRequest(act) => &act.by,
            Self::Comment(act) | Self::EditComment(act) => &act.by,
            Self::Review(act) => &act.by,
            Self::Push(act) | Self::ForcePush(act) => &act.by,
            Self::Press(act) | Self::Rerequest(act) => &act.by,
            Self::Label(act) | Self::Unlabel(act) => &act.by,
            Self::DeleteComment(act) | Self::DismissReview(act) | Self::Close(act) | Self::Reopen(act) => &act.by,
            Self::Ready(act) | Self::Merge(act) | Self::DeleteBranch(act) => &act.by,
            Self::AdvanceClock(_) | Self::Fault(_) | Self::WaitFor(_) | Self::Expect(_) | Self::WorkflowEnds(_) => {
                return None;
            }
        })
    }

    /// One line for those who watch.
    pub fn describe(&self) -> String {
        match self {
            Self::PullRequest(act) => format!("{} opens a pull request: {}", act.by, act.title),
            Self::Comment(act) => format!("{} comments: {}", act.by, act.body.lines().next().unwrap_or_default()),
            Self::EditComment(act) => {
                format!("{} edits the comment: {}", act.by, act.body.lines().next().unwrap_or_default())
            }
            Self::DeleteComment(act) => format!("{} deletes the comment", act.by),
            Self::Review(act) => format!("{} reviews: {}", act.by, act.state.word().to_lowercase().replace('_', " ")),
            Self::DismissReview(act) => format!("{} dismisses the review", act.by),
            Self::Push(act) => format!("{} pushes: {}", act.by, act.message.as_deref().unwrap_or("a commit")),
            Self::ForcePush(act) => {
                format!("{} force-pushes: {}", act.by, act.message.as_deref().unwrap_or("a commit"))
            }
            Self::Press(act) => format!("{} presses `{}` on {}", act.by, act.button, act.check),
            Self::Rerequest(act) => format!("{} re-runs {}", act.by, act.check),
            Self::Label(act) => format!("{} adds the label {}", act.by, act.label),
            Self::Unlabel(act) => format!("{} removes the label {}", act.by, act.label),
            Self::Close(act) => format!("{} closes it", act.by),
            Self::Reopen(act) => format!("{} reopens it", act.by),
            Self::Ready(act) => format!("{} marks it as ready", act.by),
            Self::Merge(act) => format!("{} merges it", act.by),
            Self::DeleteBranch(act) => format!("{} deletes the branch", act.by),
            Self::WorkflowEnds(ends) => format!("the workflow {} ends: {}", ends.workflow, ends.conclusion),
            Self::AdvanceClock(span) => format!("{} s pass", span.0.as_secs()),
            Self::Fault(_) => "something is about to go wrong".to_owned(),
            Self::WaitFor(wait) => format!("waiting for {}", wait.describe()),
            Self::Expect(_) => "looking at the outcome".to_owned(),
        }
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Self::WaitFor(wait) => wait.check(),
            Self::Press(press) if press.button.is_empty() => Err("missing field `button`".to_owned()),
            _ => Ok(()),
        }
    }
}

impl Wait {
    fn check(&self) -> Result<(), String> {
        let kinds = [self.check.is_some(), self.reaction.is_some(), self.comment_contains.is_some()];
        if kinds.iter().filter(|given| **given).count() != 1 {
            return Err("wait for exactly one of `check`, `reaction`, `comment_contains`".to_owned());
        }
        let about_check = [&self.status, &self.conclusion, &self.button, &self.contains];
        if self.check.is_none() && about_check.iter().any(|field| field.is_some()) {
            return Err("`status`, `conclusion`, `button` and `contains` belong to `check`".to_owned());
        }
        if self.on.as_deref().is_some_and(|on| on != "last_comment") {
            return Err("`on` can only be `last_comment`".to_owned());
        }
        Ok(())
    }

    pub(super) fn describe(&self) -> String {
        if let Some(check) = &self.check {
            let wanted = [&self.status, &self.conclusion].into_iter().flatten().cloned();
            let button = self.button.iter().map(|button| format!("with the button {button}"));
            let contains = self.contains.iter().map(|text| format!("with “{text}”"));
            let wanted: Vec<_> = wanted.chain(button).chain(contains).collect();
            return format!("{check} to be {}", if wanted.is_empty() { "there".to_owned() } else { wanted.join(", ") });
        }
        match (&self.reaction, &self.comment_contains) {
            (Some(reaction), _) => format!("the reaction {reaction}"),
            (_, Some(text)) => format!("a comment with “{text}”"),
            _ => "nothing".to_owned(),
        }
    }
}
