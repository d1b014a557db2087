//! Which open questions a word is about. A word decides one question: several are one only where people see no difference
//! between them.

use flowctl_core::approval::DecisionKind;
use flowctl_core::command::StepName;
use flowctl_core::execution::{Execution, Waiting};
use jiff::Timestamp;
use serde_json::Value;

use super::scope::{Outcome, Scope};
use crate::github::wording::Refused;
use crate::identity::Word;

/// What a command is about: an execution and a step of it that waits.
pub(super) type Target<'e> = (&'e Execution, String);

/// A command that is about something that waits.
pub(super) struct Asked<'a> {
    /// Its verb.
    pub(super) verb: &'static str,
    /// What it decides; nothing where it answers a form.
    pub(super) kind: Option<DecisionKind>,
    /// The step that it names.
    pub(super) named: Option<&'a str>,
    /// Its line.
    pub(super) line: &'a str,
}

impl Asked<'_> {
    /// For what those wait that it can be about.
    fn what(&self) -> &'static str {
        if self.kind.is_some() { "an approval" } else { "answers" }
    }

    fn is_asked_by(&self, waiting: &Waiting) -> bool {
        match waiting {
            Waiting::Approval(_) => self.kind.is_some(),
            Waiting::Form(_) => self.kind.is_none(),
            _ => false,
        }
    }

    /// What waits and fits it: the steps of the name given, or all.
    fn fitting<'e>(&self, open: &'e [Execution]) -> Result<Vec<Target<'e>>, Refused> {
        let waiting: Vec<Target<'e>> = open
            .iter()
            .flat_map(|execution| execution.waiting_for_people().map(move |(id, step)| (execution, id, step)))
            .filter(|(_, _, step)| step.waiting.as_ref().is_some_and(|waiting| self.is_asked_by(waiting)))
            .map(|(execution, id, _)| (execution, id.to_owned()))
            .collect();
        if waiting.is_empty() {
            return Err(Refused::NothingWaits { what: self.what() });
        }
        let Some(named) = self.named else { return Ok(waiting) };
        let name = StepName::of(named);
        let (fitting, others): (Vec<Target<'e>>, Vec<Target<'e>>) =
            waiting.into_iter().partition(|(execution, id)| is_named(execution, name) && id == name.key);
        if fitting.is_empty() {
            let shown = |(execution, id): Target<'e>| match name.of {
                Some(_) => format!("{}/{id}", execution.process),
                None => id,
            };
            let mut waiting: Vec<String> = others.into_iter().map(shown).collect();
            waiting.dedup();
            return Err(Refused::NotThatStep { step: named.to_owned(), waiting });
        }
        Ok(fitting)
    }

    /// Whether the step is named, and is the only one of that name that is open: then it is meant whether GitHub shows it or
    /// not.
    fn names_the_only(&self, open: &[Execution]) -> bool {
        let Some(name) = self.named.map(StepName::of) else { return false };
        open.iter().filter(|it| is_named(it, name) && it.steps.contains_key(name.key)).count() == 1
    }

    /// The question: which one is meant of several, and how each is named.
    fn which_one(&self, targets: &[Target<'_>]) -> Refused {
        let mut waiting: Vec<(String, String)> = Vec::new();
        for target in targets {
            let choice = (name(target, targets), about(target));
            if !waiting.contains(&choice) {
                waiting.push(choice);
            }
        }
        Refused::WhichOne { verb: format!("/{}", self.verb), rest: self.rest(), waiting }
    }

    /// What stands behind the step in the command's line.
    fn rest(&self) -> String {
        let rest = self.line.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim());
        let named = self.named.and_then(|named| rest.strip_prefix(named));
        named.unwrap_or(rest).trim().to_owned()
    }
}

impl Scope<'_> {
    /// The question that a command decides: one, as often as it is asked. Of several that differ, those are meant about which
    /// its author may decide, and which GitHub showed when it was written.
    pub(super) async fn targets<'e>(
        &self,
        asked: &Asked<'_>,
        open: &'e [Execution],
        word: &Word,
    ) -> Outcome<Vec<Target<'e>>> {
        let mut targets = match asked.fitting(open) {
            Ok(fitting) => fitting,
            Err(refused) => return Ok(Err(refused)),
        };
        if asked.names_the_only(open) {
            return Ok(Ok(targets));
        }
        if differ(&targets) {
            targets = match self.theirs(targets, word, asked.kind).await? {
                Ok(theirs) => theirs,
                Err(refused) => return Ok(Err(refused)),
            };
        }
        Ok(match self.seen(targets.clone(), word).await? {
            Ok(seen) if differ(&seen) => Err(asked.which_one(&seen)),
            Ok(seen) => Ok(seen),
            Err(_) if differ(&targets) => Err(asked.which_one(&targets)),
            Err(refused) => Err(refused),
        })
    }

    /// Those about which the word's author may decide.
    async fn theirs<'e>(
        &self,
        targets: Vec<Target<'e>>,
        word: &Word,
        kind: Option<DecisionKind>,
    ) -> Outcome<Vec<Target<'e>>> {
        let (mut theirs, mut refused) = (Vec::new(), None);
        for (execution, step) in targets {
            match self.may(execution, &step, word, kind).await? {
                Ok(()) => theirs.push((execution, step)),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        Ok(any(theirs, refused))
    }

    /// Those that GitHub showed when the word was written.
    async fn seen<'e>(&self, targets: Vec<Target<'e>>, word: &Word) -> Outcome<Vec<Target<'e>>> {
        let (mut seen, mut refused) = (Vec::new(), None);
        for (execution, step) in targets {
            match self.was_shown(execution, &step, word).await? {
                Ok(()) => seen.push((execution, step)),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        Ok(any(seen, refused))
    }
}

