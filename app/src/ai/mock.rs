//! The provider `mock`: needs no network and no key, and gives the same answer to the same question. Its models are ways
//! to behave, so that processes can be tried on all that happens with real models.

use async_trait::async_trait;
use flowctl_core::definition::{ErrorClass, field};
use flowctl_core::simulation::sample;
use flowctl_core::value::Money;
use serde_json::{Value, json};

use super::{Answer, Provider, ProviderError, Question, Role};

/// The model that answers as it is asked.
pub(super) const SUCCESS: &str = "success";
const MODELS: [&str; 5] = [SUCCESS, "schema_violation", "always_violating", "timeout", "transient_error"];
/// About how many characters a token of English has, by what providers tell of their tokenizers.
const CHARACTERS_OF_TOKEN: usize = 4;

/// The provider `mock`.
#[derive(Debug, Clone, Copy, Default)]
pub struct MockProvider;

#[async_trait]
impl Provider for MockProvider {
    async fn answer(&self, question: &Question) -> Result<Answer, ProviderError> {
        let first_time = !question.messages.iter().any(|message| message.role == Role::Assistant);
        let value = match question.model.as_str() {
            SUCCESS => right(question)?,
            "schema_violation" if first_time => wrong(&question.schema).map_or_else(|| right(question), Ok)?,
            "schema_violation" => right(question)?,
            "always_violating" => wrong(&question.schema).map_or_else(|| right(question), Ok)?,
            "timeout" => std::future::pending().await,
            "transient_error" if question.attempt <= 1 => {
                let message = "the mock provider fails the first attempt, as this model is meant to";
                return Err(ProviderError::new(ErrorClass::ServerError, message));
            }
            "transient_error" => right(question)?,
            other => {
                let message = format!("the mock provider has no model `{other}`; it has: {}", MODELS.join(", "));
                return Err(ProviderError::new(ErrorClass::Refused, message));
            }
        };
        let text = value.to_string();
        let read: usize = question.messages.iter().map(|message| message.text.chars().count()).sum();
        Ok(Answer {
            input_tokens: tokens(read + question.schema.to_string().chars().count()),
            output_tokens: tokens(text.chars().count()),
            cost: "0 USD".parse::<Money>().ok(),
            text,
        })
    }
}

fn tokens(characters: usize) -> u64 {
    characters.div_ceil(CHARACTERS_OF_TOKEN) as u64
}

/// A value that satisfies the schema, by a seed of the model and of what was asked first.
fn right(question: &Question) -> Result<Value, ProviderError> {
    let asked = question.messages.iter().take_while(|message| message.role != Role::Assistant);
    sample::answer(&question.model, asked.map(|message| message.text.as_str()), &question.schema).map_err(|reason| {
        let message = format!("the mock provider cannot make a value for `output_schema`: {reason}");
        ProviderError::new(ErrorClass::Refused, message)
    })
}

/// A value that does not satisfy the schema; nothing where every value does.
fn wrong(schema: &Value) -> Option<Value> {
    let candidates =
        [json!({"mock": "this violates the schema"}), json!("violation"), json!(-0.5), json!([null]), json!(null)];
    candidates.into_iter().find(|value| !field::faults(schema, value).is_empty())
}
