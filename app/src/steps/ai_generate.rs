//! `ai_generate`: a model answers in the shape of a schema. Asks, checks, shows the model what was wrong and asks again,
//! a limited number of times. Every question and answer is in the journal, so that a repetition goes on after the last answer.
//! How a model is reached is `ai`'s.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flowctl_core::definition::{ErrorClass, field};
use flowctl_core::execution::budget::Limits;
use flowctl_core::execution::{Entry, Speaker, StepError, StopReason};
use serde_json::Value;

use super::{Attempt, Journal, Performed, Performer, time_left};
use crate::ai::{Asking, Message, Providers, Question, shortened};
use crate::clock::Clock;

/// How long a generation may take where its attempt has no deadline: as `core` gives it one.
const USUAL_TIMEOUT: Duration = Duration::from_secs(300);
/// Repairs where the input says nothing: LANGUAGE's default.
const USUAL_REPAIRS: u64 = 2;
/// Characters of a wrong answer that are shown in the end.
const SHOWN_OF_ANSWER: usize = 300;

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
        let mut generation = match Generation::new(self.providers.of(&attempt.tenant), &attempt) {
            Ok(generation) => generation,
            Err(error) => return Err(error).into(),
        };
        let result = match tokio::time::timeout(limit, generation.run()).await {
            Ok(result) => result,
            Err(_) => {
                let message = format!("`{}` took longer than the step's `timeout`", generation.asking.model_name());
                Err(StepError::new(ErrorClass::Timeout, message))
            }
        };
        // What was used is in the journal.
        result.into()
    }
}

/// One attempt: the conversation so far.
struct Generation {
    asking: Asking,
    journal: Journal,
    question: Question,
    schema: Value,
    max_repairs: u64,
}

/// An answer, as far as it matters here.
struct Given {
    text: String,
    stop: StopReason,
}

impl Generation {
    fn new(providers: &Providers, attempt: &Attempt) -> Result<Self, StepError> {
        let input = &attempt.input;
        let text = |field: &str| input.get(field).and_then(Value::as_str);
        let refused = |message: String| StepError::new(ErrorClass::Refused, message);
        let model = text("model").ok_or_else(|| refused("`model` is missing".to_owned()))?;
        let prompt = text("prompt").ok_or_else(|| refused("`prompt` is missing".to_owned()))?;
        let resolved = providers.resolve(model).map_err(|error| refused(error.to_string()))?;
        let system = text("system").map(|system| Message::new(Speaker::System, system));
        let messages = system.into_iter().chain([Message::new(Speaker::User, prompt)]).collect();
        let schema = input.get("output_schema").cloned().unwrap_or(Value::Bool(true));
        let question = Question {
            model: resolved.model.clone(),
            messages,
            tools: Vec::new(),
            schema: Some(schema.clone()),
            temperature: input.get("temperature").and_then(Value::as_f64),
            max_output_tokens: input.get("max_output_tokens").and_then(Value::as_u64),
            attempt: attempt.attempt,
        };
        let limits = limits(input.get("budget")).map_err(refused)?;
        Ok(Self {
            asking: Asking::new(providers, resolved, attempt.journal.clone(), limits),
            journal: attempt.journal.clone(),
            question,
            schema,
            max_repairs: repairs(input),
        })
    }

    async fn run(&mut self) -> Result<Value, StepError> {
        let mut given = self.taken_up().await?;
        let mut repairs = self.repairs_so_far();
        loop {
            let answer = match given.take() {
                Some(answer) => answer,
                None => {
                    let answer = self.asking.ask(&self.question).await?;
                    self.question.messages.push(Message::new(Speaker::Assistant, answer.text.as_str()));
                    Given { text: answer.text, stop: answer.stop }
                }
            };
            let faults = match parsed(&answer, &self.schema) {
                Ok(value) => return Ok(value),
                Err(faults) => faults,
            };
            if repairs >= self.max_repairs {
                return Err(self.unsatisfied(&faults, &answer.text));
            }
            repairs += 1;
            self.say(complaint(&faults)).await?;
        }
    }

