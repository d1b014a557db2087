//! How the check run of an execution should stand, and the next write that brings it there. Pure: what stands on
//! GitHub is an argument.

use flowctl_core::execution::{Execution, ExecutionStatus, StepStatus, Waiting};
use jiff::Timestamp;

use super::effect::{Renewal, RenewedBecause};
use super::validate::VALIDATE;
use crate::github::client::{CheckAction, CheckConclusion, CheckOutput, CheckRunUpdate, CheckStatus, NewCheckRun};
use crate::github::wording::{Ask, CheckText, check, moved};
use crate::store::CheckRunRow;

/// The check's name, as branch protection knows it. None has the name of validation's: whichever ran last would count for both.
pub fn check_name(process: &str) -> String {
    let name = format!("flowctl / {process}");
    if name == VALIDATE { format!("{name} (process)") } else { name }
}

/// How an execution's check run should stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The commit that carries it.
    pub head_sha: String,
    /// Where it stands.
    pub status: CheckStatus,
    /// How it ended, or that a person is needed.
    pub conclusion: Option<CheckConclusion>,
    /// What it asks of people, as far as it is shown.
    pub asks: Vec<Ask>,
}

impl Desired {
    /// How the execution's check run should stand; nothing for an execution that is shown nowhere.
    pub fn of(execution: &Execution) -> Option<Self> {
        let head_sha = execution.subject.as_ref()?.head_sha.clone();
        let asks = Ask::shown(execution);
        let needs_people = execution.waiting_for_people().next().is_some();
        let (status, conclusion) = match execution.status {
            ExecutionStatus::Pending => (CheckStatus::Queued, None),
            ExecutionStatus::Running | ExecutionStatus::Waiting if !needs_people => (CheckStatus::InProgress, None),
            ExecutionStatus::Running | ExecutionStatus::Waiting => {
                (CheckStatus::Completed, Some(CheckConclusion::ActionRequired))
            }
            ExecutionStatus::Completed if nothing_ran(execution) => {
                (CheckStatus::Completed, Some(CheckConclusion::Skipped))
            }
            // Nobody approved what is there now: a check that must pass does not.
            ExecutionStatus::Completed if execution.outdated().next().is_some() => {
                (CheckStatus::Completed, Some(CheckConclusion::ActionRequired))
            }
            ExecutionStatus::Completed => (CheckStatus::Completed, Some(CheckConclusion::Success)),
            ExecutionStatus::Failed => (CheckStatus::Completed, Some(CheckConclusion::Failure)),
            ExecutionStatus::Cancelled => (CheckStatus::Completed, Some(CheckConclusion::Cancelled)),
        };
        Some(Self { head_sha, status, conclusion, asks })
    }
}

/// Whether the execution's own conditions skipped all of it.
fn nothing_ran(execution: &Execution) -> bool {
    execution.steps.values().all(|step| step.status == StepStatus::Skipped)
}

/// The next write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Everything stands as it should.
    Nothing,
    /// The run is changed.
    Update(CheckRunRow),
    /// A run is opened: there is none on this commit, or the last one has ended and cannot go on.
    Open,
    /// What the last run asked decides, and has to be looked up: whether it still asks the same.
    Compare(CheckRunRow),
}

/// The next write for the run on the head. `version` is the execution's.
pub fn next(desired: &Desired, rows: &[CheckRunRow], version: u64, renew: Option<Renewal>) -> Next {
    let Some(last) = rows.iter().rev().find(|row| row.head_sha == desired.head_sha) else { return Next::Open };
    // A renewal names the run, so that repeating it does not open another one.
    if let Some(renewal) = renew.filter(|renewal| renewal.run == last.id)
        && (renewal.why == RenewedBecause::Asked || last.conclusion.is_none())
    {
        return Next::Open;
    }
    if last.rendered_version >= version {
        return Next::Nothing;
    }
    let asks_again = desired.conclusion == Some(CheckConclusion::ActionRequired);
    match last.conclusion.as_deref() {
        None => Next::Update(last.clone()),
        Some(conclusion) if Some(conclusion) != desired.conclusion.map(word) => Next::Open,
        // The same conclusion again: new words for it, unless it asks for something else, whose buttons must not be
        // taken for those that a person saw before.
        Some(_) if asks_again => Next::Compare(last.clone()),
        Some(_) => Next::Update(last.clone()),
    }
}

