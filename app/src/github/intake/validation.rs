//! A pull request that touches `.flow/`: its definitions are validated and the findings shown on its head.
//! They are read as data; nothing of them runs.

use flowctl_core::validate::{Report, Severity};

use super::Trouble;
use super::scope::Scope;
use super::source::Validation;
use crate::github::client::PullRequest;
use crate::github::outbox::{Effect, Level, Remark, Validated};
use crate::github::wording::validate::{remark, summary, title};

/// More remarks than this help nobody, and each fifty cost a request.
const MOST_REMARKS: usize = 500;

/// Has the definitions at a pull request's head validated and the result shown; `instead_of` an earlier run.
pub(super) async fn show(
    scope: &Scope<'_>,
    pull_request: &PullRequest,
    instead_of: Option<u64>,
) -> Result<(), Trouble> {
    let source = &scope.inner.source;
    let found = source.validated(&scope.tenant, &scope.name(), &super::pull_request::change(pull_request)).await?;
    let Validation { report, difference, fails_on_weakening } = &found;
    let weakened = *fails_on_weakening && !difference.weakenings.is_empty();
    let validated = Validated {
        repository: scope.repository.clone(),
        head_sha: pull_request.head.sha.clone(),
        instead_of,
        is_sound: report.summary.errors == 0 && !weakened,
        title: title(report, difference),
        summary: summary(report, difference, *fails_on_weakening),
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
