//! Google's Gemini (ai.google.dev/api/generate-content, `streamGenerateContent`). Only how questions and answers are written.

use async_trait::async_trait;
use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::{StopReason, ToolCall};
use serde_json::{Map, Value, json};

use super::super::{Answer, LeftOut, Message, Provider, ProviderError, Question};
use super::stream::Events;
use super::{Endpoint, RootObject, cut_off, in_words, malformed, withheld};

/// Where a part's signature stands, which newer models want back with the call that it came with.
const SIGNATURE: &str = "thoughtSignature";

/// Gemini.
#[derive(Debug, Clone)]
pub struct Google {
    endpoint: Endpoint,
}

impl Google {
    /// Gemini, or somebody who speaks its interface.
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint }
    }
}

#[async_trait]
impl Provider for Google {
    async fn answer(&self, question: &Question) -> Result<Answer, ProviderError> {
        self.answer_without(question, LeftOut::default()).await
    }

    async fn answer_without(&self, question: &Question, left_out: LeftOut) -> Result<Answer, ProviderError> {
        let question = &left_out.of(question);
        let simple = |text: &str| text.chars().all(|it| it.is_ascii_alphanumeric() || "-._".contains(it));
        if question.model.is_empty() || !simple(&question.model) {
            let message = format!("`{}` is no name of a model", question.model);
            return Err(ProviderError::new(ErrorClass::Refused, message));
        }
        // Beside tools the interface takes no schema for the answer.
        let held = question.tools.is_empty() && !left_out.schema;
        let root = question.schema.as_ref().filter(|_| held).and_then(RootObject::of);
        let body = body(question, root.as_ref());
        let headers = self.endpoint.key_header("x-goog-api-key", "")?;
        let path = format!("v1beta/models/{}:streamGenerateContent?alt=sse", question.model);
        let mut events = self.endpoint.ask(&path, headers, &body).await?;
        let mut folded = Folded::default();
        let read = folded.read(question, &mut events).await;
        // Before its last words the answer's tokens are told as far as they have come.
        let told = folded.tokens.filter(|_| folded.ended.is_some());
        let answer = read.and_then(|()| folded.answer(question, root.as_ref()));
        answer.map_err(|error| self.endpoint.broken(error, told))
    }
}

fn body(question: &Question, root: Option<&RootObject>) -> Value {
    let mut body = Map::new();
    let mut system: Vec<Value> = Vec::new();
    let mut contents: Vec<Value> = Vec::new();
    for message in &question.messages {
        match message {
            Message::System { text } => system.push(json!({"text": text})),
            Message::User { text } => add(&mut contents, "user", vec![json!({"text": text})]),
            Message::Assistant { text, calls } => {
                let said = (!text.is_empty()).then(|| json!({"text": text}));
                let calls = calls.iter().map(|call| {
                    let arguments = if call.arguments.is_object() { call.arguments.clone() } else { json!({}) };
                    let mut part = json!({"functionCall": {"name": call.name, "args": arguments}});
                    if let Some(signature) = call.provider_data.get(SIGNATURE) {
                        part[SIGNATURE] = signature.clone();
                    }
                    part
                });
                add(&mut contents, "model", said.into_iter().chain(calls).collect());
            }
            Message::Tool { name, text, is_error, .. } => {
                let key = if *is_error { "error" } else { "result" };
                let result = json!({"functionResponse": {"name": name, "response": {key: text}}});
                add(&mut contents, "user", vec![result]);
            }
        }
    }
    let mut settings = Map::new();
    match (&question.schema, root) {
        (Some(_), Some(root)) => {
            settings.insert("responseMimeType".to_owned(), json!("application/json"));
            settings.insert("responseJsonSchema".to_owned(), root.schema.clone());
        }
        (Some(schema), None) => system.push(json!({"text": in_words(schema)})),
        (None, _) => {}
    }
    if let Some(temperature) = question.temperature {
        settings.insert("temperature".to_owned(), json!(temperature));
    }
    settings.insert("maxOutputTokens".to_owned(), json!(question.longest_answer()));
    if !system.is_empty() {
        body.insert("systemInstruction".to_owned(), json!({"parts": system}));
    }
    body.insert("contents".to_owned(), json!(contents));
    if !question.tools.is_empty() {
        let functions: Vec<Value> = question
            .tools
            .iter()
            .map(|tool| {
                json!({
                    "name": tool.name, "description": tool.description, "parametersJsonSchema": tool.parameters
                })
            })
            .collect();
        body.insert("tools".to_owned(), json!([{"functionDeclarations": functions}]));
    }
    body.insert("generationConfig".to_owned(), Value::Object(settings));
    Value::Object(body)
}

