//! Variables of a prompt that are missing or unknown.

use super::super::finding::Severity;
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
    for process in &scope.processes {
        for step in process.steps() {
            let StepKind::AiGenerate(generate) = &step.kind else { continue };
            let Some(name) = &generate.template else { continue };
            if let Some((file, prompt)) = prompt(scope, name) {
                tell(process, step, file, &prompt.header.variables, &generate.variables, findings);
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

fn tell(
    process: &ProcessScope<'_>,
    step: &Step,
    prompt: &File,
    declared: &Fields,
    given: &IndexMap<Spanned<String>, Spanned<Value>>,
    findings: &mut Findings,
) {
    let unknown: Vec<_> = given.keys().filter(|name| !declared.contains_key(name.as_str())).collect();
    // A variable that is misspelt is told below.
    let known: Vec<&str> = declared.keys().map(|name| name.as_str()).collect();
    let not_given: Vec<&str> = known.iter().copied().filter(|name| !given.contains_key(*name)).collect();
    let misspelt = findings.misspelt.among(unknown.iter().map(|name| name.as_str()), &not_given);
    for (name, field) in declared {
        let missing = field.required && field.default.is_none() && !given.contains_key(name.as_str());
        if missing && !misspelt.contains(name.as_str()) {
            let place = if process.node(step).get("variables").is_some() { "variables" } else { "template" };
            let message = format!("the prompt needs the variable `{}`", name.as_str());
            let finding = findings.add(process.file, process.key_span(step, place), message);
            finding.help(format!("give it in `variables` of step `{}`", step.id.as_str()));
            finding.also(prompt, name.span, "declared here");
        }
    }
    for name in unknown {
        let message = format!("the prompt has no variable `{}`", name.as_str());
        let finding = findings.add(process.file, name.span, message);
        finding.meant_instead(process.file, name.span, name, &not_given, &known, "declares");
    }
}
