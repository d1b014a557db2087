//! OpenAI's Chat Completions, which many other servers speak as well (platform.openai.com/docs/api-reference/chat). Only how
//! questions and answers are written; nothing here decides what is asked.

use std::collections::BTreeMap;

use async_trait::async_trait;
use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::{StopReason, ToolCall};
use serde_json::{Map, Value, json};

use super::super::{Answer, LeftOut, Message, Provider, ProviderError, Question};
use super::schemas::takes_strictly;
use super::stream::Events;
use super::{Endpoint, RootObject, cut_off, in_words, malformed, withheld};

/// A server with this interface.
#[derive(Debug, Clone)]
pub struct OpenAi {
    endpoint: Endpoint,
    /// Whether it is OpenAI itself. Others know fewer and older fields.
    is_openai: bool,
}

impl OpenAi {
    /// OpenAI itself, or somebody who speaks its interface.
    pub fn new(endpoint: Endpoint, is_openai: bool) -> Self {
        Self { endpoint, is_openai }
    }
}

#[async_trait]
impl Provider for OpenAi {
    async fn answer(&self, question: &Question) -> Result<Answer, ProviderError> {
        self.answer_without(question, LeftOut::default()).await
    }

    async fn answer_without(&self, question: &Question, left_out: LeftOut) -> Result<Answer, ProviderError> {
        let question = &left_out.of(question);
        let root = question.schema.as_ref().filter(|_| !left_out.schema).and_then(RootObject::of);
        let body = body(question, root.as_ref(), self.is_openai);
        let headers = self.endpoint.key_header("authorization", "Bearer ")?;
        let mut events = self.endpoint.ask("chat/completions", headers, &body).await?;
        let mut folded = Folded::default();
        let read = folded.read(&mut events).await;
        let told = folded.tokens;
        let answer = read.and_then(|()| folded.answer(question, root.as_ref()));
        answer.map_err(|error| self.endpoint.broken(error, told))
    }
}

fn body(question: &Question, root: Option<&RootObject>, is_openai: bool) -> Value {
    let mut body = Map::new();
    let mut messages: Vec<Value> = Vec::new();
    let strict = root.is_some_and(|root| is_openai && takes_strictly(&root.schema));
    let in_words = question.schema.as_ref().filter(|_| !strict).map(|schema| {
        let schema = root.map_or(schema, |root| &root.schema);
        in_words(schema)
    });
    // One system message, and before all others: some servers' templates refuse more.
    let rules = question.messages.iter().filter_map(|message| match message {
        Message::System { text } => Some(text.clone()),
        _ => None,
    });
    let rules: Vec<String> = in_words.into_iter().chain(rules).collect();
    if !rules.is_empty() {
        messages.push(json!({"role": "system", "content": rules.join("\n\n")}));
    }
    let said = question.messages.iter().filter(|message| !matches!(message, Message::System { .. }));
    messages.extend(said.map(message));
    body.insert("model".to_owned(), json!(question.model));
    body.insert("messages".to_owned(), json!(messages));
    if let Some(root) = root {
        let schema = json!({"name": "answer", "schema": root.schema, "strict": strict});
        body.insert("response_format".to_owned(), json!({"type": "json_schema", "json_schema": schema}));
    }
    if !question.tools.is_empty() {
        let tools = question.tools.iter().map(|tool| {
            let function = json!({"name": tool.name, "description": tool.description, "parameters": tool.parameters});
            json!({"type": "function", "function": function})
        });
        body.insert("tools".to_owned(), tools.collect());
    }
    if let Some(temperature) = question.temperature {
        body.insert("temperature".to_owned(), json!(temperature));
    }
    let field = if is_openai { "max_completion_tokens" } else { "max_tokens" };
    body.insert(field.to_owned(), json!(question.longest_answer()));
    body.insert("stream".to_owned(), json!(true));
    body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    Value::Object(body)
}

