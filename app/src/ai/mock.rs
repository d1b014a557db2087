//! The provider `mock`: needs no network and no key, and gives the same answer to the same question. Its models are ways
//! to behave, so that processes can be tried on all that happens with real models.

use async_trait::async_trait;
use flowctl_core::definition::model::MOCK_MODELS;
use flowctl_core::definition::{ErrorClass, field};
use flowctl_core::execution::{StopReason, ToolCall};
use flowctl_core::simulation::sample;
use flowctl_core::value::Money;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Message, Provider, ProviderError, Question};

/// The model that answers as it is asked.
pub(super) const SUCCESS: &str = "success";
/// How the block begins, in what a model is told, that says what the model `script` does.
const SCRIPT: &str = "```mock-script";

/// The provider `mock`.
#[derive(Debug, Clone, Copy, Default)]
pub struct MockProvider {
    /// What its values are made from, beside the schema and the attempt; nothing: from what it is asked.
    pub seed: Option<u64>,
}

/// A turn of a script: what the model says, or the tools that it wants to be called.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    /// What it says: a text, or any value, which it then says as JSON.
    #[serde(default)]
    say: Option<Value>,
    /// Calls of tools.
    #[serde(default)]
    call: Vec<ScriptedCall>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptedCall {
    name: String,
    #[serde(default)]
    arguments: Option<Value>,
}

#[async_trait]
impl Provider for MockProvider {
    async fn answer(&self, question: &Question) -> Result<Answer, ProviderError> {
        let spoken = question.messages.iter().filter(|message| matches!(message, Message::Assistant { .. })).count();
        let value = match question.model.as_str() {
            SUCCESS => self.right(question)?,
            "schema_violation" if spoken == 0 => wrong(question).map_or_else(|| self.right(question), Ok)?,
            "schema_violation" => self.right(question)?,
            "always_violating" => wrong(question).map_or_else(|| self.right(question), Ok)?,
            "timeout" => std::future::pending().await,
            "transient_error" if question.attempt <= 1 => {
                let message = "the mock provider fails the first attempt, as this model is meant to";
                return Err(ProviderError::new(ErrorClass::ServerError, message));
            }
            "transient_error" => self.right(question)?,
            "script" => match turn(question, spoken)? {
                Some(turn) => return Ok(said(question, turn.say, calls(turn.call, spoken))),
                None => self.right(question)?,
            },
            other => {
                let message = format!("the mock provider has no model `{other}`; it has: {}", MOCK_MODELS.join(", "));
                return Err(ProviderError::new(ErrorClass::Refused, message));
            }
        };
        Ok(said(question, Some(value), Vec::new()))
    }
}

fn said(question: &Question, value: Option<Value>, calls: Vec<ToolCall>) -> Answer {
    let text = match value {
        None => String::new(),
        Some(Value::String(text)) if question.schema.is_none() => text,
        Some(value) => value.to_string(),
    };
    let stop = if calls.is_empty() { StopReason::Finished } else { StopReason::ToolCalls };
    let counted = Answer::of(question, text, calls, stop, None);
    // It has no tokens; its way of counting them is its own.
    Answer { estimated: false, cost: "0 USD".parse::<Money>().ok(), ..counted }
}

/// The turn of the script that is due; nothing after the last one.
fn turn(question: &Question, spoken: usize) -> Result<Option<Turn>, ProviderError> {
    let refused = |message: String| ProviderError::new(ErrorClass::Refused, message);
    let texts = question.messages.iter().filter_map(|message| match message {
        Message::System { text } | Message::User { text } => Some(text),
        _ => None,
    });
    let block = texts.filter_map(|text| text.split_once(SCRIPT)).next();
    let Some((_, script)) = block else {
        let form = r#"a list such as [{"call": [{"name": "search", "arguments": {}}]}, {"say": "done"}]"#;
        return Err(refused(format!("the model `mock/script` is told what to do in a block {SCRIPT}: {form}")));
    };
    let script = script.split_once("\n```").map_or(script, |(script, _)| script);
    let turns: Vec<Turn> = serde_json::from_str(script)
        .map_err(|error| refused(format!("the script of `mock/script` is not as it should be: {error}")))?;
    Ok(turns.into_iter().nth(spoken))
}

fn calls(calls: Vec<ScriptedCall>, spoken: usize) -> Vec<ToolCall> {
    let call = |(place, ScriptedCall { name, arguments }): (usize, ScriptedCall)| ToolCall {
        id: format!("call_{spoken}_{place}"),
        name,
        arguments: arguments.unwrap_or_else(|| json!({})),
        provider_data: Value::Null,
    };
    calls.into_iter().enumerate().map(call).collect()
}

impl MockProvider {
    /// A value that satisfies the schema, the same for the same seed, schema and attempt; without a seed for the same model and
    /// the same that was asked first. A text where there is no schema.
    fn right(self, question: &Question) -> Result<Value, ProviderError> {
        let text = json!({"type": "string"});
        let schema = question.schema.as_ref().unwrap_or(&text);
        let made = match self.seed {
            Some(seed) => sample::seeded(seed, question.attempt, schema),
            None => sample::answer(&question.model, asked_first(question), schema),
        };
        made.map_err(|reason| {
            let message = format!("the mock provider cannot make a value for `output_schema`: {reason}");
            ProviderError::new(ErrorClass::Refused, message)
        })
    }
}

/// What a model is told before it says anything.
fn asked_first(question: &Question) -> impl Iterator<Item = &str> {
    let asked = question.messages.iter().take_while(|message| !matches!(message, Message::Assistant { .. }));
    asked.filter_map(|message| match message {
        Message::System { text } | Message::User { text } => Some(text.as_str()),
        _ => None,
    })
}

/// A value that does not satisfy the schema; nothing where every value does.
fn wrong(question: &Question) -> Option<Value> {
    let schema = question.schema.as_ref()?;
    let candidates =
        [json!({"mock": "this violates the schema"}), json!("violation"), json!(-0.5), json!([null]), json!(null)];
    candidates.into_iter().find(|value| !field::faults(schema, value).is_empty())
}
