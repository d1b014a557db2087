//! A pull request that touches `.flow/`: its definitions are validated and the findings shown on its head.
//! They are read as data; nothing of them runs.

use std::collections::BTreeSet;

use flowctl_core::validate::{Report, Severity};

use super::Trouble;
use super::scope::Scope;
use super::source::{Change, Validation};
use crate::github::client::PullRequest;
use crate::github::outbox::{Effect, Level, Remark, Validated};
use crate::github::wording::preview::previews;
use crate::github::wording::validate::{remark, summary, title};

/// More remarks than this help nobody, and each fifty cost a request.
const MOST_REMARKS: usize = 500;

/// Has the definitions at a pull request's head validated and the result shown; `instead_of` an earlier run.
pub(super) async fn show(
    scope: &Scope<'_>,
    pull_request: &PullRequest,
    instead_of: Option<u64>,
) -> Result<(), Trouble> {
    let change = super::pull_request::change(pull_request);
    show_change(scope, &change, &pull_request.head.sha, instead_of).await
}

/// The same for a group of the merge queue, which waits for every required check.
pub(super) async fn show_if_wanted(scope: &Scope<'_>, change: &Change, head_sha: &str) -> Result<(), Trouble> {
    let changed = scope.inner.source.changed_paths(&scope.tenant, &scope.name(), change).await?;
    if is_wanted(scope, &changed).await? { show_change(scope, change, head_sha, None).await } else { Ok(()) }
}

/// Whether there is something to say about a change: it touches definitions, or the repository has some and wants the
/// check on every change. GitHub waits for ever for a required check that never comes
/// (<https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/collaborating-on-repositories-with-code-quality-features/troubleshooting-required-status-checks>).
pub(super) async fn is_wanted(scope: &Scope<'_>, changed: &BTreeSet<String>) -> Result<bool, Trouble> {
    if changed.iter().any(|path| path.starts_with(DEFINITIONS)) {
        return Ok(true);
    }
    let published = scope.published().await?;
    let has_definitions = !published.processes.is_empty() || !published.unreadable.is_empty();
    let settings = published.settings.as_ref();
    Ok(has_definitions && settings.is_none_or(|settings| settings.validate.every_pull_request))
}

/// Below it lie definitions.
const DEFINITIONS: &str = ".flow/";

async fn show_change(
    scope: &Scope<'_>,
    change: &Change,
    head_sha: &str,
    instead_of: Option<u64>,
) -> Result<(), Trouble> {
    let source = &scope.inner.source;
    let found = source.validated(&scope.tenant, &scope.name(), change).await?;
    let Validation { report, difference, fails_on_weakening, previews: played } = &found;
    let played = previews(played, scope.repository.owner());
    let weakened = *fails_on_weakening && !difference.weakenings.is_empty();
    let validated = Validated {
        repository: scope.repository.clone(),
        head_sha: head_sha.to_owned(),
        instead_of,
        is_sound: report.summary.errors == 0 && !weakened,
        title: title(report, difference),
        summary: summary(report, difference, *fails_on_weakening, &played),
        remarks: remarks(report),
    };
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
