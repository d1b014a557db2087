//! A model that does not exist.

use std::collections::BTreeSet;

use super::super::finding::Severity;
use super::super::rule::{Findings, Rule};
use super::super::scope::Scope;
use super::super::text::has_markup;
use crate::definition::model::{MOCK_MODELS, PROVIDERS};
use crate::definition::repository::{Definition, File};
use crate::definition::step::StepKind;
use crate::source::{Spanned, closest};

/// The rule.
pub const RULE: Rule = Rule {
    code: "FLOW402",
    name: "unknown-model",
    severity: Severity::Error,
    summary: "A model that does not exist",
    reason: r#"
A model is an alias of `flow.yaml`, `provider/model`, or `mock`, which always exists. An alias stands for one of the latter
two. Providers are `openai`, `anthropic`, `google`, `compatible` and `mock`, whose models are ways to behave.
"#,
    wrong: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: draft
    type: ai_generate
    model: clever
    prompt: Say hello.
    output_schema: {type: object, required: [text], properties: {text: {type: string}}}
"#,
    right: r#"
# .flow/processes/hello.yaml
name: hello
version: 1
steps:
  - id: draft
    type: ai_generate
    model: clever
    prompt: Say hello.
    output_schema: {type: object, required: [text], properties: {text: {type: string}}}

# .flow/flow.yaml
models:
  clever: mock
"#,
    check,
};

fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let aliases = scope.settings_say("models").then_some(&scope.names.models);
    for file in scope.all_files() {
        match &file.definition {
            Some(Definition::Process(process)) => {
                for step in process.all_steps() {
                    if let StepKind::AiGenerate(generate) = &step.kind {
                        tell(aliases, file, &generate.model, findings);
                    }
                }
            }
            Some(Definition::Agent(agent)) => tell(aliases, file, &agent.model, findings),
            Some(Definition::Settings(settings)) => {
                for (alias, model) in &settings.models {
                    if is_full(model) {
                        tell_provider(file, model, findings);
                        continue;
                    }
                    let message = format!("the alias `{}` stands for no model", alias.value);
                    let finding = findings.add(file, model.span, message);
                    finding.help("write `provider/model`, or `mock`");
                }
            }
            _ => {}
        }
    }
}

/// `mock`, or a provider and a model.
fn is_full(model: &str) -> bool {
    model == "mock" || model.split_once('/').is_some_and(|(provider, name)| !provider.is_empty() && !name.is_empty())
}

/// A provider that nobody speaks to, or a model that the mock does not have. Which models the others have is theirs to say.
fn tell_provider(file: &File, model: &Spanned<String>, findings: &mut Findings) {
    let Some((provider, name)) = model.split_once('/') else { return };
    let (what, wrong, known) = match provider {
        "mock" if MOCK_MODELS.contains(&name) => return,
        "mock" => ("the provider `mock` has no model", name, &MOCK_MODELS[..]),
        _ if PROVIDERS.contains(&provider) => return,
        _ => ("there is no provider", provider, &PROVIDERS[..]),
    };
    let finding = findings.add(file, model.span, format!("{what} `{wrong}`"));
    let names = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match closest(wrong, known.iter().copied()) {
        Some(meant) => finding.help(format!("did you mean `{meant}`? There are: {names}")),
        None => finding.help(format!("there are: {names}")),
    };
}

/// `aliases`: nothing where not all of them could be read.
fn tell(aliases: Option<&BTreeSet<String>>, file: &File, model: &Spanned<String>, findings: &mut Findings) {
    if has_markup(model) || aliases.is_some_and(|aliases| aliases.contains(&model.value)) {
        return;
    }
    if is_full(model) {
        return tell_provider(file, model, findings);
    }
    let Some(aliases) = aliases else { return };
    let finding = findings.add(file, model.span, format!("there is no model `{}`", model.value));
    let known = aliases.iter().map(String::as_str).chain(["mock"]);
    match finding.closest(model, known) {
        Some(meant) => finding.meant(file, model.span, Some(meant)),
        None => finding.help("write `provider/model` or `mock`, or an alias of `models` in `.flow/flow.yaml`"),
    };
}