/// Adds what somebody says to what the same one said right before.
fn add(contents: &mut Vec<Value>, role: &str, mut parts: Vec<Value>) {
    if parts.is_empty() {
        return;
    }
    if let Some(last) = contents.last_mut().filter(|last| last["role"] == role)
        && let Some(said) = last["parts"].as_array_mut()
    {
        said.append(&mut parts);
        return;
    }
    contents.push(json!({"role": role, "parts": parts}));
}

/// What has come of an answer.
#[derive(Debug, Default)]
struct Folded {
    text: String,
    calls: Vec<ToolCall>,
    /// Why it ended, in the provider's word.
    ended: Option<String>,
    tokens: Option<(u64, u64)>,
}

impl Folded {
    async fn read(&mut self, question: &Question, events: &mut Events) -> Result<(), ProviderError> {
        while let Some(event) = events.next().await? {
            self.add(question, &serde_json::from_str(&event.data).map_err(malformed)?)?;
        }
        Ok(())
    }

    fn add(&mut self, question: &Question, chunk: &Value) -> Result<(), ProviderError> {
        if let Some(said) = super::said(chunk) {
            return Err(ProviderError::new(ErrorClass::ServerError, format!("the provider stopped: {said}")));
        }
        if !chunk.is_object() {
            return Err(malformed("it is no object"));
        }
        let count = |name: &str| chunk["usageMetadata"][name].as_u64();
        if let Some(read) = count("promptTokenCount") {
            // What the model thinks is written as well, and paid for.
            let written = count("candidatesTokenCount").unwrap_or(0) + count("thoughtsTokenCount").unwrap_or(0);
            self.tokens = Some((read, written));
        }
        if let Some(reason) = chunk["promptFeedback"]["blockReason"].as_str() {
            self.ended = Some(reason.to_owned());
            let message = format!("the provider does not answer this: {reason}");
            return Err(ProviderError::new(ErrorClass::Refused, message));
        }
        let candidate = &chunk["candidates"][0];
        for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
            if let Some(text) = part["text"].as_str().filter(|_| part["thought"] != json!(true)) {
                self.text.push_str(text);
            }
            if let Some(call) = part.get("functionCall") {
                // Calls have no ids with every model; within a conversation the place tells them apart.
                let id = format!("call_{}_{}", question.messages.len(), self.calls.len());
                let provider_data = part.get(SIGNATURE).map_or(Value::Null, |it| json!({SIGNATURE: it}));
                let arguments = call.get("args").cloned().unwrap_or_else(|| json!({}));
                let name = call["name"].as_str().unwrap_or_default().to_owned();
                self.calls.push(ToolCall { id, name, arguments, provider_data });
            }
        }
        if let Some(reason) = candidate["finishReason"].as_str() {
            self.ended = Some(reason.to_owned());
        }
        Ok(())
    }

    fn answer(self, question: &Question, root: Option<&RootObject>) -> Result<Answer, ProviderError> {
        let stop = match self.ended.as_deref() {
            None => return Err(cut_off()),
            Some("STOP") if self.calls.is_empty() => StopReason::Finished,
            Some("STOP") => StopReason::ToolCalls,
            Some("MAX_TOKENS") => StopReason::Length,
            // What the model wrote was not what it should have been; another time it may be.
            Some(reason @ ("MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "OTHER")) => {
                let message = format!("the provider ended the answer: {reason}");
                return Err(ProviderError::new(ErrorClass::ServerError, message));
            }
            // Safety, recitation, language and whatever may be added (ai.google.dev/api/generate-content, `FinishReason`).
            Some(reason) => return Err(withheld(reason)),
        };
        let text = root.map_or_else(|| self.text.clone(), |root| root.unwrapped(self.text.clone()));
        Ok(Answer::of(question, text, self.calls, stop, self.tokens))
    }
}
