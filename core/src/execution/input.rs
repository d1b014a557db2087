//! What an attempt that somebody else performs is given: the fields of its step, evaluated. Where a secret goes is
//! kept apart; its value is never here.

use serde_json::{Map, Value, json};

use super::notice;
use super::people;
use super::perform::{evaluate, evaluate_text};
use super::plan::{Plan, PlannedStep};
use super::state::{Execution, StepError};
use super::untrusted::{self, EXPLANATION};
use crate::definition::step::api_call::ApiCall;
use crate::definition::step::{AgentTask, AiGenerate, McpCall, StepKind, SubProcess, Workflow};
use crate::definition::{ErrorClass, Retry, StepType};
use crate::expression::{Context, Rendered, evaluate_json};

/// How often an attempt is made where nothing is said; nothing: once. A message that did not arrive is sent again: the
/// three attempts of `retry: {}`.
pub(crate) fn usual_retry(step_type: StepType) -> Option<Retry> {
    (step_type == StepType::Notify).then(Retry::default)
}

/// The input of an attempt.
pub(super) fn of(
    plan: &Plan,
    execution: &Execution,
    planned: &PlannedStep,
    context: &Context,
) -> Result<Rendered, StepError> {
    match &planned.step.kind {
        StepKind::ApiCall(call) => api_call(call, planned.schema.as_ref(), context),
        StepKind::AiGenerate(generate) => ai_generate(generate, planned, context),
        StepKind::AgentTask(task) => agent_task(task, planned, context),
        StepKind::McpCall(call) => mcp_call(call, planned, context),
        StepKind::Workflow(workflow) => workflow_run(workflow, context),
        StepKind::Process(process) => sub_process(process, context),
        StepKind::Notify(notify) => notice::input(plan, execution, notify, context),
        other => {
            let message = format!("steps of type `{}` are not performed by others", other.step_type());
            Err(StepError::new(ErrorClass::Refused, message))
        }
    }
}

fn api_call(call: &ApiCall, schema: Option<&Value>, context: &Context) -> Result<Rendered, StepError> {
    let mut template = Map::new();
    template.insert("method".to_owned(), json!(call.method));
    template.insert("url".to_owned(), json!(call.url.value));
    template.insert("query".to_owned(), json!(call.query));
    template.insert("headers".to_owned(), json!(call.headers));
    if let Some(body) = &call.body {
        template.insert("body".to_owned(), body.value.clone());
    }
    if let Some(body_text) = &call.body_text {
        template.insert("body_text".to_owned(), json!(body_text.value));
    }
    let mut rendered = evaluate_fields(&Value::Object(template), context)?;
    if let Value::Object(input) = &mut rendered.value {
        let status = call.expect.as_ref().and_then(|expect| expect.status.as_ref());
        input.insert("expect_status".to_owned(), status.map_or_else(|| json!(["2xx"]), |status| json!(status)));
        if let Some(schema) = schema {
            input.insert("expect_schema".to_owned(), schema.clone());
        }
    }
    Ok(rendered)
}