/// What is left, or why nothing is.
fn any<T>(left: Vec<T>, refused: Option<Refused>) -> Result<Vec<T>, Refused> {
    match refused {
        Some(refused) if left.is_empty() => Err(refused),
        _ => Ok(left),
    }
}

/// Whether a step of this execution can be meant.
pub(super) fn is_named(execution: &Execution, name: StepName<'_>) -> bool {
    name.is_of(&execution.process, &execution.id.to_string())
}

fn differ(targets: &[Target<'_>]) -> bool {
    targets.split_first().is_some_and(|(first, others)| others.iter().any(|other| !is_same(first, other)))
}

/// Whether people see no difference between two questions, but for when they were asked.
fn is_same((one, step): &Target<'_>, (other, other_step): &Target<'_>) -> bool {
    step == other_step
        && (&one.process, &one.digest, &one.inputs) == (&other.process, &other.digest, &other.inputs)
        && one.trigger.payload["environment"] == other.trigger.payload["environment"]
        && question(one, step) == question(other, step)
        && outputs(one) == outputs(other)
}

/// What is asked, without its times.
fn question(execution: &Execution, step: &str) -> Option<Waiting> {
    let mut waiting = execution.steps.get(step)?.waiting.clone()?;
    match &mut waiting {
        Waiting::Approval(request) => {
            (request.requested_at, request.shown_since, request.due_at) = (Timestamp::MIN, Timestamp::MIN, None);
            request.base_since = None;
            request.reminders.clear();
            request.escalate.clear();
        }
        Waiting::Form(request) => {
            (request.requested_at, request.due_at) = (Timestamp::MIN, None);
            request.reminders.clear();
            request.escalate.clear();
        }
        _ => {}
    }
    Some(waiting)
}

/// What the steps before it gave, which people read beside the question.
fn outputs(execution: &Execution) -> Vec<(&str, &Value)> {
    let steps = execution.steps.iter();
    steps.filter_map(|(id, step)| Some((id.as_str(), step.output.as_ref()?))).collect()
}

/// The shortest name of a question that no other one of these has.
fn name(target: &Target<'_>, targets: &[Target<'_>]) -> String {
    let (execution, step) = target;
    let mut others = targets.iter().filter(|other| other.1 == *step && !is_same(target, other)).peekable();
    if others.peek().is_none() {
        return step.clone();
    }
    if others.all(|(other, _)| other.process != execution.process) {
        return format!("{}/{step}", execution.process);
    }
    let id = execution.id.to_string();
    format!("{}/{step}", id.rsplit('-').next().unwrap_or(&id))
}

