//! What changed processes would do where all goes well: their paths, for people who look at a change.

use std::collections::BTreeMap;

use flowctl_core::approval::Requirement;
use flowctl_core::execution::{Event, EventKind, ExecutionStatus, Waiting};
use flowctl_core::simulation::{PreviewError, Run};

use super::escape::{code, message, shorten};
use super::format::listed;
use super::people::{Names, Naming};

/// Steps of one path that are told.
const STEPS: usize = 40;
/// Characters of an error.
const WORDS: usize = 300;

/// A changed process and what came of playing it.
#[derive(Debug)]
pub struct Preview {
    /// The process's name.
    pub process: String,
    /// What happened, or why it was not played.
    pub run: Result<Run, PreviewError>,
}

/// The section about all of them; empty where there is none.
pub fn previews(previews: &[Preview], organisation: &str) -> String {
    if previews.is_empty() {
        return String::new();
    }
    let naming = Naming { organisation, names: Names::Told };
    let lines: Vec<String> = previews.iter().map(|preview| line(preview, naming)).collect();
    format!(
        "### What would happen\n{}\n\n<sub>Played by itself, without the world: what it is given are examples, and \
         whoever is asked agrees.</sub>",
        lines.join("\n")
    )
}

fn line(preview: &Preview, naming: Naming<'_>) -> String {
    let name = code(&preview.process);
    let run = match &preview.run {
        Ok(run) => run,
        Err(error) => return format!("- {name} was not played: {}.", message(&shorten(&error.to_string(), WORDS))),
    };
    let asked = asked(&run.events);
    let mut steps: Vec<String> = run
        .path
        .iter()
        .take(STEPS)
        .map(|step| match asked.get(step.as_str()) {
            Some(requirement) => format!("{} ({})", code(step), naming.requirement(requirement)),
            None => code(step),
        })
        .collect();
    if run.path.len() > STEPS {
        steps.push(format!("{} more", run.path.len() - STEPS));
    }
    let path = if steps.is_empty() { "no step runs".to_owned() } else { steps.join(" → ") };
    let skipped: Vec<String> = run.skipped().into_iter().take(STEPS).map(code).collect();
    let skipped = if skipped.is_empty() { String::new() } else { format!(" Skipped: {}.", listed(&skipped, "and")) };
    format!("- {name}: {path}; it {}.{skipped}", end(run))
}

fn end(run: &Run) -> String {
    if let Some(cut) = &run.cut {
        return format!("does not end: {}", message(&shorten(&cut.to_string(), WORDS)));
    }
    match (run.status(), &run.execution.error) {
        (ExecutionStatus::Completed, _) => "completes".to_owned(),
        (ExecutionStatus::Failed, Some(error)) => format!("fails: {}", message(&shorten(&error.message, WORDS))),
        (ExecutionStatus::Failed, None) => "fails".to_owned(),
        (ExecutionStatus::Cancelled, _) => "is cancelled".to_owned(),
        _ => "waits".to_owned(),
    }
}

/// Whom each step asks.
fn asked(events: &[Event]) -> BTreeMap<&str, &Requirement> {
    let asked = events.iter().filter_map(|event| match &event.kind {
        EventKind::StepWaiting { waiting: Waiting::Approval(request) } => {
            Some((event.step.as_deref()?, &request.requirement))
        }
        EventKind::StepWaiting { waiting: Waiting::Form(request) } => {
            Some((event.step.as_deref()?, request.assignees.as_ref()?))
        }
        _ => None,
    });
    asked.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
    use flowctl_core::definition::repository::Repository;
    use flowctl_core::simulation::{Stage, preview};

    use super::*;

    #[test]
    fn a_path_tells_whom_it_asks_and_how_it_ends() {
        let text = "
name: ship
version: 2
triggers: [manual]
steps:
  - {id: draft, type: set, values: {risk: 3}}
  - id: route
    type: gateway
    depends_on: draft
    branches:
      - {when: '{{ steps.draft.output.risk > 5 }}', to: [leads]}
      - {otherwise: true, to: [quick]}
  - {id: leads, type: human_approval, approvers: {team: leads, count: 2}}
  - {id: quick, type: human_approval, approvers: {users: [bob, octocat]}}
  - {id: ship, type: set, depends_on: [leads, quick], values: {done: true}}
";
        let repository = Repository::read([(".flow/processes/ship.yaml".to_owned(), text.to_owned())]);
        let (_, process) = repository.process("ship").unwrap();
        let run = preview(&Stage::of(&repository, ["ship"]), process);
        let large = Preview { process: "large".to_owned(), run: Err(PreviewError::TooLarge) };
        let told = previews(&[Preview { process: "ship".to_owned(), run }, large], "octo-org");
        for part in [
            "### What would happen\n- `ship`: `draft` → `route` → `quick` (",
            ") → `ship`; it completes. Skipped: `leads`.\n",
            "- `large` was not played: it has more than 200 steps.\n",
        ] {
            assert!(told.contains(part), "{part}\n{told}");
        }
    }
}
