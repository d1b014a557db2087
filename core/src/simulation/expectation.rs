//! What a test expects against what came of it: each difference with the place that expects it.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::fault::CaseFault;
use super::run::{Run, Spoken, SpokenOutcome};
use crate::definition::test::{
    ExpectedRefusal, ExpectedStatus, ExpectedStep, ExpectedStepStatus, TestAnswer, TestCase, TestChild, TestDecision,
    TestExpectation,
};
use crate::execution::address::step_of;
use crate::execution::{ExecutionStatus, StepState, StepStatus};
use crate::source::{Span, Spanned};
use crate::value::StepId;

/// Something that is not as a test expects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where the test expects it.
    pub span: Span,
    /// What is not as expected: one sentence without a full stop.
    pub message: String,
    /// Both in full, where they are more than a word.
    pub difference: Option<Difference>,
    /// What to do about it.
    pub help: Option<String>,
}

/// What was expected and what was found, as texts of several lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl From<CaseFault> for Failure {
    fn from(fault: CaseFault) -> Self {
        Self { span: fault.span, message: fault.message, difference: None, help: fault.help }
    }
}

impl Failure {
    fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), difference: None, help: None }
    }

    fn with(mut self, expected: String, found: String) -> Self {
        self.difference = Some(Difference { expected, found });
        self
    }
}

/// Everything that is not as the case expects it, in the order of its keys; nothing: the case passes.
pub fn judge(case: &TestCase, run: &Run) -> Vec<Failure> {
    if let Some(cut) = &run.cut {
        return vec![Failure::new(case.name.span, cut.to_string())];
    }
    let missing = missing_stubs(case, run);
    if !missing.is_empty() {
        return missing;
    }
    let mut failures = Vec::new();
    let expect = &case.expect;
    of_execution(expect, run, &mut failures);
    of_lists(expect, run, &mut failures);
    for (id, expected) in &expect.steps {
        of_step(id, expected, run, &mut failures);
    }
    of_outputs(expect, run, &mut failures);
    of_words(&case.decisions, &case.answers, &case.children, &[run], &mut failures);
    failures
}

/// What follows from an output that nobody gave proves nothing: only the missing stubs are told.
fn missing_stubs(case: &TestCase, run: &Run) -> Vec<Failure> {
    let mut failures: Vec<Failure> = Vec::new();
    for (within, run) in run.all() {
        let place = match within.as_str() {
            "" => "stubs".to_owned(),
            within => format!(
                "{}.stubs",
                within.split('/').map(|step| format!("children.{}", step_of(step))).collect::<Vec<_>>().join(".")
            ),
        };
        for missing in &run.missing {
            let message =
                format!("step `{}` ({}) would call the world and has no stub", missing.step, missing.step_type);
            let help = format!("write below `{place}`, for example: {}", missing.example);
            let failure = Failure { help: Some(help), ..Failure::new(case.name.span, message) };
            if !failures.contains(&failure) {
                failures.push(failure);
            }
        }
    }
    failures
}

fn of_execution(expect: &TestExpectation, run: &Run, failures: &mut Vec<Failure>) {
    if let Some(status) = &expect.status
        && status_of(run.status()) != Some(status.value)
    {
        let mut message = format!("expected status {}, found {}", status.value.as_str(), run.status().as_str());
        if let Some(error) = &run.execution.error {
            message.push_str(&format!(": {}", error.message));
        }
        failures.push(Failure::new(status.span, message));
    }
    if let Some(expected) = &expect.error {
        let found = run.execution.error.as_ref().map(|error| error.message.as_str());
        in_error(expected, found, "the execution", failures);
    }
    if let Some(took) = &expect.took
        && took.value != run.took()
    {
        failures.push(Failure::new(took.span, format!("expected to take {}, took {}", took.value, run.took())));
    }
}

fn status_of(status: ExecutionStatus) -> Option<ExpectedStatus> {
    match status {
        ExecutionStatus::Completed => Some(ExpectedStatus::Completed),
        ExecutionStatus::Failed => Some(ExpectedStatus::Failed),
        ExecutionStatus::Cancelled => Some(ExpectedStatus::Cancelled),
        ExecutionStatus::Waiting => Some(ExpectedStatus::Waiting),
        ExecutionStatus::Pending | ExecutionStatus::Running => None,
    }
}

fn in_error(expected: &Spanned<String>, found: Option<&str>, whose: &str, failures: &mut Vec<Failure>) {
    match found {
        Some(found) if found.contains(expected.as_str()) => {}
        Some(found) => {
            let message = format!("the error of {whose} does not contain this text");
            failures.push(Failure::new(expected.span, message).with(expected.value.clone(), found.to_owned()));
        }
        None => failures.push(Failure::new(expected.span, format!("{whose} has no error"))),
    }
}