/// Runs that a person could still act on although they are no longer the ones that count: on a commit that is not the
/// head any more, or before the last one on the head.
pub fn left_behind<'rows>(desired: &Desired, rows: &'rows [CheckRunRow]) -> impl Iterator<Item = &'rows CheckRunRow> {
    let last = rows.iter().rev().find(|row| row.head_sha == desired.head_sha).map(|row| row.seq);
    let head_sha = desired.head_sha.clone();
    rows.iter().filter(move |row| {
        let open = row.conclusion.is_none();
        let asks = row.conclusion.as_deref() == Some(word(CheckConclusion::ActionRequired));
        if row.head_sha == head_sha { open && Some(row.seq) != last } else { open || asks }
    })
}

/// GitHub's word for a conclusion.
pub fn word(conclusion: CheckConclusion) -> &'static str {
    match conclusion {
        CheckConclusion::ActionRequired => "action_required",
        CheckConclusion::Cancelled => "cancelled",
        CheckConclusion::Failure => "failure",
        CheckConclusion::Neutral => "neutral",
        CheckConclusion::Success => "success",
        CheckConclusion::Skipped => "skipped",
        CheckConclusion::TimedOut => "timed_out",
        CheckConclusion::Stale => "stale",
        CheckConclusion::Other => "other",
    }
}

/// GitHub's word for a status.
pub fn status_word(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Queued => "queued",
        CheckStatus::InProgress => "in_progress",
        CheckStatus::Completed => "completed",
        CheckStatus::Other => "other",
    }
}

/// The request that opens the run.
pub fn opening(execution: &Execution, desired: &Desired, now: Timestamp) -> NewCheckRun {
    NewCheckRun {
        name: check_name(&execution.process),
        head_sha: desired.head_sha.clone(),
        fields: CheckRunUpdate {
            external_id: Some(execution.id.to_string()),
            started_at: Some(execution.started_at.unwrap_or(execution.created_at)),
            ..update(execution, desired, now)
        },
    }
}

/// The request that brings a run to where it should stand.
pub fn update(execution: &Execution, desired: &Desired, now: Timestamp) -> CheckRunUpdate {
    let completed_at = desired.conclusion.map(|_| execution.completed_at.unwrap_or(now));
    CheckRunUpdate {
        external_id: None,
        // Who follows a link on GitHub has no token for the API.
        details_url: execution.url.clone().filter(|url| !url.contains("/api/v1/")),
        status: Some(desired.status),
        conclusion: desired.conclusion,
        started_at: None,
        completed_at,
        output: Some(output(check(execution, now))),
        actions: Some(buttons(execution, &desired.asks)),
    }
}

/// How a run ends that counts no more. Not `neutral`: that satisfies a required check, as `success` and `skipped` do
/// (<https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-protected-branches/about-protected-branches#require-status-checks-before-merging>),
/// and the commit may become the head again after the execution has ended elsewhere.
pub const LEFT: CheckConclusion = CheckConclusion::Cancelled;

/// The request that closes a run which counts no more: its buttons go.
pub fn closing(execution: &Execution, desired: &Desired, now: Timestamp) -> CheckRunUpdate {
    CheckRunUpdate {
        status: Some(CheckStatus::Completed),
        conclusion: Some(LEFT),
        completed_at: Some(now),
        output: Some(output(moved(execution, &desired.head_sha, now))),
        actions: Some(Vec::new()),
        ..CheckRunUpdate::default()
    }
}

fn output(text: CheckText) -> CheckOutput {
    CheckOutput { title: text.title, summary: text.summary, text: text.text, annotations: Vec::new() }
}

/// The buttons' identifiers, as they come back.
pub mod button {
    /// Approves what the run asks for.
    pub const APPROVE: &str = "approve";
    /// Rejects it.
    pub const REJECT: &str = "reject";
    /// Looks at everything again.
    pub const RECHECK: &str = "recheck";
    /// Goes on from what failed.
    pub const RETRY: &str = "retry";
}

