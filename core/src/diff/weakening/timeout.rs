//! Deadlines that are later or gone: of steps with the defaults that are in force for them, of executions, and those
//! defaults.

use serde_json::Value;

use super::{Found, ProcessAt, ProcessPair, Subject, Told, View};
use crate::definition::Step;
use crate::definition::field::defaults;
use crate::definition::process::{Defaults, Timeout};
use crate::definition::step::StepKind;
use crate::definition::templated::Templated;
use crate::diff::kind::WeakeningKind as Kind;
use crate::diff::model::Side;
use crate::expression::{Context, Template};
use crate::source::Spanned;
use crate::value::Duration;

/// Looks at every deadline.
pub(super) fn find(view: &View<'_>, found: &mut Found) {
    for pair in &view.processes {
        let (was, is) = (pair.before.defaults(&view.before), pair.after.defaults(&view.after));
        for (before, after) in pair.steps() {
            of_step(view, pair, (before, &was), (after, &is), found);
        }
        of_defaults(view, pair, (&was, &is), found);
    }
}

/// A deadline: a length of time, or a template.
type Deadline = Option<Templated<Duration>>;

fn is_later(was: &Deadline, is: &Deadline) -> bool {
    match (was, is) {
        (Some(Templated::Literal(was)), Some(Templated::Literal(is))) => is > was,
        (Some(_), None) => true,
        // What is computed may be anything: only the same text says that it is no later.
        (Some(was), Some(is)) => was != is,
        (None, _) => false,
    }
}

/// A deadline with the constants of its process, and steps by the names that they have now.
fn computed(pair: &ProcessPair<'_>, at: &ProcessAt<'_>, deadline: Templated<Duration>) -> Templated<Duration> {
    let Templated::Template(text) = deadline else { return deadline };
    let text = at.constants.resolved(&text).into_owned();
    match text.trim().parse() {
        Ok(duration) => Templated::Literal(duration),
        Err(_) if at.side == Side::Before => Templated::Template(pair.renames.applied(&text, false)),
        Err(_) => Templated::Template(text),
    }
}

fn told(deadline: &Deadline) -> String {
    match deadline {
        Some(Templated::Literal(duration)) => format!("`{duration}`"),
        Some(Templated::Template(text)) => format!("`{text}`"),
        None => "no deadline".to_owned(),
    }
}

/// What a deadline that is computed from inputs is where nobody gives them.
fn by_default(at: &ProcessAt<'_>, deadline: &Deadline) -> Option<Duration> {
    let Some(Templated::Template(text)) = deadline else { return None };
    let template = Template::parse(text).ok()?;
    if !template.references().iter().all(|reference| reference.root() == "inputs") {
        return None;
    }
    let mut context = Context::new();
    context.set("inputs", Value::Object(defaults(&at.process.header.inputs)));
    template.evaluate(&context).ok()?.as_str()?.trim().parse().ok()
}

/// A deadline before and after, in words, where it is later.
fn later(pair: &ProcessPair<'_>, was: &Deadline, is: &Deadline) -> Option<(String, String)> {
    let worse = |usual: Duration, now: Duration| now > usual;
    if is_later(was, is) { Some((told(was), told(is))) } else { by_defaults(pair, was, is, worse) }
}

/// The same where it is sooner, or new.
fn sooner(pair: &ProcessPair<'_>, was: &Deadline, is: &Deadline) -> Option<(String, String)> {
    let worse = |usual: Duration, now: Duration| now < usual;
    if is_later(is, was) { Some((told(was), told(is))) } else { by_defaults(pair, was, is, worse) }
}

fn by_defaults(
    pair: &ProcessPair<'_>,
    was: &Deadline,
    is: &Deadline,
    worse: impl Fn(Duration, Duration) -> bool,
) -> Option<(String, String)> {
    let (Some(usual), Some(now)) = (by_default(&pair.before, was), by_default(&pair.after, is)) else {
        return otherwise(pair, was, is);
    };
    worse(usual, now).then(|| (format!("{}, by default `{usual}`,", told(was)), format!("by default `{now}`")))
}

/// The same where the text that computes it reads something else than before: it may be later or sooner.
fn otherwise(pair: &ProcessPair<'_>, was: &Deadline, is: &Deadline) -> Option<(String, String)> {
    let (Some(Templated::Template(_)), Some(Templated::Template(text))) = (was, is) else { return None };
    let how = pair.changes.of(text)?;
    Some((told(was), format!("another one: {how}")))
}

