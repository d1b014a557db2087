//! A person in a test who is nobody, or a team that nothing asks.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::{ProcessScope, Scope};
use super::{each_case, each_group_of_people, tests, words};
use crate::definition::Approvers;
use crate::definition::repository::{Definition, File, FileKind};
use crate::definition::step::StepKind;
use crate::source::{Node, closest};
use std::collections::{BTreeMap, BTreeSet};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW421",
    name: "unknown-person-in-test",
    severity: Severity::Warning,
    summary: "A person in a test who is nobody, or a team that nothing asks",
    reason: r"
`people` says who there is. A person who is neither among the users nor in a team has no permission and belongs to no group:
what they say does not count. A team that no approval, form or policy asks is usually misspelt.
",
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  who: {type: string, default: world}
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: "Greet {{ inputs.who }}."
    output_schema: {type: object, required: [text], properties: {text: {type: string}}}
  - id: facts
    type: form
    depends_on: draft
    fields:
      size: {type: integer, minimum: 1, required: true}
  - id: review
    type: human_approval
    depends_on: facts
    title: "{{ steps.draft.output.text }} {{ steps.facts.output.size }}"
    approvers: {team: leads}
outputs:
  text: "{{ steps.draft.output.text }}"

# .flow/tests/hello.yaml
process: hello
people:
  users: {alice: write}
  teams: {leads: [bob]}
cases:
  - name: two people agree
    inputs: {who: you}
    stubs:
      draft: {output: {text: hello}}
    answers:
      - {by: alice, step: facts, values: {size: 3}}
    decisions:
      - {by: bib, step: review, decision: approve}
    expect:
      status: completed
      path: [draft, facts, review]
      outputs: {text: hello}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
inputs:
  who: {type: string, default: world}
steps:
  - id: draft
    type: ai_generate
    model: mock
    prompt: "Greet {{ inputs.who }}."
    output_schema: {type: object, required: [text], properties: {text: {type: string}}}
  - id: facts
    type: form
    depends_on: draft
    fields:
      size: {type: integer, minimum: 1, required: true}
  - id: review
    type: human_approval
    depends_on: facts
    title: "{{ steps.draft.output.text }} {{ steps.facts.output.size }}"
    approvers: {team: leads}
outputs:
  text: "{{ steps.draft.output.text }}"

# .flow/tests/hello.yaml
process: hello
people:
  users: {alice: write}
  teams: {leads: [bob]}
cases:
  - name: two people agree
    inputs: {who: you}
    stubs:
      draft: {output: {text: hello}}
    answers:
      - {by: alice, step: facts, values: {size: 3}}
    decisions:
      - {by: bob, step: review, decision: approve}
    expect:
      status: completed
      path: [draft, facts, review]
      outputs: {text: hello}
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let mut last: Option<(*const File, BTreeSet<String>)> = None;
    each_case(scope, &mut |file, _, case| {
        if last.as_ref().is_none_or(|(known, _)| !std::ptr::eq(*known, file)) {
            last = Some((std::ptr::from_ref(file), people(file)));
        }
        let Some((_, known)) = last.as_ref().filter(|(_, known)| !known.is_empty()) else { return };
        for one in ["decisions", "answers"].into_iter().flat_map(|key| words(case, key)) {
            let Some(by) = one.get("by") else { continue };
            let Some(login) = by.as_str().filter(|login| !known.contains(&login.to_lowercase())) else { continue };
            let finding = findings.add(file, by.span(), format!("`{login}` is not among the people of this test"));
            match finding.closest(login, known.iter().map(String::as_str)) {
                Some(meant) => drop(finding.meant(file, by.span(), Some(meant))),
                None => drop(finding.help("add them to `people`")),
            }
        }
    });
    let mut groups: BTreeMap<&str, Vec<&Approvers>> = BTreeMap::new();
    each_group_of_people(scope, &mut |file, group| {
        groups.entry(file.source.path()).or_default().push(&group.value);
    });
    let policies = scope.files(FileKind::Policy).map(|file| file.source.path());
    let policies = asked_in(policies, &groups);
    for (file, _, process) in tests(scope) {
        let own = policies.as_ref().and_then(|_| asked(scope, process, &groups));
        if let (Some(policies), Some(own)) = (&policies, own) {
            nobody_asks(file, policies, &own, findings);
        }
        members(file, findings);
    }
}

/// The teams that a process and those that it runs ask; nothing where that is not known.
fn asked(
    scope: &Scope<'_>,
    process: &ProcessScope<'_>,
    groups: &BTreeMap<&str, Vec<&Approvers>>,
) -> Option<BTreeSet<String>> {
    let (mut paths, mut open) = (BTreeSet::new(), vec![process]);
    while let Some(process) = open.pop() {
        if !paths.insert(process.file.source.path()) {
            continue;
        }
        if !process.file.faults.is_empty() || !process.file.structure.is_empty() {
            return None;
        }
        for step in process.steps() {
            match &step.kind {
                StepKind::Process(call) => open.push(scope.process(call.process.as_str())?),
                // Whom it was to ask is told as missing.
                StepKind::HumanApproval(approval) if approval.approvers.is_none() && approval.policy.is_none() => {
                    return None;
                }
                _ => {}
            }
        }
    }
    asked_in(paths.into_iter(), groups)
}