    /// Takes the conversation up where the journal leaves it; the last answer, where nothing has been said since.
    async fn taken_up(&mut self) -> Result<Option<Given>, StepError> {
        if self.journal.before().is_empty() {
            for message in &self.question.messages {
                let (role, text) = match message {
                    Message::System { text } => (Speaker::System, text),
                    Message::User { text } => (Speaker::User, text),
                    Message::Assistant { .. } | Message::Tool { .. } => continue,
                };
                self.journal.append(Entry::Message { role, text: text.clone() }).await?;
            }
            return Ok(None);
        }
        // What was said before counts, also where the server died before all of it was recorded.
        let recorded: Vec<Message> = self.journal.before().iter().filter_map(Message::of).collect();
        for message in self.question.messages.iter().skip(recorded.len()) {
            if let Message::User { text } = message {
                self.journal.append(Entry::Message { role: Speaker::User, text: text.clone() }).await?;
            }
        }
        if recorded.len() >= self.question.messages.len() {
            self.question.messages = recorded;
        }
        let last = self.journal.before().iter().rev().find_map(|entry| match entry {
            Entry::Message { .. } => Some(None),
            Entry::ModelAnswered { text, stop, .. } => Some(Some(Given { text: text.clone(), stop: *stop })),
            _ => None,
        });
        Ok(last.flatten())
    }

    /// Repairs that the model has been asked for so far: after the first answer whatever is said to it is one.
    fn repairs_so_far(&self) -> u64 {
        let after_answer =
            self.question.messages.iter().skip_while(|message| !matches!(message, Message::Assistant { .. }));
        after_answer.filter(|message| matches!(message, Message::User { .. })).count() as u64
    }

    async fn say(&mut self, text: String) -> Result<(), StepError> {
        self.journal.append(Entry::Message { role: Speaker::User, text: text.clone() }).await?;
        self.question.messages.push(Message::User { text });
        Ok(())
    }

    fn unsatisfied(&self, faults: &[(String, String)], answer: &str) -> StepError {
        let repairs = match self.max_repairs {
            0 => String::new(),
            1 => ", also after 1 repair".to_owned(),
            count => format!(", also after {count} repairs"),
        };
        let (model, faults) = (self.asking.model_name(), super::listed(faults));
        let answer = shortened(answer.trim(), SHOWN_OF_ANSWER);
        let message = format!(
            "the answer of `{model}` does not satisfy `output_schema`{repairs}: {faults}. Its last answer: {answer}"
        );
        StepError::new(ErrorClass::Schema, message)
    }
}

/// How often the model is shown what was wrong: also no more often than its turns allow.
fn repairs(input: &Value) -> u64 {
    let max_repairs = input.get("max_repairs").and_then(Value::as_u64).unwrap_or(USUAL_REPAIRS);
    let turns = input.pointer("/budget/max_turns").and_then(Value::as_u64);
    turns.map_or(max_repairs, |turns| max_repairs.min(turns.saturating_sub(1)))
}

/// What a step may spend, as its input says.
pub(crate) fn limits(budget: Option<&Value>) -> Result<Limits, String> {
    let Some(budget) = budget.filter(|budget| !budget.is_null()) else { return Ok(Limits::default()) };
    let max_cost = match budget.get("max_cost").and_then(Value::as_str) {
        Some(cost) => Some(cost.parse().map_err(|error| format!("`budget.max_cost`: {error}"))?),
        None => None,
    };
    Ok(Limits { max_cost, max_tokens: budget.get("max_tokens").and_then(Value::as_u64) })
}

/// The value of an answer, or what is wrong with it.
fn parsed(answer: &Given, schema: &Value) -> Result<Value, Vec<(String, String)>> {
    let value: Value = serde_json::from_str(without_fence(&answer.text)).map_err(|error| {
        let why = match answer.stop {
            StopReason::Length => "was cut off because it became too long (`max_output_tokens`)".to_owned(),
            _ => format!("is not JSON: {error}"),
        };
        vec![(String::new(), why)]
    })?;
    let faults = field::faults(schema, &value);
    if faults.is_empty() { Ok(value) } else { Err(faults) }
}

/// Many models put JSON into a Markdown fence, whatever they are asked.
pub(super) fn without_fence(text: &str) -> &str {
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
