//! What starts a case: the short form of a test, filled in with what GitHub would send.

use serde_json::{Map, Value, json};

use super::fault::CaseFault;
use super::people::person;
use crate::approval::Person;
use crate::definition::test::{TestCase, TestPullRequest, TestTrigger, TriggerKey};
use crate::definition::trigger::{PullRequestAction, PullRequestTrigger, PushTrigger};
use crate::definition::{Process, Trigger};
use crate::execution::{PullRequestInfo, Subject, TriggerInfo};
use crate::source::{Span, Spanned};
use crate::value::Glob;

/// Who acts where a test does not say it.
const SOMEBODY: &str = "octocat";
/// The repository of every case.
pub(super) const REPOSITORY: &str = "octo-org/repository";
/// The commit whose definition every case follows.
pub(super) const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";
/// The head of a pull request where a test does not say it.
const HEAD: &str = "1111111111111111111111111111111111111111";

/// What starts a case.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub(super) trigger: TriggerInfo,
    pub(super) subject: Subject,
    pub(super) contributors: Vec<String>,
}

/// Fills in what starts a case.
///
/// # Errors
/// Where the process has no such trigger.
pub(super) fn start(process: &Process, case: &TestCase) -> Result<Start, CaseFault> {
    let nothing = TestTrigger::default();
    let given = case.trigger.as_ref().map_or(&nothing, |trigger| &trigger.value);
    let key = key(process, given);
    let found =
        process.header.triggers.iter().flatten().map(|trigger| &trigger.value).find(|t| t.key() == key.as_str());
    let by_hand = key == TriggerKey::Manual && process.starts_by_hand();
    if found.is_none() && !by_hand {
        let span = given.kind.as_ref().map(|kind| kind.span).filter(|span| !span.is_empty());
        let span = span.or(case.trigger.as_ref().map(|trigger| trigger.span)).unwrap_or(case.name.span);
        return Err(no_such_trigger(process, key, span));
    }
    let actor = actor(given);
    let shown = shows_pull_request(key, given);
    let info = shown.then(|| pull_request(given, found, &actor));
    let mut payload = payload(key, found, info.as_ref(), &actor);
    if let Some(own) = &given.payload {
        lay_over(&mut payload, &own.value);
    }
    let contributors = given.pull_request.iter().flat_map(|it| &it.contributors).map(|login| login.value.clone());
    let subject = Subject {
        number: info.as_ref().map(|info| info.number),
        is_pull_request: info.is_some(),
        head_sha: info.as_ref().map_or_else(|| REVISION.to_owned(), |info| info.head_sha.clone()),
        author: info.as_ref().map(|info| person(&info.author)),
    };
    let kind = key.as_str().to_owned();
    Ok(Start {
        contributors: contributors.collect(),
        trigger: TriggerInfo { kind, actor: is_by_somebody(key, given).then_some(actor), payload, pull_request: info },
        subject,
    })
}

/// The trigger that is meant: the one that is named, that of a pull request where one is given, by hand where that is
/// allowed, otherwise the process's first.
fn key(process: &Process, given: &TestTrigger) -> TriggerKey {
    if let Some(kind) = &given.kind {
        return kind.value;
    }
    let triggers = process.header.triggers.as_deref().unwrap_or_default();
    let has = |key: TriggerKey| triggers.iter().any(|trigger| trigger.key() == key.as_str());
    if given.pull_request.is_some() && has(TriggerKey::PullRequest) {
        return TriggerKey::PullRequest;
    }
    if process.starts_by_hand() {
        return TriggerKey::Manual;
    }
    triggers.first().map_or(TriggerKey::Manual, |trigger| key_of(&trigger.value))
}

fn key_of(trigger: &Trigger) -> TriggerKey {
    match trigger {
        Trigger::Manual => TriggerKey::Manual,
        Trigger::PullRequest(_) => TriggerKey::PullRequest,
        Trigger::Push(_) => TriggerKey::Push,
        Trigger::Comment(_) => TriggerKey::Comment,
        Trigger::Schedule(_) => TriggerKey::Schedule,
        Trigger::Webhook(_) => TriggerKey::Webhook,
        Trigger::Event(_) => TriggerKey::Event,
        Trigger::RepositoryDispatch(_) => TriggerKey::RepositoryDispatch,
        Trigger::Process(_) => TriggerKey::Process,
        Trigger::Deployment(_) => TriggerKey::Deployment,
        Trigger::MergeGroup => TriggerKey::MergeGroup,
    }
}

fn no_such_trigger(process: &Process, key: TriggerKey, span: Span) -> CaseFault {
    let name = process.header.name.as_str();
    let mut known: Vec<&str> = process.header.triggers.iter().flatten().map(|trigger| trigger.key()).collect();
    known.dedup();
    let known = if known.is_empty() {
        "it is started by hand only: `manual`".to_owned()
    } else {
        format!("it has: {}", known.join(", "))
    };
    CaseFault::new(span, format!("process `{name}` has no trigger `{}`", key.as_str())).help(known)
}

fn actor(given: &TestTrigger) -> Person {
    let author = given.pull_request.as_ref().and_then(|it| it.author.as_ref());
    person(given.actor.as_ref().or(author).map_or(SOMEBODY, |login| login.as_str()))
}

/// Whether somebody starts it: nobody need be behind a time, a webhook, an event or another process.
fn is_by_somebody(key: TriggerKey, given: &TestTrigger) -> bool {
    let by_nobody = [TriggerKey::Schedule, TriggerKey::Webhook, TriggerKey::Event, TriggerKey::Process];
    !by_nobody.contains(&key) || given.actor.is_some()
}

