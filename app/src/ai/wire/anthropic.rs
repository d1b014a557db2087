//! Anthropic's Messages (docs.anthropic.com/en/api/messages, and its page on streaming). Models from Claude 4.5 on are held to a
//! schema by the interface itself; of older ones, and of others behind it, the answer is the call of a tool that must be called.

use std::collections::BTreeMap;

use async_trait::async_trait;
use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::{StopReason, ToolCall};
use http::HeaderValue;
use serde_json::{Map, Value, json};

use super::super::{Answer, LeftOut, Message, Provider, ProviderError, Question};
use super::schemas::{Native, natively};
use super::stream::{Events, Sent};
use super::{Endpoint, RootObject, cut_off, in_words, in_words_beside, malformed};

/// The version of the interface that is spoken.
const VERSION: &str = "2023-06-01";
/// The tool whose call is the answer.
const ANSWER: &str = "answer";

/// Anthropic.
#[derive(Debug, Clone)]
pub struct Anthropic {
    endpoint: Endpoint,
}

impl Anthropic {
    /// Anthropic, or somebody who speaks its interface.
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint }
    }
}

#[async_trait]
impl Provider for Anthropic {
    async fn answer(&self, question: &Question) -> Result<Answer, ProviderError> {
        self.answer_without(question, LeftOut::default()).await
    }

    async fn answer_without(&self, question: &Question, left_out: LeftOut) -> Result<Answer, ProviderError> {
        let question = &left_out.of(question);
        let shape = Shape::of(question, left_out);
        let body = body(question, &shape);
        let mut headers = self.endpoint.key_header("x-api-key", "")?;
        headers.insert("anthropic-version", HeaderValue::from_static(VERSION));
        let mut events = self.endpoint.ask("v1/messages", headers, &body).await?;
        let mut folded = Folded::default();
        let read = folded.read(&mut events).await;
        // Before its last words the answer's tokens are told as far as they have come.
        let told = folded.tokens().filter(|_| folded.stop.is_some());
        let answer = read.and_then(|()| folded.answer(question, shape.root()));
        answer.map_err(|error| self.endpoint.broken(error, told))
    }
}

/// How an answer gets the shape that is asked for.
enum Shape {
    /// No shape is asked for.
    Free,
    /// The interface holds the model to it (`output_config`); in words as well, where it does not know all of the schema.
    Native { root: RootObject, native: Native },
    /// It is the call of a tool that must be called.
    Call(RootObject),
    /// The model is told in words.
    Words,
}

impl Shape {
    fn of(question: &Question, left_out: LeftOut) -> Self {
        let Some(schema) = &question.schema else { return Self::Free };
        // Beside other tools no single one can be demanded.
        let held = question.tools.is_empty() && !left_out.schema;
        let Some(root) = RootObject::of(schema).filter(|_| held) else { return Self::Words };
        if !holds_to_schemas(&question.model) {
            return Self::Call(root);
        }
        // The newest models take no tool that must be called: they answer 400 "tool_choice: type "tool" and "any" are not
        // supported for this model".
        natively(&root.schema).map_or(Self::Words, |native| Self::Native { root, native })
    }

    fn root(&self) -> Option<&RootObject> {
        match self {
            Self::Native { root, .. } | Self::Call(root) => Some(root),
            Self::Free | Self::Words => None,
        }
    }
}

/// Whether a model has structured outputs: Claude from 4.5 on (platform.claude.com, "Structured outputs").
fn holds_to_schemas(model: &str) -> bool {
    const OLDER: [&str; 9] = [
        "claude-1",
        "claude-2",
        "claude-3",
        "claude-instant",
        "claude-opus-4-0",
        "claude-opus-4-1",
        "claude-opus-4-2025",
        "claude-sonnet-4-0",
        "claude-sonnet-4-2025",
    ];
    model.starts_with("claude-") && !OLDER.iter().any(|older| model.starts_with(older))
}

fn body(question: &Question, shape: &Shape) -> Value {
    let mut body = Map::new();
    let mut system: Vec<String> = Vec::new();
    let mut messages: Vec<Value> = Vec::new();
    for message in &question.messages {
        match message {
            Message::System { text } => system.push(text.clone()),
            Message::User { text } => add(&mut messages, "user", vec![json!({"type": "text", "text": text})]),
            Message::Assistant { text, calls } => {
                let said = (!text.is_empty()).then(|| json!({"type": "text", "text": text}));
                let calls = calls.iter().map(|call| {
                    let input = if call.arguments.is_object() { call.arguments.clone() } else { json!({}) };
                    json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input})
                });
                add(&mut messages, "assistant", said.into_iter().chain(calls).collect());
            }
            Message::Tool { call, text, is_error, .. } => {
                let result = json!({"type": "tool_result", "tool_use_id": call, "content": text, "is_error": is_error});
                add(&mut messages, "user", vec![result]);
            }
        }
    }
    body.insert("model".to_owned(), json!(question.model));
    body.insert("max_tokens".to_owned(), json!(question.longest_answer()));
    let mut tools: Vec<Value> = question
        .tools
        .iter()
        .map(|tool| json!({"name": tool.name, "description": tool.description, "input_schema": tool.parameters}))
        .collect();
    let whole = question.schema.iter();
    match shape {
        Shape::Free => {}
        Shape::Native { native, .. } => {
            let format = json!({"type": "json_schema", "schema": native.schema});
            body.insert("output_config".to_owned(), json!({"format": format}));
            system.extend(whole.filter(|_| !native.is_whole).map(in_words_beside));
        }
        Shape::Call(root) => {
            let description = "Give the answer: its arguments are the answer.";
            tools.push(json!({"name": ANSWER, "description": description, "input_schema": root.schema}));
            body.insert("tool_choice".to_owned(), json!({"type": "tool", "name": ANSWER}));
        }
        Shape::Words => system.extend(whole.map(in_words)),
    }
    if !tools.is_empty() {
        body.insert("tools".to_owned(), json!(tools));
    }
    if !system.is_empty() {
        body.insert("system".to_owned(), json!(system.join("\n\n")));
    }
    body.insert("messages".to_owned(), json!(messages));
    if let Some(temperature) = question.temperature {
        // The interface takes 0 to 1.
        body.insert("temperature".to_owned(), json!(temperature.min(1.0)));
    }
    body.insert("stream".to_owned(), json!(true));
    Value::Object(body)
}

