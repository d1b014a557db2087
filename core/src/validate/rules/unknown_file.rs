//! A file that is referred to and does not exist.

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use serde_json::Value;

use crate::definition::Step;
use crate::definition::repository::{Definition, File, FileKind};
use crate::definition::step::StepKind;
use crate::definition::step::api_call::Expect;
use crate::definition::tool;
use crate::source::{Span, Spanned};

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
        references(file).into_iter().for_each(|reference| tell(scope, file, &reference, findings));
    }
}

/// A file that another one names.
pub(in super::super) struct Reference<'r> {
    /// Its kind.
    pub(in super::super) kind: FileKind,
    /// Its name; of a schema its path.
    pub(in super::super) name: &'r str,
    /// Where that is said.
    span: Span,
}

/// Every file that a file names.
pub(in super::super) fn references(file: &File) -> Vec<Reference<'_>> {
    let mut found = Named(Vec::new());
    match &file.definition {
        Some(Definition::Process(process)) => process.all_steps().for_each(|step| found.of_step(step)),
        Some(Definition::Agent(agent)) => {
            agent.tools.iter().for_each(|tool| found.add(FileKind::Tool, tool));
            agent.policy.iter().for_each(|policy| found.add(FileKind::Policy, policy));
        }
        Some(Definition::Policy(policy)) => {
            policy.extends.iter().for_each(|other| found.add(FileKind::Policy, other));
        }
        Some(Definition::Tool(tool)) => {
            found.schema(tool.input_schema.as_ref());
            let document = tool.document.as_ref().filter(|document| tool::is_path(document));
            document.into_iter().for_each(|path| {
                found.0.push(Reference { kind: FileKind::Schema, name: tool::below_schemas(path), span: path.span });
            });
        }
        _ => {}
    }
    found.0
}

struct Named<'r>(Vec<Reference<'r>>);

impl<'r> Named<'r> {
    fn add(&mut self, kind: FileKind, name: &'r Spanned<String>) {
        self.0.push(Reference { kind, name: &name.value, span: name.span });
    }

    fn schema(&mut self, schema: Option<&'r Spanned<Value>>) {
        if let Some(Spanned { value: Value::String(name), span, .. }) = schema {
            self.0.push(Reference { kind: FileKind::Schema, name, span: *span });
        }
    }

    fn of_step(&mut self, step: &'r Step) {
        let expected = |expect: &'r Option<Expect>| expect.as_ref().and_then(|expect| expect.schema.as_ref());
        match &step.kind {
            StepKind::AgentTask(task) => {
                self.add(FileKind::Agent, &task.agent);
                task.tools.iter().flatten().for_each(|tool| self.add(FileKind::Tool, tool));
                task.policy.iter().for_each(|policy| self.add(FileKind::Policy, policy));
                self.schema(task.output_schema.as_ref());
            }
            StepKind::AiGenerate(generate) => {
                generate.template.iter().for_each(|prompt| self.add(FileKind::Prompt, prompt));
                self.schema(Some(&generate.output_schema));
            }
            StepKind::HumanApproval(approval) => {
                approval.policy.iter().for_each(|policy| self.add(FileKind::Policy, policy));
            }
            StepKind::McpCall(call) => {
                self.add(FileKind::Tool, &call.tool);
                self.schema(expected(&call.expect));
            }
            StepKind::ApiCall(call) => self.schema(expected(&call.expect)),
            _ => {}
        }
    }
}

fn tell(scope: &Scope<'_>, file: &File, reference: &Reference<'_>, findings: &mut Findings) {
    let Reference { kind, name, span } = *reference;
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
    let finding = findings.add(file, span, format!("there is no {word} `{name}`"));
    match finding.closest(name, scope.names.of_kind(kind)) {
        Some(meant) => drop(finding.meant(file, span, Some(meant))),
        None => drop(finding.help(format!("it would be `.flow/{folder}/{name}{ending}`"))),
    }
}