fn buttons(execution: &Execution, shown: &[Ask]) -> Vec<CheckAction> {
    let action = |label: &str, description: &str, identifier: &str| CheckAction {
        label: label.to_owned(),
        description: description.to_owned(),
        identifier: identifier.to_owned(),
    };
    let mut buttons = Vec::new();
    let asks_approval = execution
        .waiting_for_people()
        .any(|(id, step)| matches!(step.waiting, Some(Waiting::Approval(_))) && shown.iter().any(|ask| ask.step == id));
    if asks_approval {
        buttons.push(action("Approve", "Approve what waits", button::APPROVE));
        buttons.push(action("Reject", "Reject what waits", button::REJECT));
    }
    match execution.status {
        ExecutionStatus::Failed | ExecutionStatus::Cancelled => {
            buttons.push(action("Retry", "Go on from what failed", button::RETRY));
        }
        ExecutionStatus::Completed if execution.can_be_retried() => {
            buttons.push(action("Ask again", "Ask about what is there now", button::RETRY));
        }
        ExecutionStatus::Running | ExecutionStatus::Waiting => {
            buttons.push(action("Recheck", "Look at everything again", button::RECHECK));
        }
        ExecutionStatus::Pending | ExecutionStatus::Completed => {}
    }
    buttons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seq: u32, head_sha: &str, conclusion: Option<&str>, rendered_version: u64) -> CheckRunRow {
        CheckRunRow {
            id: u64::from(seq) + 100,
            head_sha: head_sha.to_owned(),
            status: if conclusion.is_some() { "completed" } else { "in_progress" }.to_owned(),
            conclusion: conclusion.map(str::to_owned),
            seq,
            rendered_version,
        }
    }

    fn desired(conclusion: Option<CheckConclusion>) -> Desired {
        let status = if conclusion.is_some() { CheckStatus::Completed } else { CheckStatus::InProgress };
        Desired { head_sha: "head".to_owned(), status, conclusion, asks: Vec::new() }
    }

    #[test]
    fn a_completed_run_never_reopens_and_an_open_one_goes_on() {
        const ASKS: Option<&str> = Some("action_required");
        let (runs, asks) = (desired(None), desired(Some(CheckConclusion::ActionRequired)));
        let ended = desired(Some(CheckConclusion::Success));
        for (name, desired, rows, expected) in [
            ("the first", &runs, vec![], Next::Open),
            ("goes on", &runs, vec![row(1, "head", None, 1)], Next::Update(row(1, "head", None, 1))),
            ("ends", &ended, vec![row(1, "head", None, 1)], Next::Update(row(1, "head", None, 1))),
            ("asks", &asks, vec![row(1, "head", None, 1)], Next::Update(row(1, "head", None, 1))),
            ("asks again", &asks, vec![row(1, "head", ASKS, 1)], Next::Compare(row(1, "head", ASKS, 1))),
            ("after asking", &runs, vec![row(1, "head", ASKS, 1)], Next::Open),
            ("ends after asking", &ended, vec![row(1, "head", ASKS, 1)], Next::Open),
            (
                "ended",
                &ended,
                vec![row(1, "head", Some("success"), 1)],
                Next::Update(row(1, "head", Some("success"), 1)),
            ),
            ("retried", &runs, vec![row(1, "head", Some("failure"), 1)], Next::Open),
            ("shown already", &runs, vec![row(1, "head", None, 2)], Next::Nothing),
            ("a new head", &runs, vec![row(1, "before", None, 1)], Next::Open),
            (
                "back on an old head",
                &runs,
                vec![row(1, "head", Some("cancelled"), 1), row(2, "x", None, 1)],
                Next::Open,
            ),
        ] {
            assert_eq!(next(desired, &rows, 2, None), expected, "{name}");
        }
    }

    #[test]
    fn a_process_cannot_take_the_name_of_validation() {
        assert_eq!(check_name("release"), "flowctl / release");
        assert_ne!(check_name("validate"), VALIDATE);
    }

    #[test]
    fn a_run_is_renewed_once() {
        let renew = |run, why| Some(Renewal { run, why });
        let (open, asking) = (row(1, "head", None, 2), row(1, "head", Some("action_required"), 2));
        let (runs, asks) = (desired(None), desired(Some(CheckConclusion::ActionRequired)));
        for (name, desired, row, renewal, expected) in [
            ("old and open", &runs, &open, renew(101, RenewedBecause::Old), Next::Open),
            ("old and completed since", &asks, &asking, renew(101, RenewedBecause::Old), Next::Nothing),
            ("asked for", &asks, &asking, renew(101, RenewedBecause::Asked), Next::Open),
            ("another one is there already", &runs, &open, renew(100, RenewedBecause::Old), Next::Nothing),
        ] {
            assert_eq!(next(desired, std::slice::from_ref(row), 2, renewal), expected, "{name}");
        }
    }

    #[test]
    fn what_counts_no_more_is_closed() {
        let rows = [
            row(1, "before", None, 1),
            row(2, "before", Some("action_required"), 1),
            row(3, "before", Some("success"), 1),
            row(4, "head", None, 1),
            row(5, "head", Some("action_required"), 1),
            row(6, "head", None, 1),
        ];
        let behind: Vec<u32> = left_behind(&desired(None), &rows).map(|row| row.seq).collect();
        assert_eq!(behind, [1, 2, 4]);
        assert!(!["success", "neutral", "skipped"].contains(&word(LEFT)), "these satisfy a required check");
    }
}
