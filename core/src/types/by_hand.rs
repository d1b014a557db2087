//! What somebody who starts a process by hand, and not on a pull request, has to know before: whether it reads one.

use std::collections::BTreeSet;

use super::text::Text;
use super::{MistakeKind, Read, Types, trigger};
use crate::definition::StepKind;
use crate::definition::repository::Repository;

/// Of a process and those that it runs, the first one with a text that fails where there is no pull request: it reads
/// `trigger.pull_request`, and neither a default nor a condition before it provides for its absence.
pub fn reads_pull_request(repository: &Repository, process: &str) -> Option<String> {
    let types = Types::of(repository);
    let mut family: Vec<&str> = Vec::new();
    let (mut open, mut known) = (vec![process], BTreeSet::new());
    while let Some(name) = open.pop() {
        let Some(of) = types.process_named(name).filter(|_| known.insert(name)) else { continue };
        family.push(name);
        open.extend(of.process.all_steps().filter_map(|step| match &step.kind {
            StepKind::Process(call) => Some(call.process.as_str()),
            _ => None,
        }));
    }
    let members = || family.iter().filter_map(|name| types.process_named(name));
    // Before anything is inferred: what a process gives may depend on it.
    for member in members() {
        let kind = if member.process.header.name.as_str() == process { "manual" } else { "process" };
        member.set_trigger(trigger::without_pull_request(kind));
    }
    let fails = members().find(|member| {
        let texts = &member.texts().texts;
        texts.iter().zip(member.read(&types)).any(|(text, read)| lacks_pull_request(text, read))
    });
    fails.map(|member| member.process.header.name.as_str().to_owned())
}

fn lacks_pull_request(text: &Text, read: &Read) -> bool {
    let Ok(template) = &text.template else { return false };
    read.mistakes.iter().filter(|mistake| mistake.kind == MistakeKind::MayBeMissing).any(|mistake| {
        template.references().iter().any(|reference| {
            let part = reference.path.get(1).is_some_and(|part| part.range == mistake.range);
            part && reference.root() == "trigger" && reference.name(1) == Some("pull_request")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(steps: &str) -> Option<String> {
        let main = format!("name: main\nversion: 1\nsteps:\n{steps}");
        let child = "name: child\nversion: 1\nsteps:\n  - {id: one, type: set, values: {x: '{{ trigger.pull_request.url }}'}}\n";
        let files = [(".flow/processes/main.yaml", main.as_str()), (".flow/processes/child.yaml", child)];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        reads_pull_request(&Repository::read(files), "main")
    }

    #[test]
    fn a_start_by_hand_has_no_pull_request_to_read() {
        let set = |value: &str| format!("  - {{id: one, type: set, values: {{x: \"{{{{ {value} }}}}\"}}}}\n");
        for (steps, expected) in [
            (set("trigger.pull_request.title"), Some("main")),
            (set("trigger.pull_request"), Some("main")),
            (set("trigger.actor"), None),
            (set("trigger.pull_request.title | default('none')"), None),
            (set("trigger.pull_request is defined"), None),
            (set("trigger.pull_request.title if trigger.pull_request is defined else ''"), None),
            (set("trigger.payload.title"), None),
            ("  - {id: one, type: process, process: child}\n".to_owned(), Some("child")),
            ("  - {id: one, type: process, process: main}\n".to_owned(), None),
            (
                set("trigger.pull_request.title")
                    .replace("type: set", "type: set, when: '{{ trigger.type != \"manual\" }}'"),
                None,
            ),
        ] {
            assert_eq!(reader(&steps).as_deref(), expected, "{steps}");
        }
    }
}