fn message(message: &Message) -> Value {
    match message {
        Message::System { text } => json!({"role": "system", "content": text}),
        Message::User { text } => json!({"role": "user", "content": text}),
        Message::Assistant { text, calls } if calls.is_empty() => json!({"role": "assistant", "content": text}),
        Message::Assistant { text, calls } => {
            let calls: Vec<Value> = calls
                .iter()
                .map(|call| {
                    let function = json!({"name": call.name, "arguments": arguments_text(&call.arguments)});
                    json!({"id": call.id, "type": "function", "function": function})
                })
                .collect();
            let content = if text.is_empty() { Value::Null } else { json!(text) };
            json!({"role": "assistant", "content": content, "tool_calls": calls})
        }
        Message::Tool { call, text, .. } => json!({"role": "tool", "tool_call_id": call, "content": text}),
    }
}

fn arguments_text(arguments: &Value) -> String {
    arguments.as_str().map_or_else(|| arguments.to_string(), str::to_owned)
}

/// What has come of an answer.
#[derive(Debug, Default)]
struct Folded {
    text: String,
    refusal: String,
    calls: BTreeMap<u64, (String, String, String)>,
    stop: Option<StopReason>,
    tokens: Option<(u64, u64)>,
}

impl Folded {
    async fn read(&mut self, events: &mut Events) -> Result<(), ProviderError> {
        while let Some(event) = events.next().await? {
            if event.data == "[DONE]" {
                break;
            }
            self.add(&serde_json::from_str(&event.data).map_err(malformed)?)?;
        }
        Ok(())
    }

    fn add(&mut self, chunk: &Value) -> Result<(), ProviderError> {
        if let Some(said) = super::said(chunk) {
            return Err(ProviderError::new(ErrorClass::ServerError, format!("the provider stopped: {said}")));
        }
        if let Some(usage) = chunk.get("usage").filter(|usage| usage.is_object()) {
            let count = |name: &str| usage.get(name).and_then(Value::as_u64);
            self.tokens = count("prompt_tokens").zip(count("completion_tokens")).or(self.tokens);
        }
        let Some(choices) = chunk.get("choices").and_then(Value::as_array) else {
            return Err(malformed("there is no `choices`"));
        };
        let Some(choice) = choices.first() else { return Ok(()) };
        // One that does not stream has the whole message.
        let delta = choice.get("delta").or_else(|| choice.get("message")).unwrap_or(&Value::Null);
        self.text.push_str(delta.get("content").and_then(Value::as_str).unwrap_or_default());
        self.refusal.push_str(delta.get("refusal").and_then(Value::as_str).unwrap_or_default());
        for (place, call) in (0..).zip(delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten()) {
            let index = call.get("index").and_then(Value::as_u64).unwrap_or(place);
            let (id, name, arguments) = self.calls.entry(index).or_default();
            let of = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
            let function = call.get("function");
            id.push_str(&of(call.get("id")));
            name.push_str(&of(function.and_then(|function| function.get("name"))));
            arguments.push_str(&of(function.and_then(|function| function.get("arguments"))));
        }
        if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
            self.stop = Some(match reason {
                "stop" => StopReason::Finished,
                "tool_calls" | "function_call" => StopReason::ToolCalls,
                "length" => StopReason::Length,
                "content_filter" => StopReason::Refused,
                _ => StopReason::Other,
            });
        }
        Ok(())
    }

    fn answer(self, question: &Question, root: Option<&RootObject>) -> Result<Answer, ProviderError> {
        let Some(stop) = self.stop else { return Err(cut_off()) };
        if !self.refusal.is_empty() {
            return Err(ProviderError::new(ErrorClass::Refused, format!("the model refused: {}", self.refusal)));
        }
        if stop == StopReason::Refused {
            return Err(withheld("content_filter"));
        }
        let calls: Vec<ToolCall> = self
            .calls
            .into_values()
            .map(|(id, name, arguments)| {
                let arguments = if arguments.trim().is_empty() { "{}".to_owned() } else { arguments };
                let arguments = serde_json::from_str(&arguments).unwrap_or(Value::String(arguments));
                ToolCall { id, name, arguments, provider_data: Value::Null }
            })
            .collect();
        // Some servers say `stop` although they want tools to be called.
        let stop = if calls.is_empty() { stop } else { StopReason::ToolCalls };
        let text = match root {
            Some(root) if calls.is_empty() => root.unwrapped(self.text),
            _ => self.text,
        };
        Ok(Answer::of(question, text, calls, stop, self.tokens))
    }
}
