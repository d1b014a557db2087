//! What came of tests as one JSON document. All but `timing` is the same for the same files.

use flowctl_core::simulation::{Moment, Run, SpokenOutcome};
use serde_json::{Value, json};

use super::coverage::{ProcessCoverage, percent};
use super::{CaseFailure, CaseOutcome, FileOutcome, Outcome};

/// The document.
pub fn json(outcome: &Outcome) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&document(outcome))?)
}

/// The document on one line.
pub fn json_line(outcome: &Outcome) -> anyhow::Result<String> {
    Ok(serde_json::to_string(&document(outcome))?)
}

fn document(outcome: &Outcome) -> Value {
    let cases: Vec<Value> =
        outcome.files.iter().flat_map(|file| file.cases.iter().map(|each| case(file, each))).collect();
    let (all, failed) = (cases.len(), outcome.failed());
    let mut document = json!({
        "version": 1,
        "cases": cases,
        "findings": outcome.unplayed.found.iter().map(|found| &found.finding).collect::<Vec<_>>(),
        "summary": {"cases": all, "passed": all - failed, "failed": failed, "files_not_played": outcome.unsound},
    });
    if let Some(processes) = &outcome.coverage {
        let processes: Vec<Value> = processes.iter().map(coverage).collect();
        document["coverage"] = json!({"percent": outcome.percent(), "processes": processes});
    }
    let seconds = outcome.took.as_secs_f64();
    let rate = if seconds > 0.0 { all as f64 / seconds } else { 0.0 };
    document["timing"] = json!({"duration_ms": seconds * 1_000.0, "cases_per_s": rate.round()});
    document
}

fn case(file: &FileOutcome, case: &CaseOutcome) -> Value {
    let failures: Vec<Value> = case.failures.iter().map(failure).collect();
    json!({
        "name": case.name,
        "process": file.process,
        "path": file.path,
        "line": case.line,
        "status": if case.failures.is_empty() { "passed" } else { "failed" },
        "failures": failures,
        "run": case.run.as_ref().map(run),
    })
}

fn failure(CaseFailure { failure, range }: &CaseFailure) -> Value {
    json!({
        "message": failure.message,
        "help": failure.help,
        "range": range,
        "expected": failure.difference.as_ref().map(|difference| &difference.expected),
        "found": failure.difference.as_ref().map(|difference| &difference.found),
    })
}

fn run(run: &Run) -> Value {
    let refused: Vec<Value> = run
        .refused()
        .map(|spoken| {
            let (reason, message) = match &spoken.outcome {
                SpokenOutcome::Refused { reason, message } => (Some(reason.as_str()), Some(message)),
                SpokenOutcome::Counted => (None, None),
            };
            json!({"by": spoken.by, "step": spoken.step, "word": spoken.word, "reason": reason, "message": message})
        })
        .collect();
    let timeline: Vec<Value> = run.timeline().iter().map(moment).collect();
    json!({
        "status": run.status(),
        "took": run.took(),
        "path": run.path,
        "skipped": run.skipped(),
        "outputs": run.outputs(),
        "error": run.execution.error,
        "refused": refused,
        "timeline": timeline,
    })
}

fn moment(moment: &Moment) -> Value {
    json!({"after": moment.after, "step": moment.step, "text": moment.text})
}

fn coverage(one: &ProcessCoverage) -> Value {
    let share = |(shown, all): (usize, usize)| json!({"shown": shown, "all": all});
    let lacking: Vec<Value> = one
        .lacking
        .iter()
        .map(|it| json!({"step": it.step, "aspect": it.aspect, "message": it.words, "range": it.range}))
        .collect();
    json!({
        "process": one.process,
        "path": one.path,
        "percent": percent(one.total),
        "steps": share(one.steps),
        "branches": share(one.branches),
        "outcomes": share(one.outcomes),
        "lacking": lacking,
    })
}
