//! What a process would do where all goes well: a case that is made up, in which inputs and answers of the world are
//! examples, and whoever is asked agrees. For people who look at a change; a test says what must happen.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::play::simulate;
use super::run::Run;
use super::sample;
use super::stage::Stage;
use crate::approval::{Group, Requirement};
use crate::definition::field::schema_of_fields;
use crate::definition::test::{
    TestAnswer, TestCase, TestChild, TestDecision, TestEvent, TestExpectation, TestPeople, TestPermission, TestTrigger,
    TestWord,
};
use crate::definition::{Fields, Process, Role};
use crate::execution::address::step_of;
use crate::execution::{EventKind, Waiting};
use crate::source::Spanned;
use crate::value::StepId;

/// How often it is played: each time those who were asked for the first time agree.
const MAX_ROUNDS: usize = 8;
/// Larger processes are not played: nobody reads their path.
const MAX_STEPS: usize = 200;
/// Most people of one group that agree.
const MAX_PEOPLE: u32 = 10;
/// Who causes it: nobody that a definition names.
const AUTHOR: &str = "author-of-the-change";
/// Who answers where nobody in particular is asked.
const ANYBODY: &str = "somebody-who-may-write";

/// Why there is no preview.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreviewError {
    /// It has too many steps.
    #[error("it has more than {MAX_STEPS} steps")]
    TooLarge,
    /// It cannot start.
    #[error("{0}")]
    CannotStart(String),
}

/// Plays a process to its end where all goes well. The same process gives the same run.
///
/// # Errors
/// [`PreviewError`]: it is too large, or cannot start.
pub fn preview(stage: &Stage, process: &Process) -> Result<Run, PreviewError> {
    if process.all_steps().count() > MAX_STEPS {
        return Err(PreviewError::TooLarge);
    }
    let mut played = Played { case: case(process), people: TestPeople::default(), asked: BTreeSet::new() };
    let name = process.header.name.as_str();
    let mut rounds = 0;
    loop {
        let run = simulate(stage, name, &played.people, &played.case).map_err(|faults| {
            let first = faults.into_iter().next().map(|fault| fault.message);
            PreviewError::CannotStart(first.unwrap_or_else(|| "it cannot start".to_owned()))
        })?;
        rounds += 1;
        if rounds >= MAX_ROUNDS || !played.agree(&run) {
            return Ok(run);
        }
    }
}

fn case(process: &Process) -> TestCase {
    let actor = Some(plain(AUTHOR.to_owned()));
    TestCase {
        name: plain("preview".to_owned()),
        at: None,
        trigger: Some(plain(TestTrigger { actor, ..TestTrigger::default() })),
        inputs: spanned(required(&process.header.inputs)),
        stubs: IndexMap::new(),
        decisions: Vec::new(),
        answers: Vec::new(),
        children: IndexMap::new(),
        events: Vec::new(),
        pushes: Vec::new(),
        cancel: None,
        expect: TestExpectation::default(),
    }
}

/// Examples of what has to be given.
fn required(fields: &Fields) -> Map<String, Value> {
    let example = sample::answer("success", ["inputs"], &schema_of_fields(fields)).unwrap_or_default();
    let Value::Object(example) = example else { return Map::new() };
    let wanted = |name: &str| {
        fields.iter().any(|(key, field)| key.as_str() == name && field.required && field.default.is_none())
    };
    example.into_iter().filter(|(name, _)| wanted(name)).collect()
}

fn plain<T>(value: T) -> Spanned<T> {
    Spanned::without_place(value)
}

fn spanned(values: Map<String, Value>) -> IndexMap<Spanned<String>, Spanned<Value>> {
    values.into_iter().map(|(name, value)| (plain(name), plain(value))).collect()
}

/// The case as far as it was made up.
struct Played {
    case: TestCase,
    people: TestPeople,
    /// Who was asked already: executions by the step that started them, and steps.
    asked: BTreeSet<(String, String)>,
}

impl Played {
    /// Has those agree who were asked for the first time; whether somebody was.
    fn agree(&mut self, run: &Run) -> bool {
        let mut news = self.hear(run, None);
        for child in &run.children {
            let Some(parent) = child.execution.parent.as_ref() else { continue };
            let Ok(step) = step_of(&parent.step).parse::<StepId>() else { continue };
            news |= self.hear(child, Some(&step));
        }
        news
    }

    fn hear(&mut self, run: &Run, child: Option<&StepId>) -> bool {
        let mut news = false;
        for event in &run.events {
            let (EventKind::StepWaiting { waiting }, Some(key)) = (&event.kind, &event.step) else { continue };
            let Ok(step) = step_of(key).parse::<StepId>() else { continue };
            let place = (child.map(ToString::to_string).unwrap_or_default(), step.to_string());
            let is_asked = matches!(waiting, Waiting::Approval(_) | Waiting::Form(_) | Waiting::Event { .. });
            if is_asked && self.asked.insert(place) {
                self.answer(waiting, &step, child);
                news = true;
            }
        }
        news
    }