/// A comment is taken to be made on a pull request, as `validate` takes it; a start by hand only where one is given.
fn shows_pull_request(key: TriggerKey, given: &TestTrigger) -> bool {
    given.pull_request.is_some() || matches!(key, TriggerKey::PullRequest | TriggerKey::Comment)
}

fn pull_request(given: &TestTrigger, found: Option<&Trigger>, actor: &Person) -> PullRequestInfo {
    let empty = TestPullRequest::default();
    let own = given.pull_request.as_ref().map_or(&empty, |it| &it.value);
    let wanted = match found {
        Some(Trigger::PullRequest(wanted)) => Some(wanted),
        _ => None,
    };
    let number = own.number.unwrap_or(1);
    PullRequestInfo {
        number,
        title: own.title.clone().unwrap_or_else(|| "A change".to_owned()),
        author: own.author.as_ref().map_or_else(|| actor.login.clone(), |login| person(login.as_str()).login),
        head_sha: own.head_sha.clone().unwrap_or_else(|| HEAD.to_owned()),
        head: own.head.clone().unwrap_or_else(|| "change".to_owned()),
        base: own.base.clone().unwrap_or_else(|| branch(wanted.and_then(|wanted| wanted.branches.as_deref()))),
        labels: own.labels.clone().unwrap_or_else(|| wanted.map(labels).unwrap_or_default()),
        url: own.url.clone().unwrap_or_else(|| format!("https://github.com/{REPOSITORY}/pull/{number}")),
    }
}

/// The first branch that a trigger names without a wildcard, or `main`.
fn branch(branches: Option<&[Spanned<Glob>]>) -> String {
    let mut literal = branches.unwrap_or_default().iter().map(|glob| glob.value.to_string());
    literal.find(|glob| !glob.contains(['*', '?', '[', '{', '!'])).unwrap_or_else(|| "main".to_owned())
}

fn labels(wanted: &PullRequestTrigger) -> Vec<String> {
    wanted.labels.iter().flatten().take(1).map(|label| label.value.clone()).collect()
}

/// What comes with a trigger, in production's shape.
fn payload(key: TriggerKey, found: Option<&Trigger>, info: Option<&PullRequestInfo>, actor: &Person) -> Value {
    let number = info.map_or(1, |info| info.number);
    match (key, found) {
        (TriggerKey::PullRequest, Some(Trigger::PullRequest(wanted))) => {
            let action = wanted.actions.first().copied().unwrap_or(PullRequestAction::Opened);
            let of_label = matches!(action, PullRequestAction::Labeled | PullRequestAction::Unlabeled);
            let label = info.and_then(|info| info.labels.first()).filter(|_| of_label);
            json!({
                "action": action,
                "number": number,
                "label": label,
                "sender": actor.login,
                "draft": wanted.draft.unwrap_or(false),
                "merged": false,
                "body": "",
            })
        }
        (TriggerKey::Comment, Some(Trigger::Comment(word))) => {
            let url = format!("https://github.com/{REPOSITORY}/pull/{number}#issuecomment-1");
            json!({
                "comment": {"id": "1:0", "body": format!("/{}", word.word()), "author": actor.login, "url": url},
                "number": number,
                "arguments": {},
            })
        }
        (TriggerKey::Push, Some(Trigger::Push(wanted))) => push(wanted, actor),
        (TriggerKey::RepositoryDispatch, Some(Trigger::RepositoryDispatch(of))) => {
            json!({"action": of.value, "branch": "main", "client_payload": {}, "sender": {"login": actor.login}})
        }
        (TriggerKey::Deployment, Some(Trigger::Deployment(wanted))) => {
            let environment = wanted.environments.first().map_or("production", |name| name.value.as_str());
            let run = format!("https://api.github.com/repos/{REPOSITORY}/actions/runs/1");
            json!({
                "action": "requested",
                "environment": environment,
                "event": "push",
                "sha": HEAD,
                "ref": "refs/heads/main",
                "deployment_callback_url": format!("{run}/deployment_protection_rule"),
                "deployment": {"id": 1, "environment": environment, "sha": HEAD, "ref": "main", "task": "deploy"},
                "pull_requests": [],
                "sender": {"login": actor.login},
            })
        }
        (TriggerKey::MergeGroup, Some(Trigger::MergeGroup)) => json!({
            "action": "checks_requested",
            "merge_group": {
                "head_sha": HEAD,
                "head_ref": format!("refs/heads/gh-readonly-queue/main/pr-1-{REVISION}"),
                "base_sha": REVISION,
                "base_ref": "refs/heads/main",
            },
            "sender": {"login": actor.login},
        }),
        _ => Value::Object(Map::new()),
    }
}

fn push(wanted: &PushTrigger, actor: &Person) -> Value {
    let tag =
        wanted.tags.as_deref().filter(|_| wanted.branches.is_none()).map(|tags| match branch(Some(tags)).as_str() {
            "main" => "v1.0.0".to_owned(),
            tag => tag.to_owned(),
        });
    let branch = tag.is_none().then(|| branch(wanted.branches.as_deref()));
    let reference = match (&branch, &tag) {
        (Some(branch), _) => format!("refs/heads/{branch}"),
        (None, tag) => format!("refs/tags/{}", tag.as_deref().unwrap_or_default()),
    };
    json!({
        "ref": reference,
        "branch": branch,
        "tag": tag,
        "before": REVISION,
        "after": HEAD,
        "sender": actor.login,
    })
}

/// Lays a test's own values over those that were filled in.
fn lay_over(payload: &mut Value, own: &Value) {
    match (payload, own) {
        (Value::Object(payload), Value::Object(own)) => {
            for (key, value) in own {
                lay_over(payload.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (payload, own) => *payload = own.clone(),
    }
}
