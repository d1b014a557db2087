//! The calls of tools that a model wants, in its order: those that only read side by side, those that may change something one
//! after the other, those that people must allow once they have. What was begun before a crash is made again only where that
//! does no harm.

use std::time::Duration;

use flowctl_core::approval::{Requirement, whoever_may_write};
use flowctl_core::definition::ErrorClass;
use flowctl_core::execution::{
    CallDecision, CallRequest, Entry, MAX_SHOWN_ARGUMENTS, StepError, ToolOutcome, call_digest, shown_arguments,
};
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::conversation::{Conversation, Open, not_allowed};
use super::equipment::{Equipment, Offered};
use crate::steps::Journal;
use crate::tools::OperationCall;

/// Calls that are made side by side.
const PARALLEL: usize = 8;
/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(120);
/// The largest result that a model is shown, in bytes as JSON.
const SHOWN: usize = 64 * 1024;
/// How long people have to allow a call.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes the calls of one attempt.
pub(super) struct Calls {
    journal: Journal,
    step: String,
    idempotency_key: String,
    /// Who allows calls.
    requirement: Requirement,
}

/// A call that is made now.
struct Ready<'o> {
    open: &'o Open,
    offered: &'o Offered,
    arguments: Map<String, Value>,
}

/// What is to be done about an open call.
enum Due<'o> {
    /// It ends so, without being made.
    Not(String),
    /// It is made.
    Make(&'o Offered, Map<String, Value>),
    /// People are asked first.
    Ask(&'o Offered, Map<String, Value>),
}

impl Calls {
    /// Calls that one person allows who may write, unless `requirement` says who else.
    pub(super) fn new(journal: Journal, step: &str, idempotency_key: &str, requirement: Option<Requirement>) -> Self {
        let requirement = requirement.unwrap_or_else(whoever_may_write);
        Self { journal, step: step.to_owned(), idempotency_key: idempotency_key.to_owned(), requirement }
    }

    /// Makes the open calls, of which `left` more may be begun. Where people are asked, the attempt ends with it.
    pub(super) async fn make(
        &self,
        conversation: &mut Conversation,
        equipment: &Equipment,
        open: Vec<Open>,
        left: u64,
    ) -> Result<(), StepError> {
        let (mut left, mut at_once) = (left, Vec::new());
        for open in &open {
            let due = due(equipment, open, left);
            if !matches!(due, Due::Not(_)) {
                left = left.saturating_sub(u64::from(!open.begun));
            }
            match due {
                Due::Make(offered, arguments) if !offered.operation.writes => {
                    at_once.push(Ready { open, offered, arguments });
                    continue;
                }
                // What was wanted before it is done before it, and what was wanted after it may build on it.
                _ => self.side_by_side(conversation, equipment, std::mem::take(&mut at_once)).await?,
            }
            match due {
                Due::Not(reason) => {
                    let outcome = ToolOutcome::Error(StepError::new(ErrorClass::Refused, reason));
                    conversation.add(self.end(open, outcome, Duration::ZERO).await?);
                }
                Due::Make(offered, arguments) => {
                    conversation.add(self.one(equipment, Ready { open, offered, arguments }).await?);
                }
                Due::Ask(offered, arguments) => return Err(self.ask(open, offered, arguments).await),
            }
        }
        self.side_by_side(conversation, equipment, at_once).await
    }

    /// Makes calls that only read.
    async fn side_by_side(
        &self,
        conversation: &mut Conversation,
        equipment: &Equipment,
        ready: Vec<Ready<'_>>,
    ) -> Result<(), StepError> {
        let mut calls = Vec::with_capacity(ready.len());
        for ready in ready {
            calls.push(self.one(equipment, ready));
        }
        let mut made = stream::iter(calls).buffered(PARALLEL);
        while let Some(entries) = made.next().await {
            conversation.add(entries?);
        }
        Ok(())
    }

    /// Makes one call: recorded before it is made, and with its result.
    async fn one(&self, equipment: &Equipment, ready: Ready<'_>) -> Result<Vec<Entry>, StepError> {
        let Ready { open, offered, arguments } = ready;
        let begun = Entry::ToolCallBegun {
            call: open.key.clone(),
            tool: offered.tool.clone(),
            operation: offered.operation.name.clone(),
            arguments: Value::Object(arguments.clone()),
            writes: offered.operation.writes,
            idempotent: offered.operation.idempotent,
        };
        self.journal.append(begun.clone()).await?;
        let began = Instant::now();
        // The same call has the same key, also after a crash; another one never has it.
        let digest = call_digest(&offered.tool, &offered.operation.name, &open.call.arguments);
        let key = format!("{}/{}/{}", self.idempotency_key, open.key, &digest[..16]);
        let call = OperationCall { operation: &offered.operation.name, arguments: &arguments, idempotency_key: &key };
        let called = match equipment.tool(&offered.tool) {
            Some(tool) => tool.call(call, LIMIT).await,
            None => Err(StepError::new(ErrorClass::Refused, "there is no such tool")),
        };
        let outcome = called.map_or_else(ToolOutcome::Error, |result| ToolOutcome::Result(shortened(result)));
        let mut entries = vec![begun];
        entries.extend(self.end(open, outcome, began.elapsed()).await?);
        Ok(entries)
    }

    async fn end(&self, open: &Open, outcome: ToolOutcome, took: Duration) -> Result<Vec<Entry>, StepError> {
        let latency_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let ended = Entry::ToolCallEnded { call: open.key.clone(), outcome, latency_ms };
        self.journal.append(ended.clone()).await?;
        Ok(vec![ended])
    }

    /// Ends the attempt by asking people. It goes on once they have decided.
    async fn ask(&self, open: &Open, offered: &Offered, arguments: Map<String, Value>) -> StepError {
        let (tool, operation) = (&offered.tool, &offered.operation.name);
        let (title, description) = if open.begun {
            (
                format!("Call `{operation}` of `{tool}` again?"),
                "The server stopped in the middle of this call. Whether it was made is not known: look before you let it be \
                 made again."
                    .to_owned(),
            )
        } else {
            (
                format!("Let the agent call `{operation}` of `{tool}`?"),
                format!("The agent of step `{}` wants to make this call, with these arguments.", self.step),
            )
        };
        let request = CallRequest {
            call: open.key.clone(),
            tool: tool.clone(),
            operation: operation.clone(),
            arguments: Value::Object(arguments),
            title,
            description,
            requirement: self.requirement.clone(),
            allow_author: false,
            patience_ms: u64::try_from(PATIENCE.as_millis()).ok(),
        };
        self.journal.ask(request).await.into()
    }
}

/// What is to be done about a call. A decision counts for the very call that people were shown.
fn due<'e>(equipment: &'e Equipment, open: &Open, left: u64) -> Due<'e> {
    let Some(offered) = equipment.meant_by(open) else {
        return Due::Not(match equipment.left_out_of(open) {
            Some(left_out) => format!("the tool `{}` does not answer now; the call was not made", left_out.tool),
            None if open.wrote => format!(
                "the server stopped in the middle of this call; whether it was made is not known, and there is no function \
                 `{}` any more",
                open.call.name
            ),
            None => format!("there is no function `{}`", open.call.name),
        });
    };
    let Value::Object(arguments) = &open.call.arguments else {
        return Due::Not("the arguments are no JSON object; the call was not made".to_owned());
    };
    let arguments = arguments.clone();
    let may_repeat = !offered.operation.writes || offered.operation.idempotent;
    if open.begun && may_repeat {
        return Due::Make(offered, arguments);
    }
    if left == 0 && !open.begun {
        return Due::Not("no calls are left of the budget (`max_tool_calls`); answer with what you know".to_owned());
    }
    let digest = call_digest(&offered.tool, &offered.operation.name, &open.call.arguments);
    match &open.decided {
        Some(decided) if decided.decision == CallDecision::Approved && decided.digest == digest => {
            Due::Make(offered, arguments)
        }
        Some(decided) if decided.decision != CallDecision::Approved && open.begun => Due::Not(format!(
            "the server stopped in the middle of this call; whether it was made is not known, and {}",
            "nobody let it be made again"
        )),
        Some(decided) if decided.decision != CallDecision::Approved => Due::Not(not_allowed(decided)),
        _ if open.begun || offered.asks => match too_long(&open.call.arguments) {
            Some(why) if open.begun => Due::Not(format!(
                "the server stopped in the middle of this call; whether it was made is not known, and nobody is asked: {why}"
            )),
            Some(why) => Due::Not(format!("{why}; the call was not made: make smaller ones")),
            None => Due::Ask(offered, arguments),
        },
        _ => Due::Make(offered, arguments),
    }
}

/// Why nobody can be asked about a call with these arguments: a word counts for what was shown.
fn too_long(arguments: &Value) -> Option<String> {
    let length = shown_arguments(arguments).chars().count();
    (length > MAX_SHOWN_ARGUMENTS).then(|| {
        format!("its arguments have {length} characters, and a person who allows a call is shown {MAX_SHOWN_ARGUMENTS} at most")
    })
}

/// A result that is too large for a model is cut, and says so.
fn shortened(result: Value) -> Value {
    let text = match &result {
        Value::String(text) if text.len() <= SHOWN => return result,
        Value::String(text) => text.clone(),
        other => {
            let text = other.to_string();
            if text.len() <= SHOWN {
                return result;
            }
            text
        }
    };
    let start = &text[..text.floor_char_boundary(SHOWN)];
    Value::String(format!("{start}\n… cut here: {} of {} bytes are shown", start.len(), text.len()))
}
