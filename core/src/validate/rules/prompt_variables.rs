//! Variables of a prompt that are missing or unknown.

use std::collections::BTreeMap;

use super::super::finding::Severity;
use super::super::given::Declared;
use super::super::reference::ProblemKind;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use indexmap::IndexMap;
use serde_json::Value;

use super::super::scope::ProcessScope;
use crate::definition::prompt::Prompt;
use crate::definition::repository::{Definition, File, FileKind};
use crate::definition::step::StepKind;
use crate::definition::{Fields, Step};
use crate::source::Spanned;

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW211",
    name: "prompt-variables",
    severity: Severity::Error,
    summary: "Variables of a prompt that are missing or unknown",
    reason: r#"
A prompt file declares what it reads as `variables`. A step that uses it has to give those that are required, and can give
no others.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: draft
    type: ai_generate
    model: mock
    template: hello
    output_schema: {type: object, required: [text], properties: {text: {type: string}}}

# .flow/prompts/hello.md
---
variables:
  who: {type: string, required: true}
---
Say hello to {{ variables.who }}.
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: draft
    type: ai_generate
    model: mock
    template: hello
    variables: {who: alice}
    output_schema: {type: object, required: [text], properties: {text: {type: string}}}

# .flow/prompts/hello.md
---
variables:
  who: {type: string, required: true}
---
Say hello to {{ variables.who }}.
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    // What is declared is looked at once, however many steps use it.
    let mut prompts: BTreeMap<&str, Declared<'_>> = BTreeMap::new();
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::AiGenerate(generate) = &step.kind else { continue };
            let Some(name) = &generate.template else { continue };
            if let Some((file, prompt)) = prompt(scope, name) {
                let variables = &prompt.header.variables;
                let declared = prompts.entry(name.as_str()).or_insert_with(|| Declared::fields(variables));
                let is_missed = |name: &str| is_missed(scope, file, name);
                tell(process, step, (file, variables), declared, &generate.variables, &is_missed, findings);
            }
        }
    }
}

/// The prompt of this name, where it could be read without a fault.
fn prompt<'r>(scope: &Scope<'r>, name: &str) -> Option<(&'r File, &'r Prompt)> {
    let file = scope.file(FileKind::Prompt, name)?;
    match &file.definition {
        Some(Definition::Prompt(prompt)) if file.faults.is_empty() && file.structure.is_empty() && !prompt.is_open => {
            Some((file, prompt))
        }
        _ => None,
    }
}

/// Whether the template reads a name that nobody declared: that is told there.
fn is_missed(scope: &Scope<'_>, file: &File, name: &str) -> bool {
    let mut problems = scope.prompts.iter().filter(|(own, _)| std::ptr::eq(*own, file)).flat_map(|(_, all)| all);
    problems.any(|problem| problem.kind == ProblemKind::UnknownName && file.source.slice(problem.span) == name)
}

fn tell(
    process: &ProcessScope<'_>,
    step: &Step,
    (prompt, variables): (&File, &Fields),
    declared: &Declared<'_>,
    given: &IndexMap<Spanned<String>, Spanned<Value>>,
    is_missed: &dyn Fn(&str) -> bool,
    findings: &mut Findings,
) {
    let names = given.keys().map(|name| name.as_str()).collect();
    let gap = declared.gap(&names, findings.misspelt(process.file));
    if let Some(missing) = gap.told("variable") {
        let place = if process.node(step).get("variables").is_some() { "variables" } else { "template" };
        let message = format!("the prompt needs {missing}");
        let finding = findings.add(process.file, process.key_span(step, place), message);
        finding.help(gap.help(&format!("`variables` of step `{}`", step.id.as_str())));
        for (name, _) in gap.missing.iter().filter_map(|name| variables.get_key_value(*name)) {
            finding.also(prompt, name.span, "declared here");
        }
    }
    for name in given.keys().filter(|name| !declared.has(name.as_str()) && !is_missed(name.as_str())) {
        let message = format!("the prompt has no variable `{}`", name.as_str());
        let finding = findings.add(process.file, name.span, message);
        finding.meant_instead(process.file, name.span, name, &gap.not_given, &declared.names, "declares");
    }
}