fn ai_generate(generate: &AiGenerate, planned: &PlannedStep, context: &Context) -> Result<Rendered, StepError> {
    let prompt = match (&planned.prompt, &generate.prompt) {
        (Some(prompt), _) => {
            let mut variables = prompt.defaults.clone();
            if let Value::Object(given) = evaluate("variables", &json!(generate.variables), context)?.value {
                variables.extend(given);
            }
            let mut inside = Context::new();
            inside.set("variables", Value::Object(variables));
            let given = generate.variables.iter().map(|(name, value)| (name.as_str(), &value.value)).collect();
            untrusted::prompt(&prompt.template, &inside, &given)?
        }
        (None, Some(prompt)) => untrusted::told("prompt", prompt, context)?,
        (None, None) => {
            return Err(StepError::new(ErrorClass::Expression, "neither `prompt` nor `template` is given"));
        }
    };
    let system = generate.system.as_ref().map(|system| untrusted::told("system", system, context)).transpose()?;
    let mut input = Map::new();
    input.insert("model".to_owned(), json!(evaluate_text("model", &generate.model, context)?));
    // A model that is shown an envelope is told what it is, by who makes its rules.
    let has_envelopes = prompt.has_envelopes || system.as_ref().is_some_and(|system| system.has_envelopes);
    let rules = system.map(|system| system.text).into_iter().chain(has_envelopes.then(|| EXPLANATION.to_owned()));
    let rules: Vec<String> = rules.collect();
    input.insert("prompt".to_owned(), json!(prompt.text));
    if !rules.is_empty() {
        input.insert("system".to_owned(), json!(rules.join("\n\n")));
    }
    input.insert("output_schema".to_owned(), planned.schema.clone().unwrap_or(Value::Bool(true)));
    input.insert("temperature".to_owned(), json!(generate.temperature));
    input.insert("max_output_tokens".to_owned(), json!(generate.max_output_tokens));
    input.insert("max_repairs".to_owned(), json!(generate.max_repairs));
    if let Some(budget) = &generate.budget {
        input.insert("budget".to_owned(), json!(budget));
    }
    Ok(Rendered { value: Value::Object(input), secret_texts: Vec::new() })
}

/// Evaluates several fields at once; an error already says where by its pointer.
fn evaluate_fields(value: &Value, context: &Context) -> Result<Rendered, StepError> {
    evaluate_json(value, context).map_err(|error| StepError::new(ErrorClass::Expression, error.to_string()))
}

fn agent_task(task: &AgentTask, planned: &PlannedStep, context: &Context) -> Result<Rendered, StepError> {
    let mut input = Map::new();
    input.insert("agent".to_owned(), json!(task.agent.value));
    input.insert("message".to_owned(), json!(untrusted::told("message", &task.message, context)?.text));
    if let Some(schema) = &planned.schema {
        input.insert("output_schema".to_owned(), schema.clone());
    }
    if let Some(tools) = &task.tools {
        input.insert("tools".to_owned(), json!(tools));
    }
    if let Some(budget) = &task.budget {
        input.insert("budget".to_owned(), json!(budget));
    }
    input.insert("session".to_owned(), json!(task.session));
    if task.approvers.is_some() || planned.of_agent.is_some() || planned.is_governed {
        let requirement = people::requirement(planned, task.approvers.as_ref(), context)?;
        input.insert("requirement".to_owned(), json!(requirement));
    }
    input.extend(planned.equipment.clone());
    Ok(Rendered { value: Value::Object(input), secret_texts: Vec::new() })
}

fn mcp_call(call: &McpCall, planned: &PlannedStep, context: &Context) -> Result<Rendered, StepError> {
    let template = json!({"arguments": call.arguments});
    let mut rendered = evaluate_fields(&template, context)?;
    if let Value::Object(input) = &mut rendered.value {
        input.insert("tool".to_owned(), json!(call.tool.value));
        input.insert("operation".to_owned(), json!(call.operation.value));
        input.extend(planned.equipment.clone());
        if let Some(schema) = &planned.schema {
            input.insert("expect_schema".to_owned(), schema.clone());
        }
    }
    Ok(rendered)
}

fn workflow_run(workflow: &Workflow, context: &Context) -> Result<Rendered, StepError> {
    let mut template = Map::new();
    if let Some(reference) = &workflow.reference {
        template.insert("ref".to_owned(), json!(reference.value));
    }
    template.insert("inputs".to_owned(), json!(workflow.inputs));
    let mut rendered = evaluate_fields(&Value::Object(template), context)?;
    if let Value::Object(input) = &mut rendered.value {
        input.insert("workflow".to_owned(), json!(workflow.workflow.value));
    }
    Ok(rendered)
}

fn sub_process(process: &SubProcess, context: &Context) -> Result<Rendered, StepError> {
    let mut rendered = evaluate_fields(&json!({"inputs": process.inputs}), context)?;
    if let Value::Object(input) = &mut rendered.value {
        input.insert("process".to_owned(), json!(process.process.value));
        input.insert("wait".to_owned(), json!(process.wait));
    }
    Ok(rendered)
}