/// What tells a question from others: its process, its headline, and what was said in the comment that started it. Inputs that came
/// in another way are nobody's to read here.
fn about((execution, step): &Target<'_>) -> String {
    let title = match execution.steps.get(step).and_then(|step| step.waiting.as_ref()) {
        Some(Waiting::Approval(request)) => request.title.as_str(),
        Some(Waiting::Form(request)) => request.title.as_str(),
        _ => "",
    };
    let trigger = &execution.trigger;
    let by_comment = matches!(trigger.kind.as_str(), "manual" | "comment") && trigger.payload["comment"].is_object();
    let said = trigger.payload["arguments"].as_object().filter(|_| by_comment).into_iter().flatten();
    let said = said.filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?)));
    let parts: Vec<String> = [execution.process.clone(), title.to_owned()].into_iter().chain(said).collect();
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::github::wording::sample::Sample;

    fn asking() -> Execution {
        Sample::at_leads("Release 1.4", "Carts survive.").execution
    }

    fn named(process: &str, step: &str) -> Execution {
        let mut execution = asking();
        execution.process = process.to_owned();
        if let Some(state) = execution.steps.shift_remove("leads") {
            execution.steps.insert(step.to_owned(), state);
        }
        execution
    }

    fn approve<'a>(named: Option<&'a str>, line: &'a str) -> Asked<'a> {
        Asked { verb: "approve", kind: Some(DecisionKind::Approve), named, line }
    }

    #[test]
    fn a_step_is_named_by_itself_by_its_process_and_by_its_execution() {
        let open = [named("release", "leads"), named("audit", "leads"), named("audit", "ops")];
        let end = open[0].id.to_string();
        let end = end.rsplit('-').next().unwrap_or_default();
        let fitting = |step: Option<&str>| {
            let fitting = approve(step, "/approve").fitting(&open);
            fitting.map(|found| found.into_iter().map(|(it, id)| format!("{}/{id}", it.process)).collect::<Vec<_>>())
        };
        let all = vec!["release/leads".to_owned(), "audit/leads".to_owned(), "audit/ops".to_owned()];
        assert_eq!(fitting(None), Ok(all.clone()));
        assert_eq!(fitting(Some("leads")), Ok(all[..2].to_vec()));
        assert_eq!(fitting(Some("audit/leads")), Ok(all[1..2].to_vec()));
        // The samples have one id.
        assert_eq!(fitting(Some(&format!("{end}/ops"))), Ok(all[2..].to_vec()));
        assert!(matches!(fitting(Some(&format!("{}/ops", &end[8..]))), Err(Refused::NotThatStep { .. })));
        let refused = Refused::NotThatStep { step: "release/ops".to_owned(), waiting: all };
        assert_eq!(fitting(Some("release/ops")), Err(refused));
        assert_eq!(approve(None, "").fitting(&[]), Err(Refused::NothingWaits { what: "an approval" }));
        let answer = Asked { verb: "answer", kind: None, named: None, line: "/answer" };
        assert_eq!(answer.fitting(&open), Err(Refused::NothingWaits { what: "answers" }));
    }

    #[test]
    fn questions_that_look_alike_are_one_and_each_difference_makes_them_two() {
        let one = asking();
        let mut later = one.clone();
        later.id = flowctl_core::execution::ExecutionId::nil();
        let mut inputs = one.clone();
        inputs.inputs.insert("region".to_owned(), json!("us-production"));
        let mut text = one.clone();
        if let Some(Waiting::Approval(request)) = text.steps.get_mut("leads").and_then(|step| step.waiting.as_mut()) {
            request.description = "Carts do not survive.".to_owned();
        }
        let mut given = one.clone();
        if let Some(step) = given.steps.get_mut("leads") {
            step.output = Some(json!({"plan": "delete 3"}));
        }
        for (other, is_one) in
            [(later, true), (inputs, false), (text, false), (given, false), (named("audit", "leads"), false)]
        {
            let both = [(&one, "leads".to_owned()), (&other, "leads".to_owned())];
            assert_eq!(!differ(&both), is_one, "{:?}", both.map(|target| about(&target)));
        }
    }

    #[test]
    fn inputs_are_told_only_where_a_comment_had_told_them() {
        let mut execution = asking();
        execution.inputs.insert("region".to_owned(), json!("eu"));
        assert_eq!(about(&(&execution, "leads".to_owned())), "release · Ship Release 1.4?");
        execution.trigger.kind = "webhook".to_owned();
        execution.trigger.payload = json!({"comment": {"id": 7}, "arguments": {"region": "eu"}});
        assert_eq!(about(&(&execution, "leads".to_owned())), "release · Ship Release 1.4?");
        execution.trigger.kind = "manual".to_owned();
        assert_eq!(about(&(&execution, "leads".to_owned())), "release · Ship Release 1.4? · region=eu");
    }

    #[test]
    fn which_one_is_asked_in_lines_that_differ_and_can_be_sent() {
        let (release, audit, ops) = (named("release", "leads"), named("audit", "leads"), named("audit", "ops"));
        let mut again = named("audit", "leads");
        again.inputs.insert("region".to_owned(), json!("eu"));
        let suggested = |asked: Asked<'_>, open: &[&Execution]| {
            let targets: Vec<Target<'_>> = open
                .iter()
                .flat_map(|execution| execution.waiting_for_people().map(|(id, _)| (*execution, id.to_owned())))
                .collect();
            match asked.which_one(&targets) {
                Refused::WhichOne { verb, rest, waiting } => {
                    let lines = waiting.into_iter().map(|(step, _)| format!("{verb} {step} {rest}").trim().to_owned());
                    lines.collect::<Vec<_>>()
                }
                other => vec![other.words()],
            }
        };
        let plain = || approve(None, "/approve");
        assert_eq!(suggested(plain(), &[&release, &ops]), ["/approve leads", "/approve ops"]);
        assert_eq!(suggested(plain(), &[&release, &audit]), ["/approve release/leads", "/approve audit/leads"]);
        let noted = approve(Some("leads"), "/approve leads -- fine");
        let end = audit.id.to_string();
        let end = end.rsplit('-').next().unwrap_or_default();
        assert_eq!(suggested(noted, &[&audit, &again])[0], format!("/approve {end}/leads -- fine"));
    }
}
