//! `ai_generate`: a model answers in the shape of a schema. Asks, checks, shows the model what was wrong and asks again,
//! a limited number of times. How a model is reached is `ai`'s.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flowctl_core::definition::{ErrorClass, field};
use flowctl_core::execution::{StepError, Usage};
use flowctl_core::value::Money;
use serde_json::Value;

use super::{Attempt, Performed, Performer, time_left};
use crate::ai::{Answer, Message, Provider, ProviderError, Providers, Question, Role};
use crate::clock::Clock;

/// How long a generation may take where its attempt has no deadline: as `core` gives it one.
const USUAL_TIMEOUT: Duration = Duration::from_secs(300);
/// Repairs where the input says nothing: LANGUAGE's default.
const USUAL_REPAIRS: u64 = 2;

/// Performs `ai_generate`.
pub struct AiGeneratePerformer {
    providers: Arc<Providers>,
    clock: Arc<dyn Clock>,
}

impl AiGeneratePerformer {
    /// A performer that asks these providers.
    #[must_use]
    pub fn new(providers: Arc<Providers>, clock: Arc<dyn Clock>) -> Self {
        Self { providers, clock }
    }
}

#[async_trait]
impl Performer for AiGeneratePerformer {
    async fn perform(&self, attempt: Attempt) -> Performed {
        let limit = attempt.deadline.map_or(USUAL_TIMEOUT, |deadline| time_left(deadline, self.clock.now()));
        let mut generation = match Generation::new(&self.providers, &attempt) {
            Ok(generation) => generation,
            Err(error) => return Err(error).into(),
        };
        let result = match tokio::time::timeout(limit, generation.run()).await {
            Ok(result) => result,
            Err(_) => {
                let message = format!("`{}` took longer than the step's `timeout`", generation.name);
                Err(StepError::new(ErrorClass::Timeout, message))
            }
        };
        Performed { result, usage: Some(generation.usage()) }
    }
}

/// One attempt: the conversation so far and what it used.
struct Generation {
    provider: Arc<dyn Provider>,
    /// The model with its provider, as people know it.
    name: String,
    question: Question,
    max_repairs: u64,
    calls: u32,
    input_tokens: u64,
    output_tokens: u64,
    cost: Option<Money>,
}

impl Generation {
    fn new(providers: &Providers, attempt: &Attempt) -> Result<Self, StepError> {
        let input = &attempt.input;
        let text = |field: &str| input.get(field).and_then(Value::as_str);
        let refused = |message: String| StepError::new(ErrorClass::Refused, message);
        let model = text("model").ok_or_else(|| refused("`model` is missing".to_owned()))?;
        let prompt = text("prompt").ok_or_else(|| refused("`prompt` is missing".to_owned()))?;
        let resolved = providers.resolve(model).map_err(|error| refused(error.to_string()))?;
        let system = text("system").map(|system| Message::new(Role::System, system));
        let messages = system.into_iter().chain([Message::new(Role::User, prompt)]).collect();
        let question = Question {
            model: resolved.model,
            messages,
            schema: input.get("output_schema").cloned().unwrap_or(Value::Bool(true)),
            temperature: input.get("temperature").and_then(Value::as_f64),
            max_output_tokens: input.get("max_output_tokens").and_then(Value::as_u64),
            attempt: attempt.attempt,
        };
        Ok(Self {
            provider: resolved.provider,
            name: resolved.name,
            question,
            max_repairs: input.get("max_repairs").and_then(Value::as_u64).unwrap_or(USUAL_REPAIRS),
            calls: 0,
            input_tokens: 0,
            output_tokens: 0,
            cost: None,
        })
    }

    async fn run(&mut self) -> Result<Value, StepError> {
        for repair in 0.. {
            self.calls += 1;
            let answer = self.provider.answer(&self.question).await.map_err(|error| self.failed(error))?;
            self.count(&answer);
            let faults = match parsed(&answer.text, &self.question.schema) {
                Ok(value) => return Ok(value),
                Err(faults) => faults,
            };
            if repair >= self.max_repairs {
                return Err(self.unsatisfied(&faults));
            }
            self.question.messages.push(Message::new(Role::Assistant, &answer.text));
            self.question.messages.push(Message::new(Role::User, &complaint(&faults)));
        }
        Err(StepError::new(ErrorClass::Schema, "no answer"))
    }

    fn count(&mut self, answer: &Answer) {
        self.input_tokens += answer.input_tokens;
        self.output_tokens += answer.output_tokens;
        self.cost = match (self.cost.take(), &answer.cost) {
            (None, cost) => cost.clone(),
            // Costs of one model come in one currency; a sum that cannot be told is not told.
            (Some(sum), Some(cost)) => sum.checked_add(cost),
            (sum, None) => sum,
        };
    }

    fn usage(&self) -> Usage {
        Usage {
            model: self.name.clone(),
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            cost: self.cost.as_ref().map(ToString::to_string),
            calls: self.calls,
        }
    }

    fn failed(&self, error: ProviderError) -> StepError {
        let message = format!("`{}`: {}", self.name, error.message);
        StepError { retry_after_ms: error.retry_after_ms, ..StepError::new(error.class, message) }
    }

    fn unsatisfied(&self, faults: &[(String, String)]) -> StepError {
        let repairs = match self.max_repairs {
            0 => String::new(),
            1 => ", also after 1 repair".to_owned(),
            count => format!(", also after {count} repairs"),
        };
        let faults = super::listed(faults);
        let message = format!("the answer of `{}` does not satisfy `output_schema`{repairs}: {faults}", self.name);
        StepError::new(ErrorClass::Schema, message)
    }
}

/// The value of an answer, or what is wrong with it.
fn parsed(text: &str, schema: &Value) -> Result<Value, Vec<(String, String)>> {
    let value: Value = serde_json::from_str(without_fence(text))
        .map_err(|error| vec![(String::new(), format!("is not JSON: {error}"))])?;
    let faults = field::faults(schema, &value);
    if faults.is_empty() { Ok(value) } else { Err(faults) }
}

/// Many models put JSON into a Markdown fence, whatever they are asked.
fn without_fence(text: &str) -> &str {
    let text = text.trim();
    let inside = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    inside.and_then(|inside| inside.split_once('\n')).map_or(text, |(_, body)| body.trim())
}

/// What a model is told about its answer.
fn complaint(faults: &[(String, String)]) -> String {
    let mut text = "This answer does not satisfy the schema:\n".to_owned();
    for fault in faults {
        text.push_str(&format!("- {}\n", super::in_words(fault)));
    }
    text.push_str("Answer again with one JSON value that satisfies it, and with nothing else.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_around_json_is_taken_off() {
        let cases = [
            ("{\"a\": 1}", "{\"a\": 1}"),
            ("  \n[1]\n", "[1]"),
            ("```json\n{\"a\": 1}\n```", "{\"a\": 1}"),
            ("```\n[1]\n```\n", "[1]"),
            ("```", "```"),
            ("\"```\"", "\"```\""),
        ];
        for (text, expected) in cases {
            assert_eq!(without_fence(text), expected);
        }
    }
}