/// The teams that files ask, in small letters and without their organisation; nothing where that is computed or said by a
/// CODEOWNERS file.
fn asked_in<'p>(
    paths: impl Iterator<Item = &'p str>,
    groups: &BTreeMap<&str, Vec<&Approvers>>,
) -> Option<BTreeSet<String>> {
    let mut teams = BTreeSet::new();
    for group in paths.filter_map(|path| groups.get(path)).flatten() {
        match group {
            Approvers::Team { team, .. } if team.contains("{{") => return None,
            Approvers::Team { team, .. } => drop(teams.insert(slug(team))),
            Approvers::Codeowners { .. } => return None,
            _ => {}
        }
    }
    Some(teams)
}

/// Most names that a misspelt one is compared with; nobody writes more by hand.
const MAX_COMPARED: usize = 100;

fn slug(team: &str) -> String {
    team.rsplit('/').next().unwrap_or(team).to_lowercase()
}

/// Tells the teams of a test that no approval, form or policy asks.
fn nobody_asks(file: &File, policies: &BTreeSet<String>, own: &BTreeSet<String>, findings: &mut Findings) {
    let is_asked = |name: &str| own.contains(&slug(name)) || policies.contains(&slug(name));
    // What is written already cannot be meant by another key.
    let written: BTreeSet<String> = groups(file, "teams").filter_map(|(team, _)| team.as_str().map(slug)).collect();
    let others: Vec<&str> = own.iter().filter(|team| !written.contains(*team)).map(String::as_str).collect();
    for (team, _) in groups(file, "teams") {
        let Some(name) = team.as_str().filter(|name| !is_asked(name)) else { continue };
        let finding = findings.add(file, team.span(), format!("nothing asks team `{name}`"));
        match finding.closest(name, others.iter().copied()) {
            Some(meant) => drop(finding.meant(file, team.span(), Some(meant))),
            None => drop(finding.help("remove it, or name it among the approvers")),
        }
    }
}

/// Tells the members of teams who are nobody else and whose name is nearly that of somebody who says something.
fn members(file: &File, findings: &mut Findings) {
    let Some(Definition::Test(test)) = &file.definition else { return };
    let said = test.cases.iter().flat_map(|case| {
        let case = file.document.node(case.node);
        ["decisions", "answers"].into_iter().flat_map(move |key| words(case, key)).filter_map(|word| word.get("by"))
    });
    let said: BTreeSet<String> = said.filter_map(Node::as_str).map(str::to_lowercase).collect();
    let users: BTreeSet<String> =
        groups(file, "users").filter_map(|(login, _)| login.as_str()).map(str::to_lowercase).collect();
    let teams = groups(file, "teams").filter_map(|(_, members)| members.items()).flatten();
    let in_teams: BTreeSet<String> = teams.filter_map(Node::as_str).map(str::to_lowercase).collect();
    // Who says something and is in no team may be the one who was meant.
    let outside: Vec<&str> =
        users.intersection(&said).filter(|login| !in_teams.contains(*login)).map(String::as_str).collect();
    if outside.is_empty() || outside.len() > MAX_COMPARED {
        return;
    }
    for member in groups(file, "teams").filter_map(|(_, members)| members.items()).flatten() {
        let Some(login) = member.as_str().map(str::to_lowercase) else { continue };
        if said.contains(&login) || users.contains(&login) {
            continue;
        }
        if let Some(meant) = closest(&login, outside.iter().copied()) {
            let finding = findings.add(file, member.span(), format!("`{login}` is a member of a team and nobody else"));
            finding.meant(file, member.span(), Some(meant));
        }
    }
}

/// What a test says of its people, under one key.
fn groups<'n>(file: &'n File, key: &str) -> impl Iterator<Item = (Node<'n>, Node<'n>)> + use<'n> {
    let root = file.document.root().map(|root| file.document.node(root));
    let groups = root.and_then(|root| root.get("people")?.get(key));
    groups.into_iter().flat_map(Node::entries)
}

/// Everybody whom a test names, in small letters.
fn people(file: &File) -> BTreeSet<String> {
    let Some(Definition::Test(_)) = &file.definition else { return BTreeSet::new() };
    let root = file.document.root().map(|root| file.document.node(root));
    let whole = root.and_then(|root| root.get("people")).map(Node::outer_span);
    // Of people who could not be read nobody knows who they are.
    if whole.is_some_and(|whole| file.structure.iter().any(|fault| whole.contains(fault.span))) {
        return BTreeSet::new();
    }
    let users = groups(file, "users").map(|(login, _)| login);
    let members = groups(file, "teams").filter_map(|(_, members)| members.items()).flatten();
    users.chain(members).filter_map(Node::as_str).map(str::to_lowercase).collect()
}