/// Adds what somebody says to what the same one said right before: the interface wants turns to alternate.
fn add(messages: &mut Vec<Value>, role: &str, mut content: Vec<Value>) {
    if content.is_empty() {
        return;
    }
    if let Some(last) = messages.last_mut().filter(|last| last["role"] == role)
        && let Some(said) = last["content"].as_array_mut()
    {
        said.append(&mut content);
        return;
    }
    messages.push(json!({"role": role, "content": content}));
}

/// What has come of an answer.
#[derive(Debug, Default)]
struct Folded {
    text: String,
    calls: BTreeMap<u64, (String, String, String)>,
    stop: Option<StopReason>,
    input: u64,
    output: u64,
    over: bool,
}

impl Folded {
    async fn read(&mut self, events: &mut Events) -> Result<(), ProviderError> {
        while let Some(event) = events.next().await? {
            self.add(&event)?;
            if self.over {
                break;
            }
        }
        Ok(())
    }

    fn add(&mut self, event: &Sent) -> Result<(), ProviderError> {
        let data: Value = serde_json::from_str(&event.data).map_err(malformed)?;
        let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let index = data["index"].as_u64().unwrap_or(0);
        match data["type"].as_str().unwrap_or_default() {
            "message_start" => self.usage(&data["message"]["usage"]),
            "content_block_start" if data["content_block"]["type"] == "tool_use" => {
                let block = &data["content_block"];
                self.calls.insert(index, (text(block, "id"), text(block, "name"), String::new()));
            }
            "content_block_delta" => match data["delta"]["type"].as_str().unwrap_or_default() {
                "text_delta" => self.text.push_str(data["delta"]["text"].as_str().unwrap_or_default()),
                "input_json_delta" => {
                    let (_, _, arguments) =
                        self.calls.get_mut(&index).ok_or_else(|| malformed("a part of a call that has not begun"))?;
                    arguments.push_str(data["delta"]["partial_json"].as_str().unwrap_or_default());
                }
                _ => {}
            },
            "message_delta" => {
                self.usage(&data["usage"]);
                if let Some(reason) = data["delta"]["stop_reason"].as_str() {
                    self.stop = Some(match reason {
                        "end_turn" | "stop_sequence" => StopReason::Finished,
                        "tool_use" => StopReason::ToolCalls,
                        "max_tokens" | "model_context_window_exceeded" => StopReason::Length,
                        "refusal" => StopReason::Refused,
                        _ => StopReason::Other,
                    });
                }
            }
            "message_stop" => self.over = true,
            "error" => {
                let class = match data["error"]["type"].as_str().unwrap_or_default() {
                    "rate_limit_error" => ErrorClass::RateLimited,
                    "invalid_request_error" | "authentication_error" | "permission_error" => ErrorClass::Refused,
                    _ => ErrorClass::ServerError,
                };
                let said = super::said(&data).unwrap_or("it does not say why");
                return Err(ProviderError::new(class, format!("the provider stopped: {said}")));
            }
            // New kinds of events may come (the documentation, "Other events").
            _ => {}
        }
        Ok(())
    }

    /// Counts are cumulative. What was read from or written to a cache was read as well.
    fn usage(&mut self, usage: &Value) {
        let count = |name: &str| usage[name].as_u64();
        let read = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"];
        let input: u64 = read.iter().filter_map(|name| count(name)).sum();
        self.input = self.input.max(input);
        self.output = count("output_tokens").unwrap_or(0).max(self.output);
    }

    fn tokens(&self) -> Option<(u64, u64)> {
        (self.input + self.output > 0).then_some((self.input, self.output))
    }

    fn answer(self, question: &Question, root: Option<&RootObject>) -> Result<Answer, ProviderError> {
        let (Some(stop), true) = (self.stop, self.over) else { return Err(cut_off()) };
        let tokens = self.tokens();
        if stop == StopReason::Refused {
            return Err(ProviderError::new(ErrorClass::Refused, "the model refused to answer"));
        }
        if let Some(root) = root {
            let call = self.calls.into_values().find(|(_, name, _)| name == ANSWER);
            let text = root.unwrapped(call.map_or(self.text, |(_, _, arguments)| arguments));
            let stop = if stop == StopReason::ToolCalls { StopReason::Finished } else { stop };
            return Ok(Answer::of(question, text, Vec::new(), stop, tokens));
        }
        let call = |(id, name, arguments): (String, String, String)| {
            let arguments = if arguments.trim().is_empty() { "{}".to_owned() } else { arguments };
            let arguments = serde_json::from_str(&arguments).unwrap_or(Value::String(arguments));
            ToolCall { id, name, arguments, provider_data: Value::Null }
        };
        let calls = self.calls.into_values().map(call).collect();
        Ok(Answer::of(question, self.text, calls, stop, tokens))
    }
}