/// How the deadline of a step became sooner, or that it has one now, in words.
pub(super) fn came_sooner(view: &View<'_>, pair: &ProcessPair<'_>, before: &Step, after: &Step) -> Option<String> {
    let was = in_force(pair, &pair.before, before, &pair.before.defaults(&view.before));
    let is = in_force(pair, &pair.after, after, &pair.after.defaults(&view.after));
    sooner(pair, &was, &is).map(|(was, is)| format!("{was} became {is}"))
}

/// The deadline of a step, by itself or by defaults.
fn in_force(pair: &ProcessPair<'_>, at: &ProcessAt<'_>, step: &Step, defaults: &Defaults) -> Deadline {
    let timeout = step.effective_timeout(defaults.timeout)?;
    let deadline = computed(pair, at, timeout.length().into_owned());
    // Of two that are written out the earlier one counts; of others one is looked at.
    let event = of_event(step).map(|timeout| computed(pair, at, timeout.value.clone()));
    Some(match (event, deadline) {
        (Some(Templated::Literal(event)), Templated::Literal(own)) => Templated::Literal(event.min(own)),
        (_, deadline) => deadline,
    })
}

/// A step that says or said something itself, or that follows defaults where there were none; where those that it follows
/// changed is told there.
fn of_step(
    view: &View<'_>,
    pair: &ProcessPair<'_>,
    (before, was): (&Step, &Defaults),
    (after, is): (&Step, &Defaults),
    found: &mut Found,
) {
    let is_another = before.step_type() != after.step_type();
    if !says_itself(before) && !says_itself(after) && (was.timeout.is_some() || is_another) {
        return;
    }
    if is_another && after.ends_by_itself() {
        return;
    }
    let (was, is) = (in_force(pair, &pair.before, before, was), in_force(pair, &pair.after, after, is));
    let Some((was, is)) = later(pair, &was, &is) else { return };
    let message = format!("`timeout`: {was} became {is}");
    if follows_default(before, after) {
        let told = Told { kind: Kind::TimeoutLonger, message };
        return found.tell_by_default((view, pair), "timeout", (before, after), told);
    }
    let key = if before.timeout.is_some() || after.timeout.is_some() { "timeout" } else { "event" };
    let (place, place_before) = (pair.after.place(after, key), pair.before.place(before, key));
    found.tell(Kind::TimeoutLonger, Subject::step(pair.definition(), after), message, place, Some(place_before));
}

/// Whether a step says how long it may take, and no default does.
fn says_itself(step: &Step) -> bool {
    step.timeout.is_some() || of_event(step).is_some()
}

/// Whether what became of a step's deadline is by defaults alone.
pub(super) fn follows_default(before: &Step, after: &Step) -> bool {
    !says_itself(before) && !says_itself(after) && before.step_type() == after.step_type()
}

/// The `timeout` of the event that a step waits for.
fn of_event(step: &Step) -> Option<&Timeout> {
    let StepKind::Wait(wait) = &step.kind else { return None };
    wait.event.as_ref()?.timeout.as_ref()
}

/// The lengths of time that defaults know, by their keys.
fn lengths(defaults: &Defaults) -> [(&'static str, Option<Spanned<Duration>>); 2] {
    [("timeout", defaults.timeout), ("execution_timeout", defaults.execution_timeout)]
}

/// What holds for all steps of a process, and for all of its executions: told for each process, wherever it is written.
fn of_defaults(view: &View<'_>, pair: &ProcessPair<'_>, (was, is): (&Defaults, &Defaults), found: &mut Found) {
    for ((key, was), (_, is)) in lengths(was).into_iter().zip(lengths(is)) {
        let Some(was) = was else { continue };
        if is.is_some_and(|is| is.value <= was.value) {
            continue;
        }
        let now = is.map_or_else(|| "no deadline".to_owned(), |is| format!("`{}`", is.value));
        let message = format!("`defaults.{key}`: `{}` became {now}", was.value);
        let place = pair.after.place_of_default(&view.after, key);
        let place_before = pair.before.place_of_default(&view.before, key);
        found.tell(Kind::TimeoutLonger, Subject::of(pair.definition()), message, place, Some(place_before));
    }
}
