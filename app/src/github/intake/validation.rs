//! The check `flowctl / validate` of pull requests and merge groups: definitions that a change touches are validated and
//! the findings shown on its head.
//! They are read as data; nothing of them runs.

use std::collections::BTreeSet;

use flowctl_core::validate::{Report, Severity};

use super::Trouble;
use super::scope::Scope;
use super::source::{Change, Validation};
use crate::github::client::PullRequest;
use crate::github::outbox::{Effect, Level, Remark, Validated};
use crate::github::wording::preview::previews;
use crate::github::wording::validate::{remark, summary, title, untouched};

/// More remarks than this help nobody, and each fifty cost a request.
const MOST_REMARKS: usize = 500;

/// Below it lie definitions.
const DEFINITIONS: &str = ".flow/";

/// A change whose definitions are looked at, and the commit that the result is shown on.
pub(super) struct Looked<'a> {
    pub(super) change: &'a Change,
    pub(super) head_sha: &'a str,
    /// What makes it another look at the same commit: a run that it takes the place of, or a new base.
    pub(super) again: Option<String>,
}

/// *Re-run* of the check: shown anew in the place of `run`.
pub(super) async fn show_again(scope: &Scope<'_>, pull_request: &PullRequest, run: u64) -> Result<(), Trouble> {
    let change = super::pull_request::change(pull_request);
    let changed = scope.inner.source.changed_paths(&scope.tenant, &scope.name(), &change).await?;
    let looked = Looked { change: &change, head_sha: &pull_request.head.sha, again: Some(run.to_string()) };
    if touches_definitions(&changed) { show(scope, &looked).await } else { show_untouched(scope, &looked).await }
}

/// Has the check shown where there is something to say about a change: it touches definitions, or the repository has
/// some and wants the check on every change. GitHub waits for ever for a required check that never comes
/// (<https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/collaborating-on-repositories-with-code-quality-features/troubleshooting-required-status-checks>).
pub(super) async fn show_if_wanted(
    scope: &Scope<'_>,
    looked: &Looked<'_>,
    changed: &BTreeSet<String>,
) -> Result<(), Trouble> {
    if touches_definitions(changed) {
        return show(scope, looked).await;
    }
    let published = scope.published().await?;
    let has_definitions = !published.processes.is_empty() || !published.unreadable.is_empty();
    let settings = published.settings.as_ref();
    if has_definitions && settings.is_none_or(|settings| settings.validate.every_pull_request) {
        return show_untouched(scope, looked).await;
    }
    Ok(())
}

fn touches_definitions(changed: &BTreeSet<String>) -> bool {
    changed.iter().any(|path| path.starts_with(DEFINITIONS))
}

/// What the base has wrong already is not this change's fault.
async fn show_untouched(scope: &Scope<'_>, looked: &Looked<'_>) -> Result<(), Trouble> {
    let (title, summary) = untouched();
    tell(scope, looked, Said { is_sound: true, title, summary, remarks: Vec::new() }).await
}

async fn show(scope: &Scope<'_>, looked: &Looked<'_>) -> Result<(), Trouble> {
    let source = &scope.inner.source;
    let found = source.validated(&scope.tenant, &scope.name(), looked.change).await?;
    let Validation { report, difference, fails_on_weakening, previews: played } = &found;
    let played = previews(played, scope.repository.owner());
    let weakened = *fails_on_weakening && !difference.weakenings.is_empty();
    let said = Said {
        is_sound: report.summary.errors == 0 && !weakened,
        title: title(report, difference),
        summary: summary(report, difference, *fails_on_weakening, &played),
        remarks: remarks(report),
    };
    tell(scope, looked, said).await
}

/// What the check says.
struct Said {
    is_sound: bool,
    title: String,
    summary: String,
    remarks: Vec<Remark>,
}

async fn tell(scope: &Scope<'_>, looked: &Looked<'_>, said: Said) -> Result<(), Trouble> {
    let Said { is_sound, title, summary, remarks } = said;
    let (repository, head_sha, again) = (scope.address(), looked.head_sha.to_owned(), looked.again.clone());
    let (pull_request, base_sha) = match looked.change {
        Change::PullRequest { number, base, .. } => (Some(*number), base.clone()),
        Change::Push { before, .. } => (None, before.clone()),
    };
    let validated =
        Validated { repository, head_sha, pull_request, base_sha, again, is_sound, title, summary, remarks };
    scope.tell(vec![scope.show(&Effect::Validated(Box::new(validated)))]).await
}

fn remarks(report: &Report) -> Vec<Remark> {
    let remarks = report.findings.iter().take(MOST_REMARKS).map(remark);
    remarks
        .map(|remark| Remark {
            path: remark.path,
            start_line: remark.lines.0,
            end_line: remark.lines.1,
            columns: remark.columns,
            level: match remark.severity {
                Severity::Error => Level::Failure,
                Severity::Warning => Level::Warning,
                Severity::Info => Level::Notice,
            },
            title: remark.title,
            message: remark.message,
        })
        .collect()
}