fn of_lists(expect: &TestExpectation, run: &Run, failures: &mut Vec<Failure>) {
    if let Some(path) = &expect.path {
        let expected: Vec<&str> = path.iter().map(|id| id.as_str()).collect();
        if expected != run.path {
            let failure = Failure::new(path.span, "another path was taken");
            failures.push(failure.with(lines(&expected), lines(&run.path)));
        }
    }
    if let Some(skipped) = &expect.skipped {
        let found = run.skipped();
        let mut expected: Vec<&str> = skipped.iter().map(|id| id.as_str()).collect();
        let place = |id: &str| run.execution.steps.get_index_of(id);
        expected.sort_by_key(|id| place(id));
        if expected != found {
            let failure = Failure::new(skipped.span, "other steps were skipped");
            failures.push(failure.with(lines(&expected), lines(&found)));
        }
    }
}

fn lines<T: AsRef<str>>(words: &[T]) -> String {
    words.iter().map(|word| format!("{}\n", word.as_ref())).collect()
}

/// Inside of a `foreach` every item's step must be as it is expected.
fn of_step(id: &Spanned<StepId>, expected: &ExpectedStep, run: &Run, failures: &mut Vec<Failure>) {
    let steps = &run.execution.steps;
    let own = steps.get_key_value(id.as_str());
    let of_items = steps.iter().filter(|(key, _)| own.is_none() && step_of(key) == id.as_str());
    let states: Vec<(&String, &StepState)> = own.into_iter().chain(of_items).collect();
    if states.is_empty() {
        failures.push(Failure::new(id.span, format!("no item came to step `{}`", id.as_str())));
    }
    for (key, state) in states {
        of_state(key, expected, state, failures);
    }
}

fn of_state(id: &str, expected: &ExpectedStep, state: &StepState, failures: &mut Vec<Failure>) {
    if let Some(status) = &expected.status
        && !is_status(status.value, state.status)
    {
        let why = why(state).map(|why| format!(": {why}")).unwrap_or_default();
        let (wanted, found) = (status.value.as_str(), state.status.as_str());
        failures.push(Failure::new(status.span, format!("step `{id}`: expected {wanted}, found {found}{why}")));
    }
    if let Some(attempts) = &expected.attempts
        && attempts.value != state.attempt
    {
        let message = format!("step `{id}`: expected {} attempts, found {}", attempts.value, state.attempt);
        failures.push(Failure::new(attempts.span, message));
    }
    if let Some(error) = &expected.error {
        let found = state.error.as_ref().map(|error| error.message.as_str());
        in_error(error, found, &format!("step `{id}`"), failures);
    }
    let whose = format!("output of step `{id}`");
    compare(expected.output.as_ref(), state.output.as_ref(), &whose, Extent::Whole, failures);
    compare(expected.output_contains.as_ref(), state.output.as_ref(), &whose, Extent::Part, failures);
}

fn is_status(expected: ExpectedStepStatus, found: StepStatus) -> bool {
    match expected {
        ExpectedStepStatus::Pending => found == StepStatus::Pending,
        ExpectedStepStatus::Waiting => found == StepStatus::Waiting,
        ExpectedStepStatus::Completed => found == StepStatus::Completed,
        ExpectedStepStatus::Failed => found == StepStatus::Failed,
        ExpectedStepStatus::Skipped => found == StepStatus::Skipped,
        ExpectedStepStatus::Cancelled => found == StepStatus::Cancelled,
    }
}

fn why(state: &StepState) -> Option<&str> {
    match state.status {
        StepStatus::Skipped => state.skipped.map(crate::execution::SkipReason::words),
        _ => state.error.as_ref().map(|error| error.message.as_str()),
    }
}

fn of_outputs(expect: &TestExpectation, run: &Run, failures: &mut Vec<Failure>) {
    let found = run.outputs();
    compare(expect.outputs.as_ref(), found, "outputs of the execution", Extent::Whole, failures);
    compare(expect.outputs_contain.as_ref(), found, "outputs of the execution", Extent::Part, failures);
}

/// How much of a value is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    Part,
}

fn compare(
    expected: Option<&Spanned<Value>>,
    found: Option<&Value>,
    whose: &str,
    extent: Extent,
    failures: &mut Vec<Failure>,
) {
    let Some(expected) = expected else { return };
    let Some(found) = found else {
        failures.push(Failure::new(expected.span, format!("there is no {whose}")));
        return;
    };
    if matches(&expected.value, found, extent) {
        return;
    }
    let shown = match extent {
        Extent::Whole => in_order_of(&expected.value, found, true),
        Extent::Part => in_order_of(&expected.value, found, false),
    };
    let message = match extent {
        Extent::Whole => format!("not the expected {whose}"),
        Extent::Part => format!("not contained in the {whose}"),
    };
    failures.push(Failure::new(expected.span, message).with(pretty(&expected.value), pretty(&shown)));
}