    fn answer(&mut self, waiting: &Waiting, step: &StepId, child: Option<&StepId>) {
        match waiting {
            Waiting::Approval(request) => {
                let mut people = Vec::new();
                self.meet(&request.requirement, &mut people);
                let decisions = people.into_iter().map(|by| {
                    plain(TestDecision {
                        after: None,
                        by: plain(by),
                        step: plain(step.clone()),
                        item: None,
                        decision: plain(TestWord::Approve),
                        note: Some("All is well.".to_owned()),
                        refused: None,
                    })
                });
                let decisions: Vec<_> = decisions.collect();
                match child {
                    None => self.case.decisions.extend(decisions),
                    Some(child) => self.child(child).decisions.extend(decisions),
                }
            }
            Waiting::Form(request) => {
                let mut people = Vec::new();
                match &request.assignees {
                    Some(assignees) => self.meet(assignees, &mut people),
                    None => self.meet(&Requirement::People { group: Group::Role(Role::Write), count: 1 }, &mut people),
                }
                let by = people.into_iter().next().unwrap_or_else(|| ANYBODY.to_owned());
                let values = sample::answer("success", [step.as_str()], &request.schema).unwrap_or_default();
                let values = spanned(values.as_object().cloned().unwrap_or_default());
                let answer = plain(TestAnswer {
                    after: None,
                    by: plain(by),
                    step: plain(step.clone()),
                    item: None,
                    values,
                    refused: None,
                });
                match child {
                    None => self.case.answers.push(answer),
                    Some(child) => self.child(child).answers.push(answer),
                }
            }
            Waiting::Event { name, .. } => {
                self.case.events.push(plain(TestEvent { after: None, name: plain(name.clone()), payload: None }));
            }
            _ => {}
        }
    }

    fn child(&mut self, step: &StepId) -> &mut TestChild {
        self.case.children.entry(plain(step.clone())).or_default()
    }

    /// People who satisfy a requirement; those that no definition names are made up.
    fn meet(&mut self, requirement: &Requirement, people: &mut Vec<String>) {
        match requirement {
            Requirement::All { of } => of.iter().for_each(|part| self.meet(part, people)),
            Requirement::Any { of, count } => {
                let enough = usize::try_from(*count).unwrap_or(usize::MAX);
                of.iter().take(enough).for_each(|part| self.meet(part, people));
            }
            Requirement::People { group, count } => {
                let numbers = 1..=(*count).min(MAX_PEOPLE);
                match group {
                    Group::Users(users) => {
                        let wanted = users.iter().take(numbers.count());
                        for user in wanted {
                            self.knows(user, TestPermission::Write, people);
                        }
                    }
                    Group::Team(team) => {
                        let members: Vec<String> = numbers.map(|number| format!("{team}-{number}")).collect();
                        for member in &members {
                            self.knows(member, TestPermission::Write, people);
                        }
                        let members = members.into_iter().map(plain).collect();
                        self.people.teams.insert(plain(team.clone()), members);
                    }
                    Group::Role(role) => {
                        let permission = match role {
                            Role::Write => TestPermission::Write,
                            Role::Maintain => TestPermission::Maintain,
                            Role::Admin => TestPermission::Admin,
                        };
                        for number in numbers {
                            self.knows(&format!("{}-{number}", word(*role)), permission, people);
                        }
                    }
                    Group::Codeowners { .. } => {}
                }
            }
        }
    }

    fn knows(&mut self, login: &str, permission: TestPermission, people: &mut Vec<String>) {
        self.people.users.insert(plain(login.to_owned()), plain(permission));
        if !people.iter().any(|known| known == login) {
            people.push(login.to_owned());
        }
    }
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Write => "writer",
        Role::Maintain => "maintainer",
        Role::Admin => "admin",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use super::*;
    use crate::definition::repository::Repository;

    fn path(process: &str) -> String {
        let repository = Repository::read([(".flow/processes/p.yaml".to_owned(), process.to_owned())]);
        let (_, process) = repository.process("p").unwrap();
        let stage = Stage::of(&repository, ["p"]);
        match preview(&stage, process) {
            Ok(run) => format!("{}: {}", run.status().as_str(), run.path.join(" ")),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn whoever_is_asked_agrees_and_the_rest_are_examples() {
        let told = path(
            "
name: p
version: 1
triggers: [pull_request: {}]
inputs:
  who: {type: string, default: all}
steps:
  - {id: call, type: api_call, url: https://api.example.com/}
  - id: leads
    type: human_approval
    depends_on: call
    approvers: {all: [{team: leads, count: 2}, {users: [octocat]}, {role: maintain}]}
    timeout: 1d
    note_required: always
  - {id: details, type: form, depends_on: leads, fields: {colour: {type: string, required: true}}, timeout: 1d}
  - {id: hear, type: wait, depends_on: details, event: {name: built, timeout: 1h}}
  - {id: ship, type: workflow, depends_on: hear, workflow: release.yml}
",
        );
        assert_eq!(told, "completed: call leads details hear ship");
    }

    #[test]
    fn what_has_to_be_given_is_an_example() {
        let inputs = "inputs: {size: {type: integer, minimum: 3, required: true}}";
        let step = "steps:\n  - {id: a, type: set, when: '{{ inputs.size > 2 }}', values: {x: 1}}";
        assert_eq!(path(&format!("name: p\nversion: 1\ntriggers: [manual]\n{inputs}\n{step}\n")), "completed: a");
    }

    #[test]
    fn what_nobody_reads_is_not_played() {
        let steps: String =
            (0..=MAX_STEPS).map(|n| format!("  - {{id: s{n}, type: set, values: {{x: 1}}}}\n")).collect();
        assert_eq!(path(&format!("name: p\nversion: 1\nsteps:\n{steps}")), "it has more than 200 steps");
    }
}
