//! A variable of a prompt that its text does not read.

use super::super::finding::Severity;
use super::super::reference::{Problem, ProblemKind};
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use crate::definition::repository::{Definition, FileKind};
use crate::expression::Template;
use std::collections::BTreeSet;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW030",
    name: "unused-variable",
    severity: Severity::Warning,
    summary: "A variable of a prompt that its text does not read",
    reason: r"
Every step that uses the prompt gives something that changes nothing.
",
    wrong: r"
# .flow/prompts/greet.md
---
variables:
  who: {type: string, required: true}
  mood: {type: string}
---
Greet {{ variables.who }}.
",
    right: r"
# .flow/prompts/greet.md
---
variables:
  who: {type: string, required: true}
---
Greet {{ variables.who }}.
",
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.files(FileKind::Prompt).filter(|file| file.faults.is_empty() && file.structure.is_empty()) {
        let Some(Definition::Prompt(prompt)) = &file.definition else { continue };
        let Ok(template) = Template::parse(&prompt.template) else { continue };
        // What a prompt cannot read was probably meant to be a variable, and is told where it is read.
        let is_unknown = |problem: &Problem| problem.kind == ProblemKind::UnknownName;
        if scope.prompts.iter().any(|(of, found)| std::ptr::eq(*of, file) && found.iter().any(is_unknown)) {
            continue;
        }
        let of_variables = || template.references().iter().filter(|reference| reference.root() == "variables");
        let read: BTreeSet<&str> = of_variables().filter_map(|reference| reference.name(1)).collect();
        let declared = &prompt.header.variables;
        // What reads all of them, or one that does not exist and was meant to be another, is left alone.
        let unclear = |name: Option<&str>| name.is_none_or(|name| !declared.contains_key(name));
        if of_variables().any(|reference| unclear(reference.name(1))) {
            continue;
        }
        for name in declared.keys().filter(|name| !read.contains(name.as_str())) {
            let finding = findings.add(file, name.span, format!("the prompt does not read `{}`", name.value));
            finding.help(format!("read it as `variables.{}`, or remove it", name.value));
        }
    }
}
