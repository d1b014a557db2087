//! A file that is referred to and does not exist.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use serde_json::Value;

use super::super::finding::Applicability;
use crate::definition::Step;
use crate::definition::repository::{Definition, File, FileKind};
use crate::definition::step::StepKind;
use crate::source::{Spanned, closest};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW401",
    name: "unknown-file",
    severity: Severity::Error,
    summary: "A file that is referred to and does not exist",
    reason: r#"
Prompts, schemas, agents, tools and policies are named by their file below `.flow/`. Without the file the process cannot
start.
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

# .flow/prompts/hallo.md
---
variables:
  who: {type: string, default: you}
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
    output_schema: {type: object, required: [text], properties: {text: {type: string}}}

# .flow/prompts/hello.md
---
variables:
  who: {type: string, default: you}
---
Say hello to {{ variables.who }}.
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for file in scope.all_files() {
        match &file.definition {
            Some(Definition::Process(process)) => {
                process.all_steps().for_each(|step| of_step(scope, file, step, findings));
            }
            Some(Definition::Agent(agent)) => {
                agent.tools.iter().for_each(|tool| named(scope, file, FileKind::Tool, tool, findings));
            }
            Some(Definition::Policy(policy)) => {
                policy.extends.iter().for_each(|other| named(scope, file, FileKind::Policy, other, findings));
            }
            Some(Definition::Tool(tool)) => tool.input_schema.iter().for_each(|one| schema(scope, file, one, findings)),
            _ => {}
        }
    }
}

fn of_step(scope: &Scope<'_>, file: &File, step: &Step, findings: &mut Findings) {
    let mut look = |kind: FileKind, name: &Spanned<String>| named(scope, file, kind, name, findings);
    match &step.kind {
        StepKind::AgentTask(task) => {
            look(FileKind::Agent, &task.agent);
            task.tools.iter().flatten().for_each(|tool| look(FileKind::Tool, tool));
            task.output_schema.iter().for_each(|one| schema(scope, file, one, findings));
        }
        StepKind::AiGenerate(generate) => {
            generate.template.iter().for_each(|prompt| look(FileKind::Prompt, prompt));
            schema(scope, file, &generate.output_schema, findings);
        }
        StepKind::HumanApproval(approval) => {
            approval.policy.iter().for_each(|policy| look(FileKind::Policy, policy));
        }
        StepKind::McpCall(call) => {
            look(FileKind::Tool, &call.tool);
            let schemas = call.expect.iter().filter_map(|expect| expect.schema.as_ref());
            schemas.for_each(|one| schema(scope, file, one, findings));
        }
        StepKind::ApiCall(call) => {
            let schemas = call.expect.iter().filter_map(|expect| expect.schema.as_ref());
            schemas.for_each(|one| schema(scope, file, one, findings));
        }
        _ => {}
    }
}

fn schema(scope: &Scope<'_>, file: &File, schema: &Spanned<Value>, findings: &mut Findings) {
    if let Value::String(path) = &schema.value {
        let name = Spanned { value: path.clone(), node: schema.node, span: schema.span };
        named(scope, file, FileKind::Schema, &name, findings);
    }
}

fn named(scope: &Scope<'_>, file: &File, kind: FileKind, name: &Spanned<String>, findings: &mut Findings) {
    if scope.names.has(kind, name) {
        return;
    }
    let (word, folder, ending) = match kind {
        FileKind::Agent => ("agent", "agents", ".yaml"),
        FileKind::Tool => ("tool", "tools", ".yaml"),
        FileKind::Policy => ("policy", "policies", ".yaml"),
        FileKind::Schema => ("schema", "schemas", ""),
        _ => ("prompt", "prompts", ".md"),
    };
    let finding = findings.add(file, name.span, format!("there is no {word} `{}`", name.value));
    match closest(name, scope.names.of_kind(kind)) {
        Some(meant) => {
            finding.help(format!("did you mean `{meant}`?")).fix(file, Applicability::Unsafe, name.span, meant);
        }
        None => drop(finding.help(format!("it would be `.flow/{folder}/{}{ending}`", name.value))),
    }
}