/// Whether a value is the expected one, or holds it: a mapping then may have more keys, at every depth. Numbers are
/// compared by what they are, not by how they are written.
fn matches(expected: &Value, found: &Value, extent: Extent) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            let all = expected.iter().all(|(key, value)| found.get(key).is_some_and(|it| matches(value, it, extent)));
            all && (extent == Extent::Part || expected.len() == found.len())
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected.iter().zip(found).all(|(expected, found)| matches(expected, found, extent))
        }
        (Value::Number(expected), Value::Number(found)) => expected == found || expected.as_f64() == found.as_f64(),
        (expected, found) => expected == found,
    }
}

/// A value with its keys in the order in which they are expected, so that a diff shows only what differs; other keys
/// after them, or not at all.
fn in_order_of(expected: &Value, found: &Value, others: bool) -> Value {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            let known = expected
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), in_order_of(value, found.get(key)?, others))));
            let more = found.iter().filter(|(key, _)| others && !expected.contains_key(*key));
            let more = more.map(|(key, value)| (key.clone(), value.clone()));
            Value::Object(known.chain(more).collect::<Map<_, _>>())
        }
        (Value::Array(expected), Value::Array(found)) => {
            let item = |(index, item)| {
                expected.get(index).map_or_else(|| Value::clone(item), |e| in_order_of(e, item, others))
            };
            Value::Array(found.iter().enumerate().map(item).collect())
        }
        (_, found) => found.clone(),
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// A word that does not count fails the case unless the test says so, and one that counts where it should not. `runs` are
/// the executions that the words were said to: several where sub-processes are started inside of a `foreach`.
fn of_words(
    decisions: &[Spanned<TestDecision>],
    answers: &[Spanned<TestAnswer>],
    children: &IndexMap<Spanned<StepId>, TestChild>,
    runs: &[&Run],
    failures: &mut Vec<Failure>,
) {
    let decided = decisions.iter().map(|it| (it.by.span, it.refused.as_ref()));
    let answered = answers.iter().map(|it| (it.by.span, it.refused.as_ref()));
    let words: Vec<_> = decided.chain(answered).collect();
    let mut told = vec![false; words.len()];
    for spoken in runs.iter().flat_map(|run| &run.spoken) {
        let (Some((by, refused)), Some(told)) = (words.get(spoken.place), told.get_mut(spoken.place)) else { continue };
        if let Some(failure) = of_word(spoken, *by, *refused).filter(|_| !*told) {
            *told = true;
            failures.push(failure);
        }
    }
    for (id, child) in children {
        let of_step = |run: &&Run| run.execution.parent.as_ref().is_some_and(|it| step_of(&it.step) == id.as_str());
        let inside: Vec<&Run> = runs.iter().flat_map(|run| &run.children).filter(of_step).collect();
        if inside.is_empty() {
            failures.push(Failure::new(id.span, format!("step `{}` never started its sub-process", id.as_str())));
        }
        of_words(&child.decisions, &child.answers, &child.children, &inside, failures);
    }
}

fn of_word(spoken: &Spoken, by: Span, refused: Option<&Spanned<ExpectedRefusal>>) -> Option<Failure> {
    let expected = refused.map_or(ExpectedRefusal::Whether(false), |refused| refused.value);
    let place = refused.map_or(by, |refused| refused.span);
    let whose = format!("@{}'s {} of `{}`", spoken.by, spoken.word, spoken.step);
    match (&spoken.outcome, expected) {
        (SpokenOutcome::Counted, ExpectedRefusal::Whether(false)) => None,
        (SpokenOutcome::Counted, _) => Some(Failure::new(place, format!("{whose} should not count, and it did"))),
        (SpokenOutcome::Refused { .. }, ExpectedRefusal::Whether(true)) => None,
        (SpokenOutcome::Refused { reason, .. }, ExpectedRefusal::Because(wanted)) if *reason == wanted => None,
        (SpokenOutcome::Refused { reason, message }, ExpectedRefusal::Because(wanted)) => {
            let message = format!(
                "{whose} does not count for another reason: expected {}, found {}: {message}",
                wanted.as_str(),
                reason.as_str()
            );
            Some(Failure::new(place, message))
        }
        (SpokenOutcome::Refused { reason, message }, ExpectedRefusal::Whether(false)) => {
            let failure = Failure::new(place, format!("{whose} does not count: {message}"));
            let help = format!("where that is what the test shows, add `refused: {}`", reason.as_str());
            Some(Failure { help: Some(help), ..failure })
        }
    }
}
